package atomicreplace_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) {
	runtime.LockOSThread() // strace counts calls by thread: a worker's own calls are to come from one
	lab.Main(m, workers, atomicreplace.ErrNotDurable)
}

// makeNamedPipe makes a pipe that has a name in the file system, where there is such a thing.
var makeNamedPipe = func(string) error { return errors.ErrUnsupported }

var workers = lab.Workers{"write": write, "write often": writeOften, "write and sweep here": writeAndSweepHere, "write in a crowd": writeInACrowd, "sweep": sweepOnce, "count handles": countHandles}

const before, after = `{"bracket.step":"alice"}`, `{"bracket.step":"alice","hinge.step":"bob"}`

// document returns a locks.json of the given number of parts, all with one owner.
func document(owner string, parts int) []byte {
	var b bytes.Buffer
	b.WriteString(`{`)
	for part := range parts {
		fmt.Fprintf(&b, `"part-%06d.step":%q,`, part, owner)
	}
	fmt.Fprintf(&b, `"end":%q}`, owner)
	return b.Bytes()
}

// write does one WriteFile: PATH PARTS, or PATH with the small document if PARTS is 0.
func write(w *lab.Worker) error {
	data := []byte(after)
	if parts := w.Int(1); parts > 0 {
		data = document("bob", parts)
	}
	if limit := w.Arg(2); limit != "" {
		if err := lab.LimitFileSize(int64(w.Int(2))); err != nil {
			return err
		}
	}
	return w.Result(lab.Returned{Err: atomicreplace.WriteFile(w.Arg(0), data, 0o644)})
}

// writeOften does COUNT writes of PARTS parts, by two owners in turn: PATH COUNT PARTS OWNER OWNER.
func writeOften(w *lab.Worker) error {
	documents := [][]byte{document(w.Arg(3), w.Int(2)), document(w.Arg(4), w.Int(2)/2)}
	for i := range w.Int(1) {
		if err := atomicreplace.WriteFile(w.Arg(0), documents[i%2], 0o644); err != nil {
			return fmt.Errorf("write %d: %w", i+1, err)
		}
		w.Progress()
	}
	return nil
}

// writeInACrowd is writeOften in four goroutines at once.
func writeInACrowd(w *lab.Worker) error {
	var crowd sync.WaitGroup
	failed := make([]error, 4)
	for i := range failed {
		crowd.Go(func() { failed[i] = writeOften(w) })
	}
	crowd.Wait()
	return errors.Join(failed...)
}

func TestWriteFileLeavesTheOldBytesAlone(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", before)
	witness := filepath.Join(t.TempDir(), "witness.json")
	if err := os.Link(path, witness); err != nil {
		t.Skip("this file system has no hard links, with which the test holds on to the old bytes: ", err)
	}

	err := atomicreplace.WriteFile(path, []byte(after), 0o644)

	lab.RequireNoError(t, err, lab.Lesson{
		Says: "WriteFile failed although nothing stood in its way", Did: "WriteFile on an existing locks.json",
		Means: "the change that the user made is not saved", Read: `lessons/06_atomic_replace, "The way out"`,
	})
	lab.RequireFile(t, path, after, lab.Lesson{
		Says: "WriteFile returned nil, but the new content is not there", Did: "WriteFile on an existing locks.json",
		Means: "the program tells its user that the change is saved, and it is not", Read: `lessons/06_atomic_replace, "The way out"`,
	})
	lab.RequireFile(t, witness, before, lab.Lesson{
		Says:  "WriteFile wrote over the only good copy",
		Did:   "a second name (a hard link) held on to the old file while WriteFile wrote the new content",
		Means: "there is a moment at which neither the old nor the new document exists: a reader or a crash finds that moment",
		Read:  `lessons/06_atomic_replace, "Why it happens"`,
	})
}

func TestReaders(t *testing.T) {
	t.Parallel()

	t.Run("never see half a document", func(t *testing.T) {
		t.Parallel()
		const replaces, parts = 120, 3000
		alice, bob := document("alice", parts), document("bob", parts/2)
		path := lab.WriteFile(t, "locks.json", string(alice))
		writer := lab.Launch(t, lab.Options{Hold: true}, "write often", path, fmt.Sprint(replaces), fmt.Sprint(parts), "alice", "bob")

		stop := make(chan struct{})
		var readers sync.WaitGroup
		found := make([]string, 2)
		for i := range found {
			readers.Go(func() { found[i] = readUntil(stop, path, alice, bob) })
		}
		writer.Continue()
		err := writer.Wait()
		close(stop)
		readers.Wait()

		lab.RequireNoError(t, err, lab.Lesson{
			Says: "WriteFile failed while others read the file", Did: fmt.Sprintf("%d WriteFile calls in one process, two readers beside it", replaces),
			Means: "the change that the user made is not saved", Read: `lessons/06_atomic_replace, "On each system"`,
		})
		for _, content := range found {
			lab.RequireEqual(t, "", content, lab.Lesson{
				Says:     "A reader got something that WriteFile was never given",
				Did:      fmt.Sprintf("%d WriteFile calls in one process, two documents in turn; two readers beside it", replaces),
				Expected: "one of the two documents, whole, at every read",
				Found:    content,
				Means:    "the reader fails, or takes half a list for the whole: a part that Alice has checked out looks free",
				Read:     `lessons/06_atomic_replace, "Why it happens"`,
			})
		}
	})

	t.Run("may hold the file open", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		reader, err := os.Open(path)
		lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not open its own file"})
		defer reader.Close()
		writer := lab.Start(t, "write", path, "0")
		writer.Settle() // Unix: it is done. Windows: it waits for the reader
		lab.RequireNoError(t, reader.Close(), lab.Lesson{Says: "the test could not close its own file"})

		var o lab.Returned
		writer.Result(&o)
		lab.RequireNoError(t, o.Err, lab.Lesson{
			Says: "WriteFile gave up because a reader had the file open for a moment", Did: "a reader held locks.json open while WriteFile replaced it, and closed it half a second later",
			Expected: "WriteFile waits a little and succeeds",
			Means:    "on Windows every save fails now and then, whenever a virus scanner or a viewer looks at the file", Read: `lessons/06_atomic_replace, "On each system"`,
		})
		lab.RequireFile(t, path, after, lab.Lesson{Says: "WriteFile returned nil, but the new content is not there", Read: `lessons/06_atomic_replace, "On each system"`})
	})
}

// readUntil reads path until stop is closed and returns "" if every read gave one of the documents, or else what the first other
// one gave.
func readUntil(stop <-chan struct{}, path string, documents ...[]byte) string {
	for {
		select {
		case <-stop:
			return ""
		default:
		}
		began := time.Now()
		content, err := os.ReadFile(path)
		if runtime.GOOS == "windows" { // an open reader keeps the writer out there, so readers are to be away most of the time
			time.Sleep(time.Millisecond + 5*time.Since(began))
		}
		switch {
		case err != nil && runtime.GOOS == "windows": // there a replace may refuse a reader for a moment; no data is wrong
		case errors.Is(err, fs.ErrNotExist):
			return "no file of that name"
		case err != nil:
			return err.Error()
		case !bytes.Equal(content, documents[0]) && !bytes.Equal(content, documents[1]):
			return fmt.Sprintf("%d bytes instead of %d or %d: %s", len(content), len(documents[0]), len(documents[1]), lab.Show(content))
		}
	}
}

func TestWritersDoNotShareATempFile(t *testing.T) {
	t.Parallel()
	const writers, writes, parts = 2, 25, 400
	path := lab.WriteFile(t, "locks.json", before)
	crew := make([]*lab.Process, writers)
	whole := map[string]bool{}
	for i := range crew {
		owners := []string{fmt.Sprint("alice", i), fmt.Sprint("bob", i)}
		whole[string(document(owners[0], parts))], whole[string(document(owners[1], parts/2))] = true, true
		crew[i] = lab.Launch(t, lab.Options{Hold: true}, "write in a crowd", path, fmt.Sprint(writes), fmt.Sprint(parts), owners[0], owners[1])
	}
	for _, writer := range crew {
		writer.Continue()
	}
	did := fmt.Sprintf("%d processes × 4 goroutines × %d WriteFile calls on one path", writers, writes)
	means := "two writers share one temporary file: one fills, renames or removes what the other is still writing"
	if runtime.GOOS == "windows" {
		means += "; or a rename that Windows refused for a moment was not tried again"
	}
	for _, writer := range crew {
		lab.RequireNoError(t, writer.Wait(), lab.Lesson{
			Says: "Two WriteFile calls got in each other's way", Did: did, Expected: "every call returns nil: the last one wins",
			Means: means, Read: `lessons/06_atomic_replace, "A name of its own for each write"`,
		})
	}
	content, err := os.ReadFile(path)
	lab.RequireNoError(t, err, lab.Lesson{Says: "After several writers the file is gone", Did: did, Read: `lessons/06_atomic_replace, "A name of its own for each write"`})
	lab.Require(t, whole[string(content)], lab.Lesson{
		Says: "Several WriteFile calls left a file that none of them had written", Did: did,
		Expected: "the whole content of one of them", Found: lab.Show(content),
		Means: "two writers share one temporary file: what was renamed into place is a mixture",
		Read:  `lessons/06_atomic_replace, "A name of its own for each write"`,
	})
	requireAlone(t, path, lab.Lesson{Says: "WriteFile left a temporary file behind", Did: did, Read: `lessons/06_atomic_replace, "Leftovers"`})
}

// others returns the names of what stands in path's folder beside path.
func others(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not list its own folder"})
	var names []string
	for _, entry := range entries {
		if entry.Name() != filepath.Base(path) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// requireAlone demands that path is the only file in its folder.
func requireAlone(t *testing.T, path string, l lab.Lesson) {
	t.Helper()
	names := others(t, path)
	l.Expected = "only " + filepath.Base(path) + " in the folder"
	l.Found = "beside it: " + strings.Join(names, ", ") // whatever it is: the contract allows nothing there
	if l.Means == "" {
		l.Means = "what is left beside the file piles up, and may hold copies of the data"
	}
	lab.Require(t, len(names) == 0, l)
}
