package close_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// withFolder makes a folder, gives its path to use, and removes it with all that use has put there.
func withFolder(use func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "turnstile-")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(dir))
	}()

	return use(dir)
}

func TestWithFolder(t *testing.T) {
	t.Parallel()
	taken := errors.New("bracket.step is taken by alice")

	t.Run("the folder is there for use, and gone afterwards", func(t *testing.T) {
		t.Parallel()
		var seen string
		err := withFolder(func(dir string) error {
			seen = dir
			return os.WriteFile(filepath.Join(dir, "report.txt"), []byte("bracket.step alice\n"), 0o600)
		})
		require.NoError(t, err)
		require.NoDirExists(t, seen)
	})

	t.Run("the folder is gone after an error, which the caller gets", func(t *testing.T) {
		t.Parallel()
		var seen string
		err := withFolder(func(dir string) error { seen = dir; return taken })
		require.ErrorIs(t, err, taken)
		require.NoDirExists(t, seen)
	})

	t.Run("the folder is gone after a panic, which goes on", func(t *testing.T) {
		t.Parallel()
		var seen string
		require.PanicsWithValue(t, "no such part", func() {
			_ = withFolder(func(dir string) error { seen = dir; panic("no such part") })
		})
		require.NoDirExists(t, seen)
	})
}
