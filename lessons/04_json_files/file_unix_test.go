//go:build unix

package jsonfiles_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"example/turnstile/lessons/lab"
	"github.com/stretchr/testify/require"
)

func TestWhatTheSystemRefuses(t *testing.T) {
	t.Parallel()

	// open(2), EACCES.
	t.Run("a file that may not be read is not missing", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		require.NoError(t, os.WriteFile(path, []byte(locksOfAlice), 0o600))
		require.NoError(t, os.Chmod(path, 0))
		err := lab.Launch(t, lab.Options{Unprivileged: true}, "read", path).Wait()
		require.ErrorIs(t, err, fs.ErrPermission)
		require.NotErrorIs(t, err, fs.ErrNotExist)
	})

	// RLIMIT_FSIZE stands for a full disk: write(2), EFBIG.
	t.Run("os.WriteFile without room leaves an empty file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", generation7)
		writer := lab.Start(t, "write without room", path, generation8)
		var failed bool
		writer.Result(&failed)
		require.NoError(t, writer.Wait())
		require.True(t, failed)
		require.Empty(t, read(t, path), "encoding first protects from a bad document, not from a full disk")
	})
}
