// Command race shows what a lock on a file is worth that each Update replaces by another file: it takes three calls to see it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/13_document/format"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

// shop is the content of the document: who has which part.
type shop struct {
	Checkouts map[string]string `json:"checkouts"`
}

var people = [...]struct{ name, part string }{{"Alice", "bracket.step"}, {"Bob", "hinge.step"}, {"Carol", "plate.step"}}

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"update": update},
		Run: func(ctx context.Context, r *race.Report) error {
			r.Title("three programs, one document: each Update adds a checkout and takes its time")
			return run(ctx, r)
		},
	})
}

// update checks PART out to NAME in the document at PATH, and stands inside its Update until it is told to go on.
func update(w *process.Worker) error {
	d := document.New(w.Arg(0), document.Options[shop]{})
	return d.Update(context.Background(), func(content *shop) error {
		w.Reached("inside")
		content.Checkouts[w.Arg(2)] = w.Arg(1)
		return nil
	})
}

// run has Alice inside her Update while Bob and Carol come, one after the other. Then she ends hers, and they are looked at.
func run(ctx context.Context, r *race.Report) error {
	path := filepath.Join(r.Dir(), "locks.json")
	begin := []byte(`{"version":1,"generation":1,"content":{"checkouts":{}}}` + "\n")
	if err := os.WriteFile(path, begin, 0o600); err != nil {
		return fmt.Errorf("begin a document: %w", err)
	}
	var programs [len(people)]*process.Process
	for i, person := range people {
		p, err := r.Start(ctx, process.Options{}, "update", path, person.name, person.part)
		if err != nil {
			return err
		}
		programs[i] = p
		if i == 0 {
			err = p.Reached(ctx, "inside")
		} else {
			_, err = p.Settle(ctx)
		}
		if err != nil {
			return refusedBySystem(ctx, p, err)
		}
	}
	if err := finish(ctx, programs[0]); err != nil {
		return refusedBySystem(ctx, programs[0], err)
	}
	if err := programs[1].Reached(ctx, "inside"); err != nil {
		return refusedBySystem(ctx, programs[1], err)
	}
	carol, err := programs[2].Settle(ctx)
	if err != nil {
		return err
	}
	together := carol == process.AtStep
	r.Table([]string{"program", "came", "when Alice's Update had returned"}, [][]any{
		{"Alice", "first", "over"},
		{"Bob", "second", "inside"},
		{"Carol", "third", map[bool]string{true: "inside", false: "waits"}[together]},
	})
	if err := finish(ctx, programs[1]); err != nil {
		return err
	}
	if err := programs[2].Reached(ctx, "inside"); err != nil {
		return err
	}
	if err := finish(ctx, programs[2]); err != nil {
		return err
	}
	lost, err := missing(path)
	if err != nil {
		return err
	}
	r.Facts("checkouts that Update has acknowledged", len(people), "checkouts in the document", len(people)-len(lost), "lost", len(lost))
	switch {
	case len(lost) > 0:
		r.Race("two programs were inside at once, and the checkout of %s is gone with no error", strings.Join(lost, ", "))
	case together:
		r.Race("two programs were inside at once")
	default:
		r.Clean("one after the other went in, and every checkout is in the document")
	}
	return nil
}

func finish(ctx context.Context, p *process.Process) error {
	if err := p.Continue(); err != nil {
		return err
	}
	return p.Wait(ctx)
}

// refusedBySystem is for an Update that has failed. On Windows a lock on the document itself keeps its own program from reading it, and an
// open document cannot be replaced: the code is as wrong there, but it is the system that stops it.
func refusedBySystem(ctx context.Context, p *process.Process, err error) error {
	if runtime.GOOS == "windows" {
		return fmt.Errorf("%w: Update failed, as Windows refuses to read or to replace a document that is itself locked: %w", race.ErrSystem, err)
	}
	if p.Finished() {
		return fmt.Errorf("%w: Update failed: %w", err, p.Wait(ctx))
	}
	return err
}

// missing returns who has no checkout in the document.
func missing(path string) (names []string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, content, err := format.Decode[shop](path, data, nil)
	if err != nil {
		return nil, err
	}
	for _, person := range people {
		if content.Checkouts[person.part] != person.name {
			names = append(names, person.name)
		}
	}
	return names, nil
}
