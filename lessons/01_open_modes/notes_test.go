package openmodes_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// The sibling of the exercise: notes that programs read and change in place, for which 0 bytes are legal.

// openNotesInTwoSteps opens the notes and creates them if they are missing. meanwhile is what happens between the two.
func openNotesInTwoSteps(path string, meanwhile func()) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		meanwhile()
		f, err = os.Create(path) // by now another process may have created it and written a note
	}
	return f, err
}

// openNotes creates or keeps the notes, in one step.
func openNotes(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
}

// writeNote is another process that opens the notes and writes its first note.
func writeNote(w *lab.Worker) error {
	f, err := openNotes(w.Arg(0))
	if err != nil {
		return err
	}
	_, err = f.WriteString("the vice is loose\n")
	return errors.Join(err, f.Close())
}

func TestNotes(t *testing.T) {
	t.Parallel()
	t.Run("open, then create if missing, empties the first note of another process", func(t *testing.T) {
		path := lab.Path(t, "notes.txt")
		f, err := openNotesInTwoSteps(path, func() {
			require.NoError(t, lab.Run(t, "write a note", path))
			requireContent(t, "the vice is loose\n", path)
		})
		require.NoError(t, err)
		require.NoError(t, f.Close())
		requireContent(t, "", path)
	})
	t.Run("one call creates or keeps, whichever process comes first", func(t *testing.T) {
		path := lab.Path(t, "notes.txt")
		for range 2 { // the first call creates, the second keeps
			f, err := openNotes(path)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			require.NoError(t, lab.Run(t, "write a note", path))
			requireContent(t, "the vice is loose\n", path)
		}
	})
}
