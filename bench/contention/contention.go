// Package contention measures how processes that want one lock share it.
//
// Each process locks, counts in a file that the lock protects, holds the lock for a time, unlocks, thinks, and begins again. Afterwards the
// file must have exactly the turns that the processes report.
package contention

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example/turnstile/bench/crew"
	"example/turnstile/bench/results"
	"example/turnstile/bench/rounds"
	"example/turnstile/internal/lab/process"
)

// Workers are what copies of this program must be able to run.
var Workers = process.Workers{"contend": func(w *process.Worker) error { return crew.Loop(w, work) }}

// Goals are what lesson 12 promises of the fair lock.
var Goals = []results.Goal{
	{Part: "locks", Series: "hold=1ms/think=5ms", X: 8, Row: Fair, Beside: Polling, Unit: "turns/s", AtLeast: 1.5},
	{Part: "locks", Series: "hold=1ms/think=5ms", X: 8, Row: Fair, Beside: Polling, Unit: "p99-ns", AtMost: 0.1},
	{Part: "locks", Series: "hold=1ms/think=0s", X: 8, Row: Fair, Unit: "share", AtLeast: 0.8},
}

// Series returns the name of a series.
func Series(hold, think time.Duration) string { return fmt.Sprintf("hold=%v/think=%v", hold, think) }

// manyTurns is how much longer the rounds are in which the share is judged. In the 300 ms of an ordinary one, each of eight processes has
// some 30 turns: a lock that drew lots, and so favoured nobody, would give the unluckiest little more than half as many as the luckiest
// one. In 3 s it would give them 0.85 times as many, and a smaller share means that someone is passed over.
const manyTurns = 10

// Steps measures in a directory: for each hold and think, each number of processes.
func Steps(s rounds.Settings, place, dir string) []rounds.Step {
	inRace, counts, holds := available(), []int{1, 2, 4, 8, 16}, []time.Duration{0, time.Millisecond}
	if s.Quick { // a Python takes longer to start than a round takes
		inRace, counts, holds = kinds, []int{2, 8}, holds[1:]
	}
	var steps []rounds.Step
	for _, hold := range holds {
		for _, think := range []time.Duration{0, 5 * time.Millisecond} {
			for _, n := range counts {
				c := results.Comparison{
					Part: "locks", Series: Series(hold, think), Place: place, By: "processes", X: float64(n), Unit: "turns/s",
					Title: fmt.Sprintf("Processes hold the lock for %v and think for %v", hold, think), Base: Polling, Ours: Fair,
				}
				s := s
				if hold > 0 && think == 0 && n == 8 {
					s.Length *= manyTurns
				}
				steps = append(steps, rounds.Step{Name: c.Name(), Run: func(ctx context.Context) ([]results.Comparison, error) {
					return compare(ctx, s, c, inRace, dir, order{Hold: hold, Think: think}, n)
				}})
			}
		}
	}
	return steps
}

func compare(
	ctx context.Context, s rounds.Settings, c results.Comparison, kinds []kind, dir string, o order, n int,
) ([]results.Comparison, error) {
	all := crew.New("contend")
	defer all.Kill()
	var contestants []rounds.Contestant
	for _, k := range kinds {
		contestants = append(contestants, rounds.Contestant{
			Name: k.name, How: k.how, Guarantee: k.guarantee,
			Round: func(ctx context.Context, length time.Duration) (samples rounds.Samples, err error) {
				dir, err := os.MkdirTemp(dir, "contention-")
				if err != nil {
					return nil, err
				}
				defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
				o.Kind, o.Dir, o.Length = k.name, dir, length
				o.Python, _ = interpreter()
				return round(ctx, all, n, o)
			},
		})
	}
	return rounds.Compare(ctx, c, s.Rounds, s.Length, contestants)
}

// round has n processes compete once.
func round(ctx context.Context, all *crew.Crew, n int, o order) (rounds.Samples, error) {
	counter := filepath.Join(o.Dir, "counter")
	if err := os.WriteFile(counter, make([]byte, 8), 0o600); err != nil {
		return nil, err
	}
	outcomes, err := crew.Round[outcome](ctx, all, n, o)
	if err != nil {
		return nil, err
	}
	waits := hdrhistogram.New(1, int64(10*time.Minute), 3)
	var shares []int
	inTime, turns := 0, 0
	for _, one := range outcomes {
		h, err := hdrhistogram.Decode(one.Waits)
		if err != nil {
			return nil, err
		}
		if dropped := waits.Merge(h); dropped > 0 {
			return nil, fmt.Errorf("%d waits were longer than the histogram", dropped)
		}
		inTime, turns, shares = inTime+one.InTime, turns+one.Turns, append(shares, one.InTime)
	}
	if counted, err := read(counter); err != nil || counted != turns {
		return nil, errors.Join(
			fmt.Errorf("the processes had the lock %d times, the counter under it says %d: it does not exclude", turns, counted), err)
	}
	return rounds.Samples{
		"turns/s": float64(inTime) / o.Length.Seconds(),
		"share":   float64(slices.Min(shares)) / float64(max(1, slices.Max(shares))),
		"p50-ns":  float64(waits.ValueAtQuantile(50)), "p99-ns": float64(waits.ValueAtQuantile(99)), "worst-ns": float64(waits.Max()),
	}, nil
}

type order struct {
	Kind, Dir           string
	Python              string // the interpreter, for that kind
	Hold, Think, Length time.Duration
}

type outcome struct {
	Turns  int // all of them
	InTime int // those that began before the time was over
	Waits  []byte
}

// work is one process.
func work(o order, ready func()) (out outcome, err error) {
	if o.Kind == python.name {
		return workInPython(o, ready)
	}
	at := slices.IndexFunc(kinds, func(k kind) bool { return k.name == o.Kind })
	if at < 0 {
		return out, fmt.Errorf("there is no lock %q", o.Kind)
	}
	take := kinds[at].open(filepath.Join(o.Dir, "lock"))
	counter, err := os.OpenFile(filepath.Join(o.Dir, "counter"), os.O_RDWR, 0)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, counter.Close()) }()
	waits := hdrhistogram.New(1, int64(10*time.Minute), 3)
	ready()
	end := time.Now().Add(o.Length)
	ctx, stop := context.WithDeadline(context.Background(), end.Add(time.Minute))
	defer stop()
	for time.Now().Before(end) {
		began := time.Now()
		release, err := take(ctx)
		if err != nil {
			return out, err
		}
		got := time.Now()
		// A process that had no turn counts as well: with the wait that it had when the time was over.
		if err := waits.RecordValue(max(1, int64(min(got.Sub(began), end.Sub(began))))); err != nil {
			return out, errors.Join(err, release())
		}
		out.Turns++
		if got.Before(end) {
			out.InTime++
		}
		if err := errors.Join(turn(counter, o.Hold), release()); err != nil {
			return out, err
		}
		time.Sleep(o.Think)
	}
	out.Waits, err = waits.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return out, err
}

// turn counts in a way that loses counts unless the lock excludes: read, work, write.
func turn(counter *os.File, hold time.Duration) error {
	var n [8]byte
	if _, err := counter.ReadAt(n[:], 0); err != nil {
		return err
	}
	time.Sleep(hold)
	binary.BigEndian.PutUint64(n[:], binary.BigEndian.Uint64(n[:])+1)
	_, err := counter.WriteAt(n[:], 0)
	return err
}

func read(counter string) (int, error) {
	data, err := os.ReadFile(counter)
	if err != nil {
		return 0, err
	}
	if len(data) != 8 {
		return 0, fmt.Errorf("the counter has %d bytes, not 8", len(data))
	}
	return int(binary.BigEndian.Uint64(data)), nil
}
