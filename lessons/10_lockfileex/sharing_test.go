package lockfileex_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/10_lockfileex/winfile"
	"example/turnstile/internal/lab"
)

const all = winfile.FILE_SHARE_READ | winfile.FILE_SHARE_WRITE | winfile.FILE_SHARE_DELETE

// CreateFileW, dwShareMode; MoveFileExW; Go's syscall.Open for Windows.
func TestSharing(t *testing.T) {
	t.Parallel()
	with := func(t *testing.T, path string, flag int, share uint32) (*winfile.File, error) {
		t.Helper()
		f, err := winfile.OpenWith(path, flag, 0, share, 0)
		if err == nil {
			t.Cleanup(func() { _ = f.Close() })
		}
		return f, err
	}
	t.Run("an open file cannot be removed", func(t *testing.T) {
		t.Parallel()
		path := list(t, "")
		f := opened(t, path)
		require.ErrorIs(t, winfile.Remove(path), winfile.ERROR_SHARING_VIOLATION)
		require.NoError(t, f.Close())
		require.NoError(t, winfile.Remove(path))
		require.NoFileExists(t, path)
	})
	t.Run("an open file cannot be renamed", func(t *testing.T) {
		t.Parallel()
		path := list(t, "")
		opened(t, path)
		require.ErrorIs(t, winfile.Rename(path, lab.Path(t, "old.txt")), winfile.ERROR_SHARING_VIOLATION)
	})
	t.Run("an open file cannot be replaced by a rename", func(t *testing.T) {
		t.Parallel()
		path, draft := list(t, "old"), lab.WriteFile(t, "draft", "new")
		f := opened(t, path)
		require.ErrorIs(t, winfile.Rename(draft, path), winfile.ERROR_ACCESS_DENIED)
		require.NoError(t, f.Close())
		require.NoError(t, winfile.Rename(draft, path))
		content, err := winfile.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "new", string(content))
	})
	t.Run("a file whose handles all share deletion can be renamed", func(t *testing.T) {
		t.Parallel()
		path := list(t, "")
		_, err := with(t, path, os.O_RDWR, all)
		require.NoError(t, err)
		require.NoError(t, winfile.Rename(path, lab.Path(t, "old.txt")))
	})
	t.Run("a handle that shares nothing keeps all others out", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		_, err := with(t, path, os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = winfile.ReadFile(path)
		require.ErrorIs(t, err, winfile.ERROR_SHARING_VIOLATION)
	})
	t.Run("a handle that shares reading alone lets readers in, and no writers", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		_, err := with(t, path, os.O_RDONLY, winfile.FILE_SHARE_READ)
		require.NoError(t, err)
		_, err = winfile.ReadFile(path)
		require.NoError(t, err)
		_, err = winfile.OpenFile(path, os.O_RDWR, 0)
		require.ErrorIs(t, err, winfile.ERROR_SHARING_VIOLATION)
	})
	t.Run("a share mode must allow what open handles have already", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		opened(t, path)
		_, err := with(t, path, os.O_RDONLY, winfile.FILE_SHARE_READ)
		require.ErrorIs(t, err, winfile.ERROR_SHARING_VIOLATION)
	})
}
