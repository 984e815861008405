// Package rounds lets contestants take turns, round by round, so that a machine that is busy for a while slows all of them.
package rounds

import (
	"context"
	"slices"
	"time"

	"example/turnstile/bench/results"
)

// Samples are what a contestant shows in one round, by unit.
type Samples map[string]float64

// A Contestant is one way to do the work of a comparison.
type Contestant struct {
	Name      string
	How       string // how it is configured, and who recommends that
	Guarantee results.Guarantee
	// Round does the work for about that long. An error means that what the contestant does is wrong, and marks its row as broken.
	Round func(ctx context.Context, length time.Duration) (Samples, error)
}

// Run has n rounds, after a short one that warms up and does not count; with a length of 0 there is none of those. Who begins changes from
// round to round. It fails only if ctx ends.
func Run(ctx context.Context, n int, length time.Duration, contestants []Contestant) ([]results.Row, error) {
	rows := make([]results.Row, len(contestants))
	for i, c := range contestants {
		rows[i] = results.Row{Name: c.Name, How: c.How, Guarantee: c.Guarantee, Samples: map[string][]float64{}}
	}
	warmUp := 0
	if length > 0 {
		warmUp = 1
	}
	for round := range n + warmUp {
		for i := range contestants {
			at := (i + round) % len(contestants)
			row := &rows[at]
			if row.Broken != "" {
				continue
			}
			took := length
			if round < warmUp {
				took = length / 4
			}
			samples, err := contestants[at].Round(ctx, took)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				row.Broken = err.Error()
				continue
			}
			for unit, value := range samples {
				if round >= warmUp {
					row.Samples[unit] = append(row.Samples[unit], value)
				}
			}
		}
	}
	return rows, nil
}

// Timed returns a Round for a call that one goroutine makes again and again. Check, if it is not nil, looks at what n more calls have done.
func Timed(call func() error, check func(n int) error) func(context.Context, time.Duration) (Samples, error) {
	return func(ctx context.Context, length time.Duration) (Samples, error) {
		n, began := 0, time.Now()
		for chunk := 1; ; {
			start := time.Now()
			for range chunk {
				if err := call(); err != nil {
					return nil, err
				}
			}
			n += chunk
			if time.Since(began) >= length || ctx.Err() != nil {
				break
			}
			if time.Since(start) < length/50 { // the clock must not be part of what is measured
				chunk *= 2
			}
		}
		elapsed := time.Since(began)
		if check != nil {
			if err := check(n); err != nil {
				return nil, err
			}
		}
		return Samples{"ns/op": float64(elapsed.Nanoseconds()) / float64(n)}, nil
	}
}

// A Step is a piece of work that takes some seconds, for the progress.
type Step struct {
	Name string
	Run  func(ctx context.Context) ([]results.Comparison, error)
}

// Only returns the steps whose names are accepted.
func Only(steps []Step, accept func(name string) bool) []Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return !accept(s.Name) })
}

// Settings say how long to measure.
type Settings struct {
	Quick  bool
	Rounds int
	Length time.Duration // of a round that only needs enough calls for a mean
}

// Compare fills in the rows of a comparison.
func Compare(
	ctx context.Context, c results.Comparison, n int, length time.Duration, contestants []Contestant,
) ([]results.Comparison, error) {
	rows, err := Run(ctx, n, length, contestants)
	if err != nil {
		return nil, err
	}
	c.Rows = rows
	return []results.Comparison{c}, nil
}
