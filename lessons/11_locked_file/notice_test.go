//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package lockedfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// replace makes the notice at path say text.
func replace(ctx context.Context, path, text string) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644) // no O_TRUNC: the file may be another owner's
	if err != nil {
		return err
	}
	if err := lockWithin(ctx, file); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, release(file)) }()
	if err := file.Truncate(0); err != nil { // now it is ours
		return err
	}
	_, err = file.WriteString(text)
	return err
}

func release(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close()) // a child may have a duplicate
}

// lockWithin waits for an exclusive lock on the file, or until ctx ends. When it fails, the file is closed, now or as soon as the kernel
// has ended the wait: whatever that brings ends with the file.
func lockWithin(ctx context.Context, file *os.File) error {
	if err := ctx.Err(); err != nil {
		return errors.Join(err, file.Close())
	}
	result := make(chan error, 1)
	go func() {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		for errors.Is(err, syscall.EINTR) { // a signal ended the call, not the wait
			err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		}
		result <- err
	}()
	select {
	case err := <-result:
		if err != nil {
			err = errors.Join(err, file.Close())
		}
		return err
	case <-ctx.Done():
		go func() {
			<-result
			_ = release(file) // too late for anyone to be told
		}()
		return ctx.Err()
	}
}

// The sibling of the exercise that "The fix" shows.
func TestNotice(t *testing.T) {
	t.Parallel()
	t.Run("a notice is replaced when its owner lets go", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "notice.txt", "closed on Friday\n")
		owner := locked(t, path, syscall.LOCK_EX)
		done := make(chan error, 1)
		go func() { done <- replace(t.Context(), path, "open\n") }()
		time.Sleep(20 * time.Millisecond) // decides nothing: the text must be the same before and after replace begins
		requireContent(t, path, "closed on Friday\n")
		require.NoError(t, owner.Close())
		require.NoError(t, <-done)
		requireContent(t, path, "open\n")
	})
	t.Run("a wait that was given up leaves no lock behind", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "notice.txt", "closed on Friday\n")
		owner := locked(t, path, syscall.LOCK_EX)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, replace(ctx, path, "open\n"), context.DeadlineExceeded)
		requireContent(t, path, "closed on Friday\n")
		require.NoError(t, owner.Close())
		require.NoError(t, locked(t, path, syscall.LOCK_EX).Close())
	})
}

// open(2), O_TRUNC: "If the file already exists and is a regular file and the access mode allows writing […] it will be truncated to
// length 0."
func TestOrder(t *testing.T) {
	t.Parallel()
	t.Run("O_TRUNC empties a file that another owner has locked", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		locked(t, path, syscall.LOCK_EX)
		file, err := os.OpenFile(path, os.O_RDWR|os.O_TRUNC, 0)
		require.NoError(t, err)
		defer file.Close()
		require.ErrorIs(t, syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
		requireContent(t, path, "")
	})
	t.Run("a file that is renamed over another one takes no lock with it", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		locked(t, path, syscall.LOCK_EX)
		next := filepath.Join(filepath.Dir(path), "next")
		require.NoError(t, os.WriteFile(next, []byte("[]"), 0o600))
		require.NoError(t, os.Rename(next, path))
		locked(t, path, syscall.LOCK_EX|syscall.LOCK_NB) // two owners, at one path
	})
	t.Run("a reader that takes no lock reads an empty file while its owner writes", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		owner := locked(t, path, syscall.LOCK_EX)
		require.NoError(t, owner.Truncate(0))
		requireContent(t, path, "")
		_, err := owner.WriteAt([]byte("{}"), 0)
		require.NoError(t, err)
	})
	t.Run("a file that may only be read, in a directory that may only be read, can be locked", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		require.NoError(t, os.Chmod(path, 0o444))
		require.NoError(t, os.Chmod(filepath.Dir(path), 0o555))
		t.Cleanup(func() { _ = os.Chmod(filepath.Dir(path), 0o755) })
		file, err := os.Open(path)
		require.NoError(t, err)
		defer file.Close()
		require.NoError(t, syscall.Flock(int(file.Fd()), syscall.LOCK_SH))
	})
}

func requireContent(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(text))
}

// locked opens the file and locks it.
func locked(t *testing.T, path string, how int) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	require.NoError(t, syscall.Flock(int(file.Fd()), how))
	return file
}
