// Command race has two programs add a job each to the list, while the board on the wall, which asks for no lock, reads it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	lockfileex "example/turnstile/exercises/10_lockfileex"
	"example/turnstile/exercises/10_lockfileex/winfile"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
	"example/turnstile/internal/lab/wine"
)

// lists are what the list holds at the beginning of each round.
var lists = []string{"", "1 hinge\n", "", "1 hinge\n"}

func main() {
	race.Main(race.Demo{
		Workers:   process.Workers{"add": add},
		Sentinels: []error{winfile.ERROR_LOCK_VIOLATION},
		Run:       run,
	})
}

// add adds a job with TEXT to the list at PATH, stands at "inside" meanwhile, and sends the number.
func add(w *process.Worker) error {
	number, err := lockfileex.Add(w.Arg(0), func(int) (string, error) {
		w.Reached("inside")
		return w.Arg(1), nil
	})
	return errors.Join(err, w.Result(number))
}

func run(ctx context.Context, r *race.Report) error {
	if wine.Present() {
		return fmt.Errorf("%w: Wine reads locked ranges, and locks ranges of no bytes", race.ErrSystem)
	}
	r.Title("%d times: Alice and Bob add a job each; while Alice is inside, the board on the wall reads the list", len(lists))
	var rows [][]any
	twice, unread := 0, 0
	for i, before := range lists {
		result, err := play(ctx, r, filepath.Join(r.Dir(), fmt.Sprintf("jobs-%d.txt", i+1)), before)
		if err != nil {
			return err
		}
		had := "no job"
		if before != "" {
			had = "1 job"
		}
		board := had
		if result.board != nil {
			board = "lock violation"
			unread++
		}
		if result.alice == result.bob {
			twice++
		}
		rows = append(rows, []any{i + 1, had, board, result.together, result.alice, result.bob})
	}
	r.Table([]string{"round", "the list", "the board reads", "both inside at once", "Alice's number", "Bob's number"}, rows)
	r.Facts("numbers given twice", twice, "the board could not read", unread)
	if twice > 0 || unread > 0 {
		r.Race("the lock let two in %d times, and kept a reader out %d times", twice, unread)
	} else {
		r.Clean("each job has its own number, and the board always reads")
	}
	return nil
}

// A result is what became of one round.
type result struct {
	board      error
	together   string // whether both were inside at once
	alice, bob int    // their numbers
}

func play(ctx context.Context, r *race.Report, path, before string) (o result, err error) {
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		return o, fmt.Errorf("begin a new list: %w", err)
	}
	alice, err := r.Start(ctx, process.Options{}, "add", path, "bracket")
	if err != nil {
		return o, err
	}
	if err := alice.Reached(ctx, "inside"); errors.Is(err, errors.ErrUnsupported) {
		return o, fmt.Errorf("%w: it has neither LockFileEx nor flock(2) (%w)", race.ErrSystem, err)
	} else if err != nil {
		return o, fmt.Errorf("be inside Alice's Add: %w", err)
	}
	if _, err := winfile.ReadFile(path); errors.Is(err, winfile.ERROR_LOCK_VIOLATION) {
		o.board = err
	} else if err != nil {
		return o, err
	}
	bob, err := r.Start(ctx, process.Options{}, "add", path, "plate")
	if err != nil {
		return o, err
	}
	state, err := bob.Settle(ctx) // he waits for Alice, or he does not
	if err != nil {
		return o, err
	}
	o.together = "no"
	if state == process.AtStep {
		o.together = "yes"
	}
	if err := alice.Continue(); err != nil {
		return o, err
	}
	if err := errors.Join(bob.Reached(ctx, "inside"), bob.Continue()); err != nil {
		return o, err
	}
	return o, errors.Join(alice.NextResult(ctx, &o.alice), bob.NextResult(ctx, &o.bob), alice.Wait(ctx), bob.Wait(ctx))
}
