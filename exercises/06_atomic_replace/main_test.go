package atomicreplace_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
)

// workers of files with build tags are added in their init.
var workers = lab.Workers{
	"write": write, "write often": writeOften, "hold": hold, "in another directory": inAnotherDirectory, "with a limit": withALimit,
	"count handles": countHandles, "has it open": hasItOpen, "can remove nothing": canRemoveNothing,
}

// earlierLife is for a system on which a process can start its program anew and keep its number, see stage2.
var earlierLife = func() {}

func TestMain(m *testing.M) {
	runtime.LockOSThread() // strace counts calls by thread: a worker's own calls are to come from one
	earlierLife()
	lab.Main(m, workers, atomicreplace.ErrNotDurable)
}

const before, after = `{"bracket.step":"alice"}`, `{"bracket.step":"alice","hinge.step":"bob"}`

// Where the messages send the reader.
const (
	why       = `lessons/06_atomic_replace, "Why it happens"`
	powerCut  = `lessons/06_atomic_replace, "What a power cut leaves"`
	fix       = `lessons/06_atomic_replace, "The fix"`
	ownName   = `lessons/06_atomic_replace, "A name of its own"`
	refusal   = `lessons/06_atomic_replace, "When a step fails"`
	stream    = `lessons/06_atomic_replace, "A pending file"`
	carryOver = `lessons/06_atomic_replace, "What a rename does not carry over"`
	leftOver  = `lessons/06_atomic_replace, "Leftovers"`
	systems   = `lessons/06_atomic_replace, "On each system"`
)

// document returns a locks.json of about size bytes, in which one person has all parts.
func document(person string, size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{`)
	for part := 0; b.Len() < size; part++ {
		fmt.Fprintf(&b, `"part-%06d.step":%q,`, part, person)
	}
	fmt.Fprintf(&b, `"last.step":%q}`, person)
	return b.Bytes()
}

// create calls Create, which must succeed.
func create(t *testing.T, path string, l lab.Lesson) *atomicreplace.Pending {
	t.Helper()
	l.Expected, l.Found = "", ""
	var pending *atomicreplace.Pending
	var err error
	lab.Finishes(t, func() { pending, err = atomicreplace.Create(path, 0o644) }, l)
	says := l
	says.Says = "Create failed although nothing stood in its way"
	lab.RequireNoError(t, err, says)
	lab.RequireNotNil(t, pending, "Create", l)
	t.Cleanup(func() { _ = pending.Discard() }) // on Windows a directory with an open file cannot be removed
	return pending
}

// requireWritten writes data, which must succeed, from a buffer that it then uses again, as io.Copy does.
func requireWritten(t *testing.T, pending *atomicreplace.Pending, data []byte, l lab.Lesson) {
	t.Helper()
	l.Says, l.Expected, l.Found = "Write failed although nothing stood in its way", "", ""
	buffer := bytes.Clone(data)
	n, err := pending.Write(buffer)
	lab.RequireNoError(t, err, l)
	l.Says = "Write wrote less than it was given, and returned no error"
	lab.RequireEqual(t, len(data), n, l)
	for i := range buffer {
		buffer[i] = '#' // a Write that keeps the buffer saves this
	}
}

// others returns the names of what is in path's directory beside path.
func others(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	var names []string
	for _, entry := range entries {
		if entry.Name() != filepath.Base(path) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// requireAlone demands that there is nothing beside path in its directory.
func requireAlone(t *testing.T, path string, l lab.Lesson) {
	t.Helper()
	names := others(t, path)
	l.Expected = "nothing beside " + filepath.Base(path)
	l.Found = "beside it: " + strings.Join(names, ", ")
	l.Means = "what is left piles up, one file for each failed save, each with a copy of the data"
	lab.Require(t, len(names) == 0, l)
}

// requireContent is RequireFile for a file that may be meant to be missing: want is nil then.
func requireContent(t *testing.T, path string, want []byte, l lab.Lesson) {
	t.Helper()
	if want == nil {
		lab.RequireNoFile(t, path, l)
		return
	}
	lab.RequireFile(t, path, string(want), l)
}

// must ends a test that could not prepare its own files.
func must(t *testing.T, err error) {
	t.Helper()
	lab.RequireNoError(t, err, lab.Lesson{
		Says:  "The test could not prepare its own files",
		Means: "this is a matter of the machine, not of your code",
	})
}

func orNil(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// A save is what one WriteFile is to write. If From is not empty, the process is in that directory at Create, and in To from then on.
type save struct {
	Path, Content string
	From, To      string
}

// write calls WriteFile for each save that it receives until one without a path, and sends the error.
func write(w *lab.Worker) error {
	for {
		var s save
		if err := w.Receive(&s); err != nil {
			return err
		}
		if s.Path == "" {
			return nil
		}
		if err := w.Result(lab.Returned{Err: s.write()}); err != nil {
			return err
		}
	}
}

func (s save) write() error {
	if s.From == "" {
		return atomicreplace.WriteFile(s.Path, []byte(s.Content), 0o644)
	}
	if err := os.Chdir(s.From); err != nil {
		return err
	}
	pending, err := atomicreplace.Create(s.Path, 0o644)
	if err != nil {
		return err
	}
	if err := os.Chdir(s.To); err != nil {
		return err
	}
	_, err = pending.Write([]byte(s.Content))
	return errors.Join(err, pending.Commit())
}

// writeOften calls WriteFile COUNT times in each of GOROUTINES, with documents of two persons in turn: PATH COUNT GOROUTINES PERSON PERSON.
func writeOften(w *lab.Worker) error {
	documents := [][]byte{document(w.Arg(3), longSize), document(w.Arg(4), shortSize)}
	failed := make([]error, w.Int(2))
	var crowd sync.WaitGroup
	for i := range failed {
		crowd.Go(func() {
			for n := range w.Int(1) {
				if err := atomicreplace.WriteFile(w.Arg(0), documents[n%2], 0o644); err != nil {
					failed[i] = fmt.Errorf("write %d: %w", n+1, err)
					return
				}
				w.Progress()
			}
		})
	}
	crowd.Wait()
	return errors.Join(failed...)
}

const longSize, shortSize = 20_000, 12_000

// hold creates a pending file for each PATH, writes some of each and stops. Then it writes the rest and commits the first.
func hold(w *lab.Worker) error {
	var first *atomicreplace.Pending
	for i := 0; w.Arg(i) != ""; i++ {
		pending, err := atomicreplace.Create(w.Arg(i), 0o644)
		if err != nil {
			return err
		}
		if _, err := pending.Write([]byte(after[:10])); err != nil {
			return err
		}
		if first == nil {
			first = pending
		}
	}
	w.Reached("holds")
	if _, err := first.Write([]byte(after[10:])); err != nil {
		return err
	}
	return first.Commit()
}
