// Package update measures what one change of a document costs: read, change, write back, under a lock.
package update

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"example/turnstile/bench/crew"
	"example/turnstile/bench/results"
	"example/turnstile/bench/rounds"
	"example/turnstile/internal/lab/process"
)

// Workers are what copies of this program must be able to run.
var Workers = process.Workers{"update": func(w *process.Worker) error { return crew.Loop(w, work) }}

// Series of comparisons, for those who look for one.
const (
	SeriesDurable    = "single/durable"
	SeriesNotDurable = "single/not-durable"
	SeriesGoroutines = "goroutines=64/durable"
	SeriesProcesses  = "processes/durable"
)

// Goals are what lesson 13 promises: the strictness costs little beside the disk, and group commit brings much.
var Goals = []results.Goal{
	{Part: "update", Series: SeriesDurable, Place: "disk", X: 10, Row: documentName, Beside: byHand, Unit: "ns/op", AtMost: 1.1},
	{Part: "update", Series: SeriesDurable, Place: "disk", X: 1000, Row: documentName, Beside: byHand, Unit: "ns/op", AtMost: 1.1},
	{Part: "update", Series: SeriesGoroutines, Place: "disk", Row: documentName, Beside: oneAtATime, Unit: "updates/s", AtLeast: 10},
}

// Alone measures one goroutine, in a directory at the place.
func Alone(s rounds.Settings, place, dir string) []rounds.Step {
	sizes := []int{10, 100, 1000, 10000}
	if s.Quick {
		sizes = []int{10, 1000}
	}
	var steps []rounds.Step
	for _, n := range sizes {
		c := results.Comparison{
			Part: "update", Series: SeriesDurable, Title: "One durable update, one goroutine", Place: place,
			By: "records", X: float64(n), Unit: "ns/op", Base: byHand, Ours: documentName,
		}
		steps = append(steps, single(s, c, dir, durable(alone), n, 1))
		c.Series, c.Title, c.Ours = SeriesNotDurable, "One update that does not wait for the disk", editName
		steps = append(steps, single(s, c, dir, notDurable(), n, 1))
	}
	return steps
}

// Together measures goroutines and processes that want the same document, in a directory at the place.
func Together(s rounds.Settings, place, dir string) []rounds.Step {
	sizes, counts := []int{10, 1000}, []int{1, 2, 4, 8}
	if s.Quick {
		sizes, counts = []int{10}, []int{1, 4}
	}
	var steps []rounds.Step
	for _, n := range sizes {
		steps = append(steps, single(s, results.Comparison{
			Part: "update", Series: SeriesGoroutines, Title: "Durable updates of 64 goroutines of one process", Place: place,
			By: "records", X: float64(n), Unit: "updates/s", Base: byHand, Ours: documentName,
		}, dir, durable(together), n, 64))
	}
	for _, n := range counts {
		steps = append(steps, several(s, results.Comparison{
			Part: "update", Series: SeriesProcesses, Title: "Durable updates of several processes, a document of 100 records", Place: place,
			By: "processes", X: float64(n), Unit: "updates/s", Base: byHand, Ours: documentName,
		}, dir, n))
	}
	return steps
}

// prepared returns the path of a new store of the kind.
func (k kind) prepared(dir string, records int) (path string, err error) {
	dir, err = os.MkdirTemp(dir, "store-")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "store")
	return path, k.create(path, records)
}

// exact returns an error if a store has not exactly the updates that were acknowledged.
func exact(s store, count, records int) error {
	gotCount, gotRecords, err := s.count()
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	if gotCount != count || gotRecords != records {
		return fmt.Errorf("%d updates of %d records were acknowledged, the store has %d of %d", count, records, gotCount, gotRecords)
	}
	return nil
}

func inDirectory(dir string, use func(dir string) ([]results.Comparison, error)) (done []results.Comparison, err error) {
	dir, err = os.MkdirTemp(dir, "update-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return use(dir)
}

// single compares the kinds in this process, with one goroutine or many.
func single(s rounds.Settings, c results.Comparison, dir string, kinds []kind, records, goroutines int) rounds.Step {
	return rounds.Step{Name: c.Name(), Run: func(ctx context.Context) ([]results.Comparison, error) {
		return inDirectory(dir, func(dir string) (done []results.Comparison, err error) {
			var contestants []rounds.Contestant
			for _, k := range kinds {
				path, failed := k.prepared(dir, records)
				if failed != nil {
					return nil, fmt.Errorf("%s: %w", k.name, failed)
				}
				opened, failed := k.open(path)
				if failed != nil {
					return nil, fmt.Errorf("%s: %w", k.name, failed)
				}
				defer func() { err = errors.Join(err, opened.close()) }()
				count := 0
				check := func(n int) error {
					count += n
					return exact(opened, count, records)
				}
				contestant := rounds.Contestant{Name: k.name, How: k.how, Guarantee: k.guarantee, Round: rounds.Timed(opened.update, check)}
				if goroutines > 1 {
					contestant.Round = crowd(opened, goroutines, check)
				}
				contestants = append(contestants, contestant)
				if goroutines > 1 && k.name == documentName {
					contestant.Name, contestant.How = oneAtATime, "the same Document, without company: what group commit is measured by"
					contestant.Round = crowd(opened, 1, check)
					contestants = append(contestants, contestant)
				}
			}
			return rounds.Compare(ctx, c, s.Rounds, s.Length*time.Duration(min(goroutines, 10)), contestants)
		})
	}}
}

// crowd returns a round in which goroutines update the store as often as they can.
func crowd(opened store, goroutines int, check func(n int) error) func(context.Context, time.Duration) (rounds.Samples, error) {
	return func(_ context.Context, length time.Duration) (rounds.Samples, error) {
		var all sync.WaitGroup
		counts, failed := make([]int, goroutines), make([]error, goroutines)
		began := time.Now()
		for i := range goroutines {
			all.Go(func() {
				counts[i], failed[i] = until(opened, began.Add(length))
			})
		}
		all.Wait()
		elapsed, n := time.Since(began), 0
		for _, count := range counts {
			n += count
		}
		if err := errors.Join(errors.Join(failed...), check(n)); err != nil {
			return nil, err
		}
		return rounds.Samples{"updates/s": float64(n) / elapsed.Seconds()}, nil
	}
}

// until updates a store until the time has come, and at least once.
func until(opened store, end time.Time) (n int, err error) {
	for {
		if err := opened.update(); err != nil {
			return n, err
		}
		n++
		if !time.Now().Before(end) {
			return n, nil
		}
	}
}

type order struct {
	Kind   int // of durable(processes)
	Path   string
	Length time.Duration
}

type done struct {
	Updates int
	Took    time.Duration
}

// work is one process of several.
func work(o order, ready func()) (d done, err error) {
	opened, err := durable(processes)[o.Kind].open(o.Path)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, opened.close()) }()
	ready()
	began := time.Now()
	d.Updates, err = until(opened, began.Add(o.Length))
	d.Took = time.Since(began)
	return d, err
}

const recordsOfSeveral = 100

// several compares the durable kinds with n processes.
func several(s rounds.Settings, c results.Comparison, dir string, n int) rounds.Step {
	return rounds.Step{Name: c.Name(), Run: func(ctx context.Context) ([]results.Comparison, error) {
		return inDirectory(dir, func(dir string) ([]results.Comparison, error) {
			all := crew.New("update")
			defer all.Kill()
			var contestants []rounds.Contestant
			for i, k := range durable(processes) {
				path, err := k.prepared(dir, recordsOfSeveral)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", k.name, err)
				}
				count := 0
				contestants = append(contestants, rounds.Contestant{
					Name: k.name, How: k.how, Guarantee: k.guarantee,
					Round: func(ctx context.Context, length time.Duration) (rounds.Samples, error) {
						n, samples, err := inProcesses(ctx, all, n, order{i, path, length})
						count += n
						if err != nil {
							return nil, err
						}
						return samples, k.exact(path, count)
					},
				})
			}
			return rounds.Compare(ctx, c, s.Rounds, 10*s.Length, contestants)
		})
	}}
}

func (k kind) exact(path string, count int) (err error) {
	opened, err := k.open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.close()) }()
	return exact(opened, count, recordsOfSeveral)
}

// inProcesses has n processes do one order, and returns how many updates they made.
func inProcesses(ctx context.Context, all *crew.Crew, n int, o order) (updates int, samples rounds.Samples, err error) {
	dones, err := crew.Round[done](ctx, all, n, o)
	var longest time.Duration
	for _, d := range dones {
		updates += d.Updates
		longest = max(longest, d.Took)
	}
	if err != nil {
		return updates, nil, err
	}
	return updates, rounds.Samples{"updates/s": float64(updates) / longest.Seconds()}, nil
}
