// Command race shows what others find of a file while WriteFile replaces it, what a killed writer leaves, and what becomes of lesson 04's
// Save when its last call is WriteFile.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/exercises/06_atomic_replace/busy"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"write": write, "read": read, "save": save, "load": load},
		Run:     run,
	})
}

const (
	readers = 2
	writes  = 300
	parts   = 8000
	crashes = 12
)

// locks returns the document in which one person has all parts: every reader knows the two that the file may hold.
func locks(person string) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for part := range parts {
		fmt.Fprintf(&b, `"part-%05d.step":%q,`, part, person)
	}
	fmt.Fprintf(&b, `"last.step":%q}`, person)
	return b.Bytes()
}

// write calls WriteFile COUNT times on PATH, for Alice and Bob in turn. It stops at "writing" after the first, and creates the file DONE
// when it has finished.
func write(w *process.Worker) error {
	documents := [][]byte{locks("alice"), locks("bob")}
	for i := range w.Int(1) {
		if err := atomicreplace.WriteFile(w.Arg(0), documents[i%2], 0o644); err != nil {
			return fmt.Errorf("write %d: %w", i+1, err)
		}
		if i == 0 {
			w.Reached("writing")
		}
		w.Progress()
	}
	return os.WriteFile(w.Arg(2), nil, 0o600)
}

// A tally counts what a reader found.
type tally struct {
	Whole, Empty, Torn, Missing int
	Busy                        int    // refused by Windows while the file was being replaced, which does no harm to the data
	First                       string // what the first torn one ended in
}

func (t *tally) add(other tally) {
	t.Whole, t.Empty, t.Torn, t.Missing = t.Whole+other.Whole, t.Empty+other.Empty, t.Torn+other.Torn, t.Missing+other.Missing
	t.Busy += other.Busy
	t.First = cmp.Or(t.First, other.First)
}

// read reads PATH until the file DONE exists.
func read(w *process.Worker) error {
	documents := [][]byte{locks("alice"), locks("bob")}
	var t tally
	for {
		began := time.Now()
		t.look(w.Arg(0), documents)
		if _, err := os.Stat(w.Arg(1)); err == nil {
			return w.Result(t)
		}
		if runtime.GOOS == "windows" { // an open reader keeps the writer out there, so readers are to be away most of the time
			time.Sleep(time.Millisecond + 5*time.Since(began))
		}
	}
}

func (t *tally) look(path string, documents [][]byte) {
	content, err := os.ReadFile(path)
	switch {
	case busy.Refused(err):
		t.Busy++
	case err != nil: // for a reader the file is gone, too, if it may not open it
		t.Missing++
	case bytes.Equal(content, documents[0]), bytes.Equal(content, documents[1]):
		t.Whole++
	case len(content) == 0:
		t.Empty++
	default:
		t.Torn++
		if t.First == "" {
			t.First = fmt.Sprintf("%d of %d bytes, ending in %q", len(content), len(documents[0]), content[max(0, len(content)-24):])
		}
	}
}

func (t tally) damaged() int { return t.Empty + t.Torn + t.Missing }

func run(ctx context.Context, r *race.Report) error {
	r.Title("WriteFile × %d in one process beside %d readers; %d writers that are killed; lesson 04's Save × %d beside a Load",
		writes, readers, crashes, saves)
	seen, err := watch(ctx, r)
	if err != nil {
		return err
	}
	left, leftovers, err := crash(ctx, r)
	if err != nil {
		return err
	}
	rows := make([][]any, 0, readers+1)
	for i, t := range seen {
		rows = append(rows, []any{fmt.Sprint("reader ", i+1), t.Whole, t.Empty, t.Torn, t.Missing})
	}
	rows = append(rows, []any{"after a kill", left.Whole, left.Empty, left.Torn, left.Missing})
	r.Table([]string{"who looked", "old or new, whole", "empty", "torn", "no file"}, rows)
	r.Facts("temporary files that the kills left", leftovers)
	through, err := lessonFour(ctx, r)
	if err != nil {
		return err
	}

	read := tally{}
	for _, t := range seen {
		read.add(t)
	}
	if refused := read.Busy + left.Busy + through.Busy; refused > 0 {
		r.Facts("looks that Windows refused because the file was being replaced", refused)
	}
	if first := read.First; first != "" {
		r.Story("what the first torn one looked like", first)
	}
	if read.damaged()+left.damaged()+through.Refused+through.Invented == 0 {
		r.Clean("every read, every Load and every kill found one whole document")
		return nil
	}
	r.Race("%d reads, %d loads and %d of %d kills found neither the old nor the new document",
		read.damaged(), through.Refused+through.Invented, left.damaged(), crashes)
	return nil
}

// watch lets readers read while a writer replaces. On a busy machine a reader may get to read only between two writes, so it goes on for
// some rounds until one has found something.
func watch(ctx context.Context, r *race.Report) ([]tally, error) {
	sum := make([]tally, readers)
	for round := range 4 {
		path, done := files(r, fmt.Sprint("round-", round))
		writer, err := r.Start(ctx, process.Options{}, "write", path, strconv.Itoa(writes), done)
		if err != nil {
			return nil, err
		}
		if err := writer.Reached(ctx, "writing"); err != nil {
			return nil, err
		}
		crew, err := r.Crew(ctx, readers, "read", func(int) []string { return []string{path, done} })
		if err != nil {
			return nil, err
		}
		if err := errors.Join(crew.Go(), writer.Continue()); err != nil {
			return nil, err
		}
		if err := writer.Wait(ctx); err != nil {
			return nil, fmt.Errorf("WriteFile failed: %w", err)
		}
		found, err := race.Results[tally](ctx, crew)
		if err != nil {
			return nil, err
		}
		damaged := 0
		for i, t := range found {
			sum[i].add(t)
			damaged += t.damaged()
		}
		if damaged > 0 || round == 0 && quiet(sum) {
			return sum, nil
		}
	}
	return sum, nil
}

// quiet reports whether both readers have read often enough to find nothing.
func quiet(sum []tally) bool {
	for _, t := range sum {
		if t.Whole < writes/10 {
			return false
		}
	}
	return true
}

// crash kills writers in the middle of their work and counts what each left.
func crash(ctx context.Context, r *race.Report) (t tally, leftovers int, err error) {
	documents := [][]byte{locks("alice"), locks("bob")}
	for number := range crashes {
		path, done := files(r, fmt.Sprint("crash-", number))
		writer, err := r.Start(ctx, process.Options{}, "write", path, "1000000", done)
		if err != nil {
			return t, 0, err
		}
		if err := errors.Join(writer.Reached(ctx, "writing"), writer.Continue()); err != nil {
			return t, 0, err
		}
		// Each kill comes a little later than the one before, measured from the moment when the writer was let go.
		for until := time.Now().Add(time.Duration(number+1) * 700 * time.Microsecond); time.Now().Before(until); {
			runtime.Gosched()
		}
		writer.Kill()
		t.look(path, documents)
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			return t, 0, err
		}
		leftovers += max(0, len(entries)-1)
	}
	return t, leftovers, nil
}

// files returns the paths of a locks.json in a directory of its own, and of the file that tells the readers to stop.
func files(r *race.Report, name string) (path, done string) {
	directory := filepath.Join(r.Dir(), name)
	_ = os.Mkdir(directory, 0o700) // if that fails, so does the first write, with the reason
	return filepath.Join(directory, "locks.json"), filepath.Join(r.Dir(), name+".done")
}
