package lab_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func TestRefuse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	require.NoError(t, os.WriteFile(there, []byte("mine"), 0o600))
	open, err := os.OpenFile(there, os.O_RDWR, 0)
	require.NoError(t, err)
	defer open.Close()

	for what, call := range map[string]func() error{
		"create exclusively": func() error {
			_, err := os.OpenFile(filepath.Join(dir, "new"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			return err
		},
		"open for reading": func() error { _, err := os.Open(dir); return err },
		"open for writing": func() error { _, err := os.OpenFile(there, os.O_RDWR, 0); return err },
		"chmod":            func() error { return open.Chmod(0o600) },
		"chown":            func() error { return open.Chown(-1, -1) },
		"write":            func() error { _, err := open.WriteString("x"); return err },
		"truncate": func() error {
			if err := open.Truncate(4); err == nil {
				return nil
			}
			return os.Truncate(there, 4)
		},
		"seek":           func() error { _, err := open.Seek(0, io.SeekStart); return err },
		"sync":           open.Sync,
		"rename":         func() error { return os.Rename(there, filepath.Join(dir, "elsewhere")) },
		"rename or link": func() error { return os.Link(there, filepath.Join(dir, "elsewhere")) },
		"remove":         func() error { return os.Remove(there) },
		"stat":           func() error { _, err := os.Lstat(there); return err },
		"list":           func() error { _, err := os.ReadDir(dir); return err },
	} {
		t.Run(what, func(t *testing.T) {
			var got, other error
			err := lab.Refuse(what, syscall.EDQUOT, func() {
				got = call()
				_, other = os.Readlink(dir) // that is never refused
			})
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			}
			require.NoError(t, err)
			require.ErrorIs(t, got, syscall.EDQUOT)
			require.FileExists(t, there)
			require.NoFileExists(t, filepath.Join(dir, "new"))
			require.ErrorIs(t, other, syscall.EINVAL, "it is no link")
		})
	}
	require.NoError(t, open.Sync(), "outside, nothing is refused")
	require.ErrorIs(t, lab.Refuse("nothing that is known", syscall.EIO, func() {}), errors.ErrUnsupported)
}

func TestWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, temp := filepath.Join(dir, "file"), filepath.Join(dir, "temp")
	var seen []string
	err := lab.Watch(func() {
		_ = os.WriteFile(temp, []byte("mine"), 0o600)
		_ = os.Rename(temp, path)
	}, func(call string) {
		_, missing := os.Lstat(path)
		seen = append(seen, call)
		require.Error(t, missing, "the call has not been made yet")
	})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.Subset(t, seen, []string{"openat", "close", "renameat"})
	require.FileExists(t, path)

	err = lab.Watch(func() { panic("the learner's mistake") }, func(string) {})
	require.ErrorContains(t, err, "the learner's mistake")
}

// A call that Go's runtime makes outside of what it knows as a system call would hold up the garbage collector for ever.
func TestWatchLeavesTheWorldToTheCollector(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	var made error
	err := lab.Watch(func() {
		descriptor, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
		made = errors.Join(err, os.NewFile(uintptr(descriptor), path).Close())
	}, func(string) { runtime.GC() })
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, errors.Join(err, made))
}

func TestRefuseOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var renamed, removed error
	moves := func() {
		renamed = os.Rename(filepath.Join(dir, "missing"), filepath.Join(dir, "file"))
		removed = os.Remove(filepath.Join(dir, "missing"))
	}
	for made := 0; ; made++ {
		names, err := lab.RefuseOne(made, syscall.EDQUOT, moves)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		require.NoError(t, err)
		if len(names) <= made {
			require.Contains(t, names, "renameat")
			require.Contains(t, names, "unlinkat")
			require.ErrorIs(t, renamed, fs.ErrNotExist, "nothing was refused")
			return
		}
		if names[made] == "renameat" {
			require.ErrorIs(t, renamed, syscall.EDQUOT)
			require.ErrorIs(t, removed, fs.ErrNotExist, "no call after the refused one is")
		}
	}
}

// Go's runtime writes, too, when a timer is set: a call that polls, which may be right, must survive a refused write.
func TestRefuseSparesTheRuntimesOwnWrites(t *testing.T) {
	t.Parallel()
	fired := 0
	err := lab.Refuse("write", syscall.ENOSPC, func() {
		for wait := range time.Duration(500) {
			done := make(chan struct{})
			time.AfterFunc(wait*time.Microsecond, func() { close(done) })
			<-done
			fired++
		}
	})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.Equal(t, 500, fired)
}

// Package testing notes each file that is opened, for go's test cache, and fails the whole test if it cannot write its notes down.
func TestRefuseSparesTheTestLog(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "testlog.txt")
	trial := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRefuseWhileFilesAreOpened$", "-test.testlogfile="+log)
	said, err := trial.CombinedOutput()
	require.NoError(t, err, "%s", said)
}

// It opens enough files for the notes to be written while writes are refused.
func TestRefuseWhileFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	err := lab.Refuse("write", syscall.ENOSPC, func() {
		for range 500 {
			_, _ = os.Open(filepath.Join(dir, "missing"))
		}
	})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
}
