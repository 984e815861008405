package close_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// withDirectory makes a directory, gives its path to use, and removes it with all that use has put into it.
func withDirectory(use func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "turnstile-")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(dir))
	}()

	return use(dir)
}

func TestWithDirectory(t *testing.T) {
	t.Parallel()
	taken := errors.New("bracket.step is taken by alice")

	t.Run("the directory exists during use, and is gone afterwards", func(t *testing.T) {
		t.Parallel()
		var seen string
		err := withDirectory(func(dir string) error {
			seen = dir
			return os.WriteFile(filepath.Join(dir, "report.txt"), []byte("bracket.step alice\n"), 0o600)
		})
		require.NoError(t, err)
		require.NoDirExists(t, seen)
	})

	t.Run("the directory is gone after an error, which the caller gets", func(t *testing.T) {
		t.Parallel()
		var seen string
		err := withDirectory(func(dir string) error { seen = dir; return taken })
		require.ErrorIs(t, err, taken)
		require.NoDirExists(t, seen)
	})

	t.Run("the directory is gone after a panic, which goes on", func(t *testing.T) {
		t.Parallel()
		var seen string
		require.PanicsWithValue(t, "no such part", func() {
			_ = withDirectory(func(dir string) error { seen = dir; panic("no such part") })
		})
		require.NoDirExists(t, seen)
	})
}

// openObject opens the file at path for the caller, who closes it. With an error there is no file, and none is left open.
func openObject(path string) (_ *os.File, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()

	first := make([]byte, 1)
	if _, err := f.ReadAt(first, 0); err != nil {
		return nil, fmt.Errorf("read the first byte: %w", err)
	}
	if first[0] != '{' {
		return nil, fmt.Errorf("%s does not begin with a brace", path)
	}
	return f, nil
}

func TestOpenObject(t *testing.T) {
	t.Parallel()

	t.Run("a function that returns its file closes it when a later step fails", func(t *testing.T) {
		t.Parallel()
		for _, content := range []string{"", "[]"} {
			path := lab.WriteFile(t, "locks.json", content)
			f, err := openObject(path)
			require.Error(t, err)
			require.Nil(t, f)
			requireOpen(t, false, path)
		}
	})

	t.Run("a function that returns its file leaves it open when all went well", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "{}")
		f, err := openObject(path)
		require.NoError(t, err)
		requireOpen(t, true, path)
		require.NoError(t, f.Close())
	})
}
