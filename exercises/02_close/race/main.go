// Command race lets three processes open locks.json again and again through your With, and lets Bob delete the file meanwhile.
// It reports only what the calls returned and what the kernel said.
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

// handles is how many files each process may have open; Windows has no such limit.
const handles = 64

func main() {
	race.Main(race.Demo{Workers: process.Workers{"look": look}, Run: run})
}

// endings are the ways in which a callback can end, one for each process.
var endings = map[string]func(f *os.File) error{
	"finds the part":    func(*os.File) error { return nil },
	"returns an error":  func(*os.File) error { return errTaken },
	"panics, recovered": func(*os.File) error { panic(errTaken) },
}

var order = []string{"finds the part", "returns an error", "panics, recovered"}

var errTaken = errors.New("bracket.step is taken by alice")

// A tally is what one process saw.
type tally struct {
	Opened  int    // calls in which use got the file
	Refused int    // number of the first call in which it did not; 0 if there was none
	Reason  string // what With returned then
	Again   int    // number of the first call after that in which use got the file again; 0 if there was none
}

// look calls With again and again, and stays alive as a server does.
func look(w *process.Worker) error {
	if err := limitHandles(handles); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	var t tally
	for call := 1; call <= calls; call++ {
		if call%1000 == 0 {
			w.Progress()
		}
		opened, err := lookOnce(w.Arg(0), endings[w.Arg(1)])
		switch {
		case !opened && t.Refused == 0:
			t.Refused, t.Reason = call, reason(err)
		case opened && t.Refused > 0 && t.Again == 0:
			t.Again = call
		}
		if opened {
			t.Opened++
		}
	}
	if err := w.Result(t); err != nil {
		return err
	}
	w.Reached("all calls have returned")
	return nil
}

// lookOnce recovers, as net/http does for each request: the program goes on.
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

	refused, why, rows := 0, "", [][]any(nil)
	for _, ending := range order {
		t, err := lookAll(ctx, r, path, ending)
		if err != nil {
			return err
		}
		refused += calls - t.Opened
		if why == "" {
			why = t.Reason
		}
		rows = append(rows, []any{ending, t.Opened, callNumber(t.Refused, "none"), callNumber(t.Again, again(t))})
	}
	r.Table([]string{"the callback", "got the file", "first refused", "then got it again"}, rows)
	if refused > 0 {
		r.Facts("what the refused calls returned", why)
	}

	const deleted = "deleted"
	removed := deleted
	if err := os.Remove(path); err != nil {
		removed = reason(err)
	}
	r.Facts("Bob deletes locks.json while the three are still running", removed)

	switch {
	case refused > 0:
		r.Race("%d of %d calls found no handle left, although every call before them had returned", refused, 3*calls)
	case removed != deleted:
		r.Race("a file that is no longer in use cannot be deleted")
	default:
		r.Clean("all %d calls got the file, and no process holds it any more", 3*calls)
	}
	return nil
}

// lookAll runs one process to the end of its calls and leaves it alive.
func lookAll(ctx context.Context, r *race.Report, path, ending string) (tally, error) {
	var t tally
	p, err := r.Start(ctx, process.Options{}, "look", path, ending)
	if err != nil {
		return t, err
	}
	if err := p.NextResult(ctx, &t); err != nil {
		return t, err
	}
	return t, p.Reached(ctx, "all calls have returned")
}

// reason is the kernel's reason, without the path of the demo's directory.
func reason(err error) string {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return fmt.Sprint(err)
}

func callNumber(call int, none string) string {
	if call == 0 {
		return none
	}
	return fmt.Sprintf("call %d", call)
}

func again(t tally) string {
	if t.Refused == 0 {
		return ""
	}
	return "never"
}
