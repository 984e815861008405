package atomicreplace_test

import (
	"os"
	"path/filepath"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestTheTemporaryName(t *testing.T) {
	t.Parallel()

	// open(2), O_EXCL: with O_CREAT, if "pathname already exists, then open() fails with the error EEXIST".
	t.Run("an exclusive fixed name that a process crash has left stops every later write", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		temp := beside(path, ".locks.json.tmp")
		first := lab.Start(t, "replace in steps", path, temp)
		first.Reached("created")
		first.Kill()
		require.ErrorIs(t, lab.Run(t, "replace in steps", path, temp), os.ErrExist)
		require.ErrorIs(t, lab.Run(t, "replace in steps", path, temp), os.ErrExist, "and so on, until a person removes it")
	})

	// os.CreateTemp: "If dir is the empty string, CreateTemp uses the default directory for temporary files, as returned by
	// TempDir."
	t.Run("os.CreateTemp without a directory puts its file into the one for temporary files", func(t *testing.T) {
		t.Parallel()
		temp, err := os.CreateTemp("", "locks-*.json")
		require.NoError(t, err)
		t.Cleanup(func() { _ = os.Remove(temp.Name()) })
		require.NoError(t, temp.Close())
		require.Equal(t, filepath.Clean(os.TempDir()), filepath.Dir(temp.Name()))
	})

	t.Run("a Remove after the rename removes another writer's file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		temp := beside(path, ".locks.json.tmp")
		func() {
			defer os.Remove(temp) // meant for the case that something fails
			require.NoError(t, replace(path, temp, []byte(after)))
			write(t, temp, "another writer's, made since") // the name is free again
		}()
		require.Equal(t, after, read(t, path))
		require.NoFileExists(t, temp, "the other writer's rename will fail")
	})
}

func TestLeftovers(t *testing.T) {
	t.Parallel()

	// os.Exit: "The program terminates immediately; deferred functions are not run."
	t.Run("os.Exit leaves the temp file in spite of a deferred Remove", func(t *testing.T) {
		t.Parallel()
		temp := lab.Path(t, ".locks.json.tmp")
		require.Error(t, lab.Run(t, "exit", temp), "the worker is gone before its function returns")
		require.FileExists(t, temp)
	})

	t.Run("removing the temp file of a live writer makes its rename fail, and the old content stays", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		temp := beside(path, ".locks.json.tmp")
		writer := lab.Start(t, "replace in steps", path, temp)
		for _, step := range []string{"created", "half written", "written", "synced", "closed"} {
			writer.Reached(step)
			if step != "closed" {
				writer.Continue()
			}
		}
		require.NoError(t, os.Remove(temp), "a sweeper that guessed wrong")
		writer.Continue()
		require.ErrorIs(t, writer.Wait(), os.ErrNotExist)
		require.Equal(t, before, read(t, path))
	})
}

// exitWithDefer makes a temp file, promises to remove it, and exits: TEMP.
func exitWithDefer(w *lab.Worker) error {
	if err := os.WriteFile(w.Arg(0), []byte(after), 0o600); err != nil {
		return err
	}
	defer os.Remove(w.Arg(0))
	os.Exit(1)
	return nil
}
