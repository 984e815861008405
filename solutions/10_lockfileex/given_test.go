//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package lockfileex_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/10_lockfileex/winfile"
)

// The model of LockFileEx keeps what its comments promise. Its locks are the subject of the lesson's fact tests; this is the rest.

func TestTheModelLeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	path := filepath.Join(t.TempDir(), "jobs.txt")
	for range 3 {
		f, err := winfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		require.NoError(t, err)
		at := &winfile.Overlapped{}
		require.NoError(t, winfile.LockFileEx(f.Handle(), winfile.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, at))
		require.NoError(t, winfile.UnlockFileEx(f.Handle(), 0, 1, 0, at))
		require.NoError(t, f.Close())
	}
	roots, err := filepath.Glob(filepath.Join(os.TempDir(), "turnstile-winfile-*"))
	require.NoError(t, err)
	require.Len(t, roots, 1)
	tables, err := os.ReadDir(roots[0])
	require.NoError(t, err)
	require.Empty(t, tables)
}

// The last process that closes a file discards its table while the next one makes it. Making and removing the directory all the time
// stands for a thousand such processes.
func TestTheModelIsOpenedWhileItsTableIsDiscarded(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	path := filepath.Join(t.TempDir(), "jobs.txt")
	open := func() error {
		f, err := winfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	}
	f, err := winfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	tables, err := filepath.Glob(filepath.Join(os.TempDir(), "turnstile-winfile-*", "*"))
	require.NoError(t, err)
	require.Len(t, tables, 1)
	require.NoError(t, f.Close())

	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_ = os.Mkdir(tables[0], 0o700)
				_ = os.Remove(tables[0])
			}
		}
	})
	defer others.Wait()
	defer close(done)
	for range 300 {
		require.NoError(t, open())
	}
}

func TestFilesOfTheModel(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.txt")
	_, err := winfile.OpenFile(path, os.O_RDWR, 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	f, err := winfile.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	n, err := f.WriteAt([]byte("1 hinge\n"), 0)
	require.NoError(t, err)
	require.Equal(t, 8, n)
	require.NoError(t, f.Truncate(7))
	content, err := f.ReadAll()
	require.NoError(t, err)
	require.Equal(t, "1 hinge", string(content))

	request := &winfile.Overlapped{}
	require.ErrorIs(t, winfile.LockFileEx(f.Handle(), 0, 1, 1, 0, request), winfile.ERROR_INVALID_PARAMETER, "reserved")
	require.ErrorIs(t, winfile.LockFileEx(f.Handle(), 0, 0, 1, 0, nil), winfile.ERROR_INVALID_PARAMETER)
	require.ErrorIs(t, winfile.GetOverlappedResult(f.Handle(), request, nil, true), winfile.ERROR_INVALID_PARAMETER)
	require.ErrorIs(t, winfile.Rename(path, path+".old"), winfile.ERROR_SHARING_VIOLATION)

	other, err := winfile.OpenFile(path, os.O_RDWR|os.O_TRUNC, 0)
	require.NoError(t, err)
	size, err := other.Size()
	require.NoError(t, err)
	require.Zero(t, size)
	require.NoError(t, other.Close())
	require.ErrorIs(t, other.Close(), fs.ErrClosed)
	require.ErrorIs(t, winfile.LockFileEx(other.Handle(), 0, 0, 1, 0, request), winfile.ERROR_INVALID_HANDLE)
	_, err = other.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, fs.ErrClosed)

	require.NoError(t, f.Close())
	special, err := openOverlapped(path)
	require.NoError(t, err)
	_, err = special.Size()
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = special.ReadAll()
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = special.WriteAt([]byte("2"), 0)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, special.Truncate(0), errors.ErrUnsupported)
	require.NoError(t, special.Close())
	require.NoError(t, winfile.Rename(path, path+".old"))
	require.ErrorIs(t, winfile.Remove(path), fs.ErrNotExist)
	require.NoError(t, winfile.Remove(path+".old"))
}

func openOverlapped(path string) (*winfile.File, error) {
	return winfile.OpenWith(path, os.O_RDWR, 0, winfile.FILE_SHARE_READ|winfile.FILE_SHARE_WRITE, winfile.FILE_FLAG_OVERLAPPED)
}

func TestARefusedQuestionEndsTheRequest(t *testing.T) {
	t.Parallel()
	for _, free := range []string{"later", "before the question"} {
		path := filepath.Join(t.TempDir(), "jobs.txt")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		a, err := winfile.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		require.NoError(t, os.Link(path, path+".overlapped"))
		b, err := openOverlapped(path + ".overlapped")
		require.NoError(t, err)
		const exclusive, now = winfile.LOCKFILE_EXCLUSIVE_LOCK, winfile.LOCKFILE_FAIL_IMMEDIATELY
		at, request := &winfile.Overlapped{}, &winfile.Overlapped{}
		require.NoError(t, winfile.LockFileEx(a.Handle(), exclusive, 0, 1, 0, at))
		require.ErrorIs(t, winfile.LockFileEx(b.Handle(), exclusive, 0, 1, 0, request), winfile.ERROR_IO_PENDING)
		undo := winfile.Intercept(path+".overlapped", func(string) error { return winfile.ERROR_NOT_ENOUGH_MEMORY })
		if free != "later" {
			require.NoError(t, winfile.UnlockFileEx(a.Handle(), 0, 1, 0, at))
			require.Eventually(t, func() bool { // until the request has its lock
				return winfile.LockFileEx(a.Handle(), now, 0, 1, 0, at) != nil || winfile.UnlockFileEx(a.Handle(), 0, 1, 0, at) != nil
			}, time.Minute, time.Millisecond)
		}
		require.ErrorIs(t, winfile.GetOverlappedResult(b.Handle(), request, nil, true), winfile.ERROR_NOT_ENOUGH_MEMORY)
		undo()
		require.ErrorIs(t, winfile.GetOverlappedResult(b.Handle(), request, nil, true), winfile.ERROR_INVALID_PARAMETER)
		if free == "later" {
			require.NoError(t, winfile.UnlockFileEx(a.Handle(), 0, 1, 0, at))
		}
		require.NoError(t, winfile.LockFileEx(a.Handle(), exclusive|now, 0, 1, 0, at), free)
		require.ErrorIs(t, winfile.UnlockFileEx(b.Handle(), 0, 1, 0, request), winfile.ERROR_NOT_LOCKED)
		require.NoError(t, errors.Join(a.Close(), b.Close()))
	}
}
