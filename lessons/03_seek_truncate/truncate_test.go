package seektruncate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestTruncate(t *testing.T) {
	t.Parallel()

	// truncate(2), DESCRIPTION: "The file offset is not changed." os.File.Truncate: "It does not change the I/O offset."
	t.Run("Truncate sets the length and leaves the offset where it was", func(t *testing.T) {
		t.Parallel()
		file := create(t, locksOfAlice)
		_, err := io.ReadAll(file)
		require.NoError(t, err)
		require.NoError(t, file.Truncate(10))
		require.EqualValues(t, len(locksOfAlice), offset(t, file))
		require.Equal(t, locksOfAlice[:10], content(t, file.Name()))
	})

	// write(2): a write adds to the file's length when it must; nothing in it takes away.
	t.Run("a Write never shortens the file", func(t *testing.T) {
		t.Parallel()
		file := create(t, locksOfAlice)
		write(t, file, locksOfBob)
		require.Equal(t, withTail, content(t, file.Name()))
	})

	// truncate(2): "If the file previously was shorter, it is extended, and the extended part reads as null bytes."
	// SetEndOfFile on Windows promises no zeros; NTFS and Wine give them.
	t.Run("Truncate to a greater length adds zero bytes", func(t *testing.T) {
		t.Parallel()
		file := create(t, "ab")
		require.NoError(t, file.Truncate(5))
		require.Equal(t, "ab\x00\x00\x00", content(t, file.Name()))
	})

	// lseek(2): a write beyond the end leaves a hole, which reads as null bytes.
	t.Run("a WriteAt beyond the end leaves a hole that reads as zero bytes", func(t *testing.T) {
		t.Parallel()
		file := create(t, "ab")
		_, err := file.WriteAt([]byte("z"), 5)
		require.NoError(t, err)
		require.Equal(t, "ab\x00\x00\x00z", content(t, file.Name()))
	})

	// os.File.Truncate; truncate(2), EINVAL: the file must be open for writing.
	t.Run("Truncate needs a file that is open for writing", func(t *testing.T) {
		t.Parallel()
		file := open(t, lab.WriteFile(t, "locks.json", locksOfBob), os.O_RDONLY)
		require.Error(t, file.Truncate(0))
		require.Equal(t, locksOfBob, content(t, file.Name()))
	})
}

// A document that was just read through the same handle, rewritten with one step and with two.
func TestRewriteAfterReading(t *testing.T) {
	t.Parallel()
	seekToStart := func(t *testing.T, file *os.File) { t.Helper(); seek(t, file, 0) }
	empty := func(t *testing.T, file *os.File) { t.Helper(); require.NoError(t, file.Truncate(0)) }
	writeNew := func(t *testing.T, file *os.File) { t.Helper(); write(t, file, locksOfBob) }
	type step func(*testing.T, *os.File)
	for _, c := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"Write alone puts the new document after the old one", []step{writeNew}, locksOfAlice + locksOfBob},
		{"Truncate alone leaves a hole before the new document", []step{empty, writeNew}, strings.Repeat("\x00", 24) + locksOfBob},
		{"Seek, Truncate and Write leave exactly the new document", []step{seekToStart, empty, writeNew}, locksOfBob},
		{"Truncate, Seek and Write leave exactly the new document", []step{empty, seekToStart, writeNew}, locksOfBob},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := create(t, locksOfAlice)
			_, err := io.ReadAll(file)
			require.NoError(t, err)
			for _, step := range c.steps {
				step(t, file)
			}
			require.Equal(t, c.want, content(t, file.Name()))
		})
	}
}

// encoding/json: Decode reads the next value of a stream; Unmarshal takes the whole of its input for one value.
func TestWhatJSONReports(t *testing.T) {
	t.Parallel()

	t.Run("a Decoder stops after the first value", func(t *testing.T) {
		t.Parallel()
		var checkouts map[string]string
		require.NoError(t, json.NewDecoder(strings.NewReader(withTail)).Decode(&checkouts))
		require.Equal(t, map[string]string{"bracket.step": "bob"}, checkouts)
	})
	t.Run("Unmarshal of the whole file refuses the tail", func(t *testing.T) {
		t.Parallel()
		var checkouts map[string]string
		require.EqualError(t, json.Unmarshal([]byte(withTail), &checkouts), `invalid character '"' after top-level value`)
	})
	t.Run("Unmarshal refuses a hole", func(t *testing.T) {
		t.Parallel()
		var checkouts map[string]string
		err := json.Unmarshal([]byte("\x00\x00"+locksOfBob), &checkouts)
		require.EqualError(t, err, `invalid character '\x00' looking for beginning of value`)
	})
}

func writeThenTruncate(w *lab.Worker) error {
	return inTwoSteps(w, func(file *os.File) error {
		_, err := file.WriteString(locksOfBob)
		return err
	}, func(file *os.File) error { return file.Truncate(int64(len(locksOfBob))) })
}

func truncateThenWrite(w *lab.Worker) error {
	return inTwoSteps(w, func(file *os.File) error { return file.Truncate(0) }, func(file *os.File) error {
		_, err := file.WriteString(locksOfBob)
		return err
	})
}

func inTwoSteps(w *lab.Worker, first, second func(*os.File) error) error {
	file, err := os.OpenFile(w.Arg(0), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := first(file); err != nil {
		return errors.Join(err, file.Close())
	}
	w.Reached("between")
	return errors.Join(second(file), file.Close())
}

// A rewrite in place is two system calls. Between them the file is neither document.
func TestBetweenTheTwoSteps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, worker, between, after string }{
		{
			"a reader between the write and the Truncate sees the new document with the old tail",
			"write, then truncate", withTail, locksOfBob,
		},
		{"a reader between Truncate to 0 and the write sees an empty file", "truncate, then write", "", locksOfBob},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", locksOfAlice)
			worker := lab.Start(t, c.worker, path)
			worker.Reached("between")
			require.Equal(t, c.between, content(t, path))
			worker.Continue()
			require.NoError(t, worker.Wait())
			require.Equal(t, c.after, content(t, path))
		})
	}
	for _, c := range []struct{ name, worker, left string }{
		{
			"a program killed between the write and the Truncate leaves a document that Unmarshal refuses",
			"write, then truncate", withTail,
		},
		{"a program killed between Truncate to 0 and the write leaves an empty file", "truncate, then write", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", locksOfAlice)
			worker := lab.Start(t, c.worker, path)
			worker.Reached("between")
			worker.Kill()
			require.Equal(t, c.left, content(t, path))
			require.Error(t, json.Unmarshal([]byte(c.left), new(map[string]string)))
		})
	}
}

// What the lesson opens with.
func Example_tail() {
	dir, err := os.MkdirTemp("", "turnstile-lesson-03-")
	check(err)
	defer func() { check(os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "locks.json")
	check(os.WriteFile(path, []byte(locksOfAlice), 0o600))
	show("before", path)

	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	check(err)
	n, err := file.WriteString(locksOfBob)
	fmt.Printf("written  %-26s %d bytes, error: %v\n", locksOfBob, n, err)
	check(file.Close())
	show("after", path)
	// Output:
	// before   {"bracket.step":"alice"}   24 bytes
	// written  {"bracket.step":"bob"}     22 bytes, error: <nil>
	// after    {"bracket.step":"bob"}"}   24 bytes
}

func show(when, path string) {
	bytes, err := os.ReadFile(path)
	check(err)
	fmt.Printf("%-8s %-26s %d bytes\n", when, bytes, len(bytes))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
