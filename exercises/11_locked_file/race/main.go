// Command race has three programs count to 300 in one file, 100 each, while a fourth one reads it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const programs, each = 3, 100

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"count": count, "watch": watch},
		Run:     run,
	})
}

type document struct {
	Counter int `json:"counter"`
}

// count adds 1 to the counter in PATH, again and again, and sends how many calls returned no error.
func count(w *process.Worker) error {
	succeeded := 0
	var failure error
	for range each {
		err := lockedfile.Edit(context.Background(), w.Arg(0), func(old []byte) ([]byte, error) {
			var d document
			if err := json.Unmarshal(old, &d); err != nil {
				return nil, fmt.Errorf("%d bytes: %w", len(old), err)
			}
			time.Sleep(100 * time.Microsecond) // a person decides
			d.Counter++
			return json.Marshal(d)
		})
		w.Progress()
		if errors.Is(err, errors.ErrUnsupported) {
			failure = err
		} else if err == nil {
			succeeded++
		}
	}
	return errors.Join(failure, w.Result(succeeded))
}

// watch reads PATH until a file PATH.done exists, and sends how many documents it has seen and how many were none.
func watch(w *process.Worker) error {
	seen := []int{0, 0}
	for {
		err := lockedfile.With(context.Background(), w.Arg(0), os.O_RDONLY, 0, func(file *lockedfile.File) error {
			text, err := io.ReadAll(file)
			if err != nil {
				return err
			}
			seen[0]++
			if !json.Valid(text) {
				seen[1]++
			}
			return nil
		})
		if err != nil {
			return err
		}
		w.Progress()
		if _, err := os.Stat(w.Arg(0) + ".done"); err == nil {
			return w.Result(seen)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("%d programs call Edit(+1) %d times each for one file; another one reads it with With", programs, each)
	path := filepath.Join(r.Dir(), "counter.json")
	if err := os.WriteFile(path, []byte(`{"counter":0}`), 0o600); err != nil {
		return fmt.Errorf("begin a new counter: %w", err)
	}
	watcher, err := r.Start(ctx, process.Options{}, "watch", path)
	if err != nil {
		return err
	}
	var crew []*process.Process
	for range programs {
		p, err := r.Start(ctx, process.Options{Hold: true}, "count", path)
		if err != nil {
			return err
		}
		crew = append(crew, p)
	}
	for _, p := range crew {
		if err := p.Continue(); err != nil {
			return err
		}
	}
	var rows [][]any
	sum := 0
	for i, p := range crew {
		succeeded := 0
		err := errors.Join(p.NextResult(ctx, &succeeded), p.Wait(ctx))
		if errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("%w: it has no file locks (%w)", race.ErrSystem, err)
		}
		if err != nil {
			return err
		}
		rows = append(rows, []any{i + 1, succeeded, each - succeeded})
		sum += succeeded
	}
	if err := os.WriteFile(path+".done", nil, 0o600); err != nil {
		return err
	}
	seen := []int{0, 0}
	if err := errors.Join(watcher.NextResult(ctx, &seen), watcher.Wait(ctx)); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var last document
	damaged := json.Unmarshal(text, &last) != nil
	r.Table([]string{"program", "Edits that returned no error", "that failed"}, rows)
	found := any(last.Counter)
	if damaged {
		found = fmt.Sprintf("%q", text)
	}
	r.Facts("counter in the file", found, "documents read", seen[0], "of them empty or cut off", seen[1])
	switch {
	case damaged:
		r.Race("the file holds no document any more")
	case last.Counter != sum:
		r.Race("%d of %d updates that returned no error are lost", sum-last.Counter, sum)
	case sum != programs*each || seen[1] > 0:
		r.Race("%d updates failed, and %d times there was nothing to read", programs*each-sum, seen[1])
	default:
		r.Clean("every update is in the file, and every reader saw a whole document")
	}
	return nil
}
