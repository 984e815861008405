package close_test

import (
	"os"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// Source: CreateFileW, dwShareMode: without FILE_SHARE_DELETE other opens that ask for delete access fail, as do deletion and
// renaming, until the handle is closed; Go's os.OpenFile asks for FILE_SHARE_READ|FILE_SHARE_WRITE (syscall.Open).
// "Closing and Deleting Files": a file cannot be deleted until all handles to it are closed.
func TestOpenFileOnWindows(t *testing.T) {
	t.Parallel()

	t.Run("a file that is open cannot be deleted", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "{}")
		f, err := os.Open(path)
		require.NoError(t, err)
		require.ErrorIs(t, os.Remove(path), windows.ERROR_SHARING_VIOLATION)
		require.NoError(t, f.Close())
		require.NoError(t, os.Remove(path))
	})

	t.Run("a file that is open cannot be renamed", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "{}")
		f, err := os.Open(path)
		require.NoError(t, err)
		require.Error(t, os.Rename(path, path+".old"))
		require.NoError(t, f.Close())
		require.NoError(t, os.Rename(path, path+".old"))
	})

	// Source: "Closing and Deleting Files": if a file is open when an application terminates, the system closes it.
	t.Run("the kernel closes what a dead process had open, on Windows too", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "{}")
		worker := lab.Start(t, "hold a file", path)
		worker.Reached("the file is open")
		require.ErrorIs(t, os.Remove(path), windows.ERROR_SHARING_VIOLATION)
		worker.Kill()
		require.NoError(t, os.Remove(path))
	})

	// Source: Mark Russinovich, "Pushing the Limits of Windows: Handles": the limits are far beyond what applications use. No
	// number is claimed here, only that no small limit stops a leak.
	t.Run("two thousand open files are fine on Windows", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "{}")
		var held []*os.File
		for range 2000 {
			f, err := os.Open(path)
			require.NoError(t, err)
			held = append(held, f)
		}
		for _, f := range held {
			require.NoError(t, f.Close())
		}
	})
}

func init() { workers["hold a file"] = holdFile }

func holdFile(w *lab.Worker) error {
	f, err := os.OpenFile(w.Arg(0), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	w.Reached("the file is open")
	return f.Close()
}
