// Command race lets three processes look into locks.json again and again through your With, and lets Bob delete the file
// meanwhile. Nothing is read but what the calls returned and what the system says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	close "example/turnstile/exercises/02_close"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const (
	calls   = 200
	handles = 64 // that each process may have open; Windows has no such limit
)

func main() {
	race.Main(race.Demo{Workers: process.Workers{"look": look}, Run: run})
}

// endings are the ways in which a callback can end, one for each process.
var endings = map[string]func(f *os.File) error{
	"finds the part":    func(f *os.File) error { return nil },
	"returns an error":  func(f *os.File) error { return errTaken },
	"panics, recovered": func(f *os.File) error { panic(errTaken) },
}

var order = []string{"finds the part", "returns an error", "panics, recovered"}

var errTaken = errors.New("the part is taken")

// A tally is what one process saw.
type tally struct {
	Opened  int    // calls in which use got its file
	Refused int    // number of the first call in which it did not; 0 if there is none
	Told    string // what With said then
}

// look calls With again and again, and stays alive as a server does. The garbage collector is off (GOGC, set by run): it
// would close some of the leaked files at a time of its own.
func look(w *process.Worker) error {
	if err := limitHandles(handles); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	var t tally
	for call := 1; call <= calls; call++ {
		opened, err := lookOnce(w.Arg(0), endings[w.Arg(1)])
		switch {
		case opened:
			t.Opened++
		case t.Refused == 0:
			t.Refused, t.Told = call, reason(err)
		}
	}
	if err := w.Result(t); err != nil {
		return err
	}
	w.Reached("all calls have returned")
	return nil
}

// lookOnce recovers as net/http does for each request: the program goes on.
func lookOnce(path string, use func(f *os.File) error) (opened bool, err error) {
	defer func() { _ = recover() }()
	err = close.With(path, os.O_RDWR, 0, func(f *os.File) error {
		opened = true
		return use(f)
	})
	return opened, err
}

func run(ctx context.Context, r *race.Report) error {
	path := filepath.Join(r.Dir(), "locks.json")
	if err := os.WriteFile(path, []byte(`{"bracket.step":"alice"}`), 0o600); err != nil {
		return err
	}
	r.Title("3 processes × %d With(locks.json), each allowed %s open files", calls, allowed)

	refused, rows := 0, [][]any(nil)
	for _, ending := range order {
		p, err := r.Start(ctx, process.Options{Env: []string{"GOGC=off"}}, "look", path, ending)
		if err != nil {
			return err
		}
		var t tally
		if err := p.NextResult(ctx, &t); err != nil {
			return err
		}
		if err := p.Reached(ctx, "all calls have returned"); err != nil {
			return err
		}
		refused += calls - t.Opened
		rows = append(rows, []any{ending, t.Opened, firstRefusal(t)})
	}
	r.Table([]string{"the callback", "got the file", "first call that did not"}, rows)

	const deleted = "deleted"
	removed := deleted
	if err := os.Remove(path); err != nil {
		removed = reason(err)
	}
	r.Facts("Bob deletes locks.json while the three are still running", removed)

	switch {
	case refused > 0:
		r.Race("%d of %d calls found no handle left, though every call before them was over", refused, 3*calls)
	case removed != deleted:
		r.Race("a file that nobody uses any more cannot be deleted")
	default:
		r.Clean("all %d calls got their file, and nobody holds it any more", 3*calls)
	}
	return nil
}

// reason is the operating system's word for what went wrong, without the path of the demo's folder.
func reason(err error) string {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return fmt.Sprint(err)
}

func firstRefusal(t tally) string {
	if t.Refused == 0 {
		return "none"
	}
	return fmt.Sprintf("%d: %s", t.Refused, t.Told)
}
