package jsonfiles_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

const (
	generation7 = `{"generation":7,"checkouts":{"bracket.step":"alice","hinge.step":"alice"}}`
	generation8 = `{"generation":8,"checkouts":{"bracket.step":"carol","hinge.step":"carol"}}`
	middle      = 52 // inside the object of checkouts, after the first person
)

// writeInPieces writes a document as os.Create and two writes do it.
func writeInPieces(w *lab.Worker) error {
	file, err := os.Create(w.Arg(0))
	if err != nil {
		return err
	}
	w.Reached("emptied")
	if _, err := file.WriteString(w.Arg(1)[:middle]); err != nil {
		return errors.Join(err, file.Close())
	}
	w.Reached("half written")
	_, err = file.WriteString(w.Arg(1)[middle:])
	return errors.Join(err, file.Close())
}

// writeOver writes a document over the old one, in two writes, and truncates to its length in the end.
func writeOver(w *lab.Worker) error {
	file, err := os.OpenFile(w.Arg(0), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(w.Arg(1)[:middle]); err != nil {
		return errors.Join(err, file.Close())
	}
	w.Reached("half written")
	if _, err = file.WriteString(w.Arg(1)[middle:]); err == nil {
		err = file.Truncate(int64(len(w.Arg(1))))
	}
	return errors.Join(err, file.Close())
}

// writeWithoutRoom is os.WriteFile where the kernel refuses every write.
func writeWithoutRoom(w *lab.Worker) error {
	if err := lab.LimitFileSize(0); err != nil {
		return err
	}
	return w.Result(os.WriteFile(w.Arg(0), []byte(w.Arg(1)), 0o600) != nil)
}

// writeOverWithLittleRoom writes over the old bytes, truncating nothing, where the file may have Arg(2) bytes and no more.
func writeOverWithLittleRoom(w *lab.Worker) error {
	file, err := os.OpenFile(w.Arg(0), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := lab.LimitFileSize(int64(w.Int(2))); err != nil {
		return errors.Join(err, file.Close())
	}
	_, err = file.WriteString(w.Arg(1))
	return errors.Join(w.Result(err != nil), file.Close())
}

func readFile(w *lab.Worker) error {
	_, err := os.ReadFile(w.Arg(0))
	return err
}

// os.WriteFile: "Since WriteFile requires multiple system calls to complete, a failure mid-operation can leave the file in a
// partially written state." A reader at that moment sees the same.
func TestReadersOfAFileThatIsWrittenInPlace(t *testing.T) {
	t.Parallel()

	t.Run("a reader finds the file empty, then half, both without an error", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", generation7)
		writer := lab.Start(t, "write in pieces", path, generation8)
		writer.Reached("emptied")
		require.Empty(t, read(t, path))
		writer.Continue()
		writer.Reached("half written")
		require.Equal(t, generation8[:middle], read(t, path))
		require.False(t, json.Valid([]byte(read(t, path))))
		writer.Continue()
		require.NoError(t, writer.Wait())
		require.Equal(t, generation8, read(t, path))
	})

	t.Run("a process killed at that moment leaves half a document for good", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", generation7)
		writer := lab.Start(t, "write in pieces", path, generation8)
		writer.Reached("emptied")
		writer.Continue()
		writer.Reached("half written")
		writer.Kill()
		require.Equal(t, generation8[:middle], read(t, path))
	})

	t.Run("half new and half old can be valid JSON", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", generation7)
		writer := lab.Start(t, "write over", path, generation8)
		writer.Reached("half written")
		torn := read(t, path)
		require.Equal(t, `{"generation":8,"checkouts":{"bracket.step":"carol","hinge.step":"alice"}}`, torn)
		var doc struct {
			Generation int               `json:"generation"`
			Checkouts  map[string]string `json:"checkouts"`
		}
		d := json.NewDecoder(strings.NewReader(torn))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&doc), "no parser can tell")
		writer.Continue()
		require.NoError(t, writer.Wait())
	})
}

func TestCountsThatBeginAnew(t *testing.T) {
	t.Parallel()

	t.Run("a count that begins anew comes to the same number with other checkouts", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", `{"generation":1,"checkouts":{"bracket.step":{"person":"alice"}}}`)
		loaded := unmarshal[document](t, read(t, path))
		require.NoError(t, os.Truncate(path, 33))
		require.NoError(t, os.Rename(path, path+".damaged-1"))
		first := document{Generation: 1, Checkouts: map[string]checkout{"lid.step": {Person: "bob"}}}
		require.NoError(t, os.WriteFile(path, []byte(marshal(t, first)), 0o600))

		found := unmarshal[document](t, read(t, path))
		require.Equal(t, loaded.Generation, found.Generation, "a program that compares the numbers sees no change")
		require.NotEqual(t, loaded.Checkouts, found.Checkouts)
	})
}

func TestNamesForWhatIsDamaged(t *testing.T) {
	t.Parallel()

	// os.Rename: "If newpath already exists and is not a directory, Rename replaces it."
	t.Run("Rename to a name that is taken destroys what had it", func(t *testing.T) {
		t.Parallel()
		path, aside := lab.Path(t, "locks.json"), lab.Path(t, "locks.json.damaged")
		require.NoError(t, os.WriteFile(aside, []byte("of yesterday"), 0o600))
		require.NoError(t, os.WriteFile(path, []byte("of today"), 0o600))
		require.NoError(t, os.Rename(path, aside))
		require.Equal(t, "of today", read(t, aside))
	})

	// open(2), O_EXCL: the call fails if the name exists. Lesson 01.
	t.Run("a name that was created with O_EXCL belongs to one caller", func(t *testing.T) {
		t.Parallel()
		path, aside := lab.WriteFile(t, "locks.json", "{"), lab.Path(t, "locks.json.damaged-1")
		claim, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		require.NoError(t, err)
		require.NoError(t, claim.Close())
		_, err = os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		require.ErrorIs(t, err, os.ErrExist)
		require.NoError(t, os.Rename(path, aside))
		require.Equal(t, "{", read(t, aside))
	})
}
