package lockedfile_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/internal/lab"
)

// LockFileEx, Win32 API documentation.
func TestLockFileEx(t *testing.T) {
	t.Parallel()
	t.Run("a lock on all bytes keeps a lock on the first byte out", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		handle, err := filelock.New(open(t, path, os.O_RDWR))
		require.NoError(t, err)
		require.NoError(t, handle.TryLock(filelock.Exclusive))
		other := windows.Handle(open(t, path, os.O_RDWR).Fd())
		const try = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
		require.ErrorIs(t, windows.LockFileEx(other, try, 0, 1, 0, &windows.Overlapped{}), windows.ERROR_LOCK_VIOLATION)
	})
	t.Run("a handle for appending alone cannot be locked", func(t *testing.T) {
		t.Parallel()
		if lab.Wine() {
			t.Skip("Wine does not look at the access of the handle")
		}
		handle, err := filelock.New(open(t, lab.WriteFile(t, "log.txt", ""), os.O_WRONLY|os.O_APPEND))
		require.NoError(t, err)
		require.ErrorIs(t, handle.TryLock(filelock.Exclusive), windows.ERROR_ACCESS_DENIED)
	})
	t.Run("another handle cannot read what is locked", func(t *testing.T) {
		t.Parallel()
		if lab.Wine() {
			t.Skip("Wine does not keep readers and writers out")
		}
		path := lab.WriteFile(t, "checkouts.json", "{}")
		handle, err := filelock.New(open(t, path, os.O_RDWR))
		require.NoError(t, err)
		require.NoError(t, handle.TryLock(filelock.Exclusive))
		_, err = os.ReadFile(path)
		require.ErrorIs(t, err, windows.ERROR_LOCK_VIOLATION)
	})
}

func open(t *testing.T, path string, flag int) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, flag, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}
