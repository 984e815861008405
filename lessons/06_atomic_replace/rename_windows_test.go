package atomicreplace_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestOnWindows(t *testing.T) {
	t.Parallel()

	// Microsoft, MoveFileEx: MOVEFILE_REPLACE_EXISTING, which os.Rename sets. Microsoft, CreateFile: without
	// FILE_SHARE_DELETE no other program may delete or rename the file while the handle is open; os.Open does not set it.
	t.Run("a rename over a file that a program has open is refused until it is closed", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		temp := beside(path, ".tmp")
		write(t, temp, after)
		reader, err := os.Open(path)
		require.NoError(t, err)
		defer reader.Close()
		err = os.Rename(temp, path)
		require.ErrorIs(t, err, fs.ErrPermission)
		require.Equal(t, before, read(t, path))
		require.FileExists(t, temp)

		require.NoError(t, reader.Close())
		require.NoError(t, os.Rename(temp, path))
		require.Equal(t, after, read(t, path))
	})

	t.Run("an open temp file can be neither renamed nor removed", func(t *testing.T) {
		t.Parallel()
		temp := lab.WriteFile(t, ".tmp", after)
		f, err := os.OpenFile(temp, os.O_WRONLY, 0)
		require.NoError(t, err)
		defer f.Close()
		require.ErrorIs(t, os.Rename(temp, beside(temp, "locks.json")), syscall.Errno(32)) // ERROR_SHARING_VIOLATION
		require.ErrorIs(t, os.Remove(temp), syscall.Errno(32))
	})

	// Microsoft, FlushFileBuffers: "The file handle must have the GENERIC_WRITE access right." os.Open asks for reading.
	t.Run("a directory that os.Open has opened cannot be flushed", func(t *testing.T) {
		t.Parallel()
		directory, err := os.Open(t.TempDir())
		require.NoError(t, err)
		defer directory.Close()
		require.Error(t, directory.Sync())
	})

	t.Run("a read-only file is not replaced", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		require.NoError(t, os.Chmod(path, 0o444))
		t.Cleanup(func() { _ = os.Chmod(path, 0o600) })
		err := replace(path, filepath.Join(filepath.Dir(path), ".tmp"), []byte(after))
		require.ErrorIs(t, err, fs.ErrPermission)
		require.Equal(t, before, read(t, path))
	})
}
