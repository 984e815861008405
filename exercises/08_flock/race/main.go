// Command race has two programs take the last bracket: each sees it in the stock, and then both go on.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	flock "example/turnstile/exercises/08_flock"
	"example/turnstile/exercises/08_flock/bins"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const rounds = 5

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"take": take},
		Run:     run,
	})
}

// take takes a bracket from the stock at PATH. When change is first called, it stands at "deciding". It sends whether it has the bracket.
func take(w *process.Worker) error {
	asked, got := false, false
	err := flock.Update(w.Arg(0), func(stock bins.Stock) (bool, error) {
		if !asked {
			asked = true
			w.Reached("deciding")
		}
		got = stock["bracket"] > 0
		if got {
			stock["bracket"]--
		}
		return got, nil
	})
	return errors.Join(err, w.Result(got && err == nil))
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("%d times: the stock is {\"bracket\":1}; Alice and Bob take one bracket each, at the same time", rounds)
	var rows [][]any
	given, twice := 0, 0
	for round := 1; round <= rounds; round++ {
		result, err := play(ctx, r, filepath.Join(r.Dir(), fmt.Sprintf("stock-%d.json", round)))
		if err != nil {
			return err
		}
		rows = append(rows, []any{round, result.together, outcome(result.alice), outcome(result.bob), result.stock})
		for _, got := range []bool{result.alice, result.bob} {
			if got {
				given++
			}
		}
		if result.alice && result.bob {
			twice++
		}
	}
	r.Table([]string{"round", "seen by both at once", "Alice's Update", "Bob's Update", "stock"}, rows)
	r.Facts("brackets in stock", rounds, "brackets given out", given, "given out twice", twice)
	switch {
	case twice > 0:
		r.Race("%d of %d brackets were given to two people, and no call failed", twice, rounds)
	case given != rounds:
		r.Race("%d of %d brackets were given out", given, rounds)
	default:
		r.Clean("each bracket went to one of the two, and the other found none left")
	}
	return nil
}

func outcome(got bool) string {
	if got {
		return "a bracket"
	}
	return "none left"
}

// A result is what became of one bracket.
type result struct {
	alice, bob bool   // has it
	together   string // whether both saw it before either went on
	stock      string
}

func play(ctx context.Context, r *race.Report, path string) (o result, err error) {
	if err := os.WriteFile(path, []byte(`{"bracket":1}`), 0o600); err != nil {
		return o, fmt.Errorf("begin a new stock: %w", err)
	}
	alice, err := r.Start(ctx, process.Options{}, "take", path)
	if err != nil {
		return o, err
	}
	if err := alice.Reached(ctx, "deciding"); errors.Is(err, errors.ErrUnsupported) {
		return o, fmt.Errorf("%w: it has no flock(2) (%w)", race.ErrSystem, err)
	} else if err != nil {
		return o, fmt.Errorf("see the stock in Alice's Update: %w", err)
	}
	bob, err := r.Start(ctx, process.Options{}, "take", path)
	if err != nil {
		return o, err
	}
	// Bob's Update waits for Alice's, or it does not.
	state, err := bob.Settle(ctx)
	if err != nil {
		return o, err
	}
	o.together = "no"
	if state == process.AtStep {
		o.together = "yes"
		if err := errors.Join(bob.Reached(ctx, "deciding"), bob.Continue()); err != nil {
			return o, err
		}
		if _, err := bob.Settle(ctx); err != nil { // he waits for Alice's shared lock, or has finished
			return o, err
		}
	}
	if err := alice.Continue(); err != nil {
		return o, err
	}
	if state != process.AtStep && state != process.Finished {
		if err := errors.Join(bob.Reached(ctx, "deciding"), bob.Continue()); err != nil {
			return o, err
		}
	}
	if err := errors.Join(alice.NextResult(ctx, &o.alice), bob.NextResult(ctx, &o.bob), alice.Wait(ctx), bob.Wait(ctx)); err != nil {
		return o, err
	}
	o.stock, err = stock(path)
	return o, err
}

func stock(path string) (string, error) {
	stock, err := bins.Read(path)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(stock)
	return string(text), err
}
