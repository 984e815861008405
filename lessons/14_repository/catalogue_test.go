package repository_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

var errSum = errors.New("the catalogue is not the one that was printed")

// receive stores a maker's catalogue under its year. The maker has printed its sum on the cover letter.
func receive(shelf *os.Root, year string, printed [sha256.Size]byte, from io.Reader) (err error) {
	draft := "draft-" + rand.Text() // ours alone
	file, err := shelf.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	keep := false
	defer func() {
		if !keep {
			err = errors.Join(err, shelf.Remove(draft))
		}
	}()
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(file, sum), from) // one pass: to the disk and through the hash
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != printed {
		return errSum
	}
	if err := shelf.Rename(draft, year); err != nil { // the step that readers see
		return err
	}
	keep = true
	return nil
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	names := func(t *testing.T, dir string) (names []string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}
	shelf := func(t *testing.T) (string, *os.Root) {
		t.Helper()
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		t.Cleanup(func() { _ = root.Close() })
		return dir, root
	}
	printed := sha256.Sum256([]byte(bracket))

	t.Run("a catalogue is on the shelf when its sum is the printed one", func(t *testing.T) {
		t.Parallel()
		dir, root := shelf(t)
		require.NoError(t, receive(root, "2026", printed, strings.NewReader(bracket)))
		require.Equal(t, []string{"2026"}, names(t, dir))
		content, err := os.ReadFile(filepath.Join(dir, "2026"))
		require.NoError(t, err)
		require.Equal(t, bracket, string(content))
	})
	t.Run("one with another sum, or one that is cut, leaves nothing and takes nothing away", func(t *testing.T) {
		t.Parallel()
		dir, root := shelf(t)
		require.NoError(t, receive(root, "2026", printed, strings.NewReader(bracket)))
		require.ErrorIs(t, receive(root, "2026", printed, strings.NewReader(hinge)), errSum)
		require.ErrorIs(t, receive(root, "2027", printed, strings.NewReader(hinge)), errSum)
		lost := errors.New("the connection was lost")
		require.ErrorIs(t, receive(root, "2027", printed, io.MultiReader(strings.NewReader("solid br"), iotest.ErrReader(lost))), lost)
		require.Equal(t, []string{"2026"}, names(t, dir))
	})
}
