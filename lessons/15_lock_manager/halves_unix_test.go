//go:build unix

package lockmanager_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func init() { workers["halves"] = halves }

// halves takes the lock DIRECTORY in two steps, as bundlewrap did: it makes a directory, and writes into it whose it is. The kernel
// refuses the second one, as a full disk does.
func halves(w *lab.Worker) error {
	if err := lab.LimitFileSize(0); err != nil {
		return err
	}
	if err := os.Mkdir(w.Arg(0), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.Arg(0), "info"), []byte("alice"), 0o600)
}

func TestHalves(t *testing.T) {
	t.Parallel()
	// https://github.com/bundlewrap/bundlewrap/issues/173
	t.Run("a record that is made in two steps can stay half made", func(t *testing.T) {
		t.Parallel()
		directory := lab.Path(t, "lock")
		err := lab.Run(t, "halves", directory)
		require.ErrorIs(t, err, syscall.EFBIG)
		require.ErrorIs(t, os.Mkdir(directory, 0o700), os.ErrExist, "it is locked")
		content, err := os.ReadFile(filepath.Join(directory, "info"))
		require.True(t, err == nil || errors.Is(err, os.ErrNotExist))
		require.Empty(t, content, "and does not say by whom")
	})
}
