package openmodes_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

var workersOfThisSystem = lab.Workers{}

// How Go's flags become those of CreateFileW (Go's syscall package, Open in syscall_windows.go; Microsoft, CreateFileW).
func TestWindows(t *testing.T) {
	t.Parallel()
	// Go opens with GENERIC_READ alone and then asks for the end to be moved, which needs GENERIC_WRITE (Microsoft,
	// SetEndOfFile). Wine says "Invalid parameter" to that, so the kind of the error is left open here.
	t.Run("O_RDONLY with O_TRUNC is refused on Windows, and the file keeps its bytes", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", "{}")
		_, err := os.OpenFile(path, os.O_RDONLY|os.O_TRUNC, 0)
		require.Error(t, err)
		requireContent(t, "{}", path)
	})
	// Go adds GENERIC_WRITE for O_CREATE, and FILE_APPEND_DATA for O_APPEND, whatever the access mode is.
	t.Run("O_CREATE or O_APPEND without an access mode allows a write on Windows", func(t *testing.T) {
		path := lab.WriteFile(t, "history.log", "one\n")
		_, err := openFile(t, path, os.O_APPEND).WriteString("two\n")
		require.NoError(t, err)
		_, err = openFile(t, path, os.O_CREATE).WriteString("ONE")
		require.NoError(t, err)
		requireContent(t, "ONE\ntwo\n", path)
	})
	// Go sets FILE_ATTRIBUTE_READONLY on a new file if perm lacks 0o200, and looks at no other bit.
	t.Run("of perm Windows knows one bit: without 0o200 the new file is read-only", func(t *testing.T) {
		for perm, want := range map[fs.FileMode]fs.FileMode{0o666: 0o666, 0o600: 0o666, 0o200: 0o666, 0o444: 0o444, 0: 0o444} {
			path := lab.Path(t, "locks.json")
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, perm)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, want, info.Mode().Perm(), "perm %o", perm)
		}
	})
	// Go opens without FILE_SHARE_DELETE (syscall_windows.go), and in an os.Root with it (internal/syscall/windows, at_windows.go).
	t.Run("a file that os.Open has open cannot be removed on Windows", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", "{}")
		openFile(t, path, os.O_RDONLY)
		require.Error(t, os.Remove(path))
	})
	t.Run("a file that an os.Root has open can be removed on Windows", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", "{}")
		root, err := os.OpenRoot(filepath.Dir(path))
		require.NoError(t, err)
		defer root.Close()
		f, err := root.Open(filepath.Base(path))
		require.NoError(t, err)
		defer f.Close()
		require.NoError(t, os.Remove(path))
	})
	t.Run("a file in the place of a directory is ErrNotExist on Windows", func(t *testing.T) {
		path := lab.WriteFile(t, "tickets", "")
		_, err := os.Open(filepath.Join(path, "bracket.ticket"))
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}
