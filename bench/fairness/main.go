// Fairness measures how processes that want one lock share it: the fair lock of lesson 12 beside its peers, in one run.
//
//	go -C bench run ./fairness               8 processes, medians of 5 rounds of 2 seconds
//	go -C bench run ./fairness -rounds 1     a quick look
//
// Each process locks, holds the lock for a time, unlocks, thinks, and begins again. The kinds take turns, round by round, so that a machine
// that is busy for a while slows all. The first table has processes that think for 5 ms, the second one processes that lock again at once.
// "Share" is the turns of the process that had the fewest, divided by those of the process that had the most; 1 is fair. A process that
// is still waiting when the time is over counts that wait, so a process that had no turn is in the figures.
//
// The exit status is 1 if the fair lock misses what lesson 12 promises beside gofrs/flock's TryLockContext at 10 ms: at least 1.5
// times the turns and at most a tenth of the 99th percentile of the waits with thinking, and a share of at least 0.8 without.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gofrs/flock"

	"example/turnstile/bench/rounds"
	"example/turnstile/internal/lab/process"
	contention "example/turnstile/solutions/12_contention"
)

// A taker waits for the lock, and returns what gives it back.
type taker func(ctx context.Context) (release func() error, err error)

// kinds make a taker for the lock file at path.
var kinds = map[string]func(path string) (taker, error){
	fair:      fairLock,
	polling:   gofrsPolling,
	blocking:  gofrsBlocking,
	rawKernel: rawFlock,
}

const (
	fair      = "fair lock of lesson 12"
	polling   = "gofrs TryLockContext 10 ms"
	blocking  = "gofrs Lock"
	rawKernel = "flock(2), file kept open"
)

var order = []string{fair, polling, blocking, rawKernel}

func fairLock(path string) (taker, error) {
	return func(ctx context.Context) (func() error, error) {
		held, err := contention.Lock(ctx, path)
		if err != nil {
			return nil, err
		}
		return held.Unlock, nil
	}, nil
}

func gofrsPolling(path string) (taker, error) {
	return func(ctx context.Context) (func() error, error) {
		lock := flock.New(path)
		_, err := lock.TryLockContext(ctx, 10*time.Millisecond)
		return lock.Unlock, err
	}, nil
}

func gofrsBlocking(path string) (taker, error) {
	return func(context.Context) (func() error, error) {
		lock := flock.New(path)
		return lock.Unlock, lock.Lock()
	}, nil
}

func rawFlock(path string) (taker, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return func(context.Context) (func() error, error) {
		return func() error { return unlock(file) }, lock(file)
	}, nil
}

// work takes the lock at PATH of KIND, holds it for HOLD and thinks for THINK, for LENGTH, and sends its waits.
func work(w *process.Worker) error {
	var d [3]time.Duration
	for i := range d {
		d[i] = time.Duration(w.Int(2 + i))
	}
	hold, think, length := d[0], d[1], d[2]
	take, err := kinds[w.Arg(1)](w.Arg(0))
	if err != nil {
		return err
	}
	w.Reached("ready")
	end := time.Now().Add(length)
	ctx, stop := context.WithDeadline(context.Background(), end.Add(time.Minute))
	defer stop()
	turns := 0
	var waits []time.Duration
	for time.Now().Before(end) {
		began := time.Now()
		release, err := take(ctx)
		if err != nil {
			return err
		}
		got := time.Now()
		waits = append(waits, min(got.Sub(began), end.Sub(began)))
		if got.Before(end) {
			turns++
			time.Sleep(hold)
		}
		if err := release(); err != nil {
			return err
		}
		if got.Before(end) {
			time.Sleep(think)
		}
	}
	return w.Result(result{turns, waits})
}

type result struct {
	Turns int
	Waits []time.Duration
}

// A figure is what one round of one kind, or the medians of several, came to.
type figure struct {
	turns float64 // in a second
	share float64
	p50   time.Duration
	p99   time.Duration
}

func main() {
	process.Dispatch(process.Workers{"work": work})
	processes := flag.Int("processes", 8, "how many processes want the lock")
	rounds := flag.Int("rounds", 5, "rounds for each kind")
	length := flag.Duration("length", 2*time.Second, "of a round")
	hold := flag.Duration("hold", time.Millisecond, "how long a process holds the lock")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := bench{*processes, *rounds, *length, *hold}
	missed, err := b.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	if len(missed) > 0 {
		for _, m := range missed {
			fmt.Println("missed:", m)
		}
		os.Exit(1)
	}
}

type bench struct {
	processes, rounds int
	length, hold      time.Duration
}

func (b bench) run(ctx context.Context) (missed []string, err error) {
	fmt.Printf("%d processes, each holds the lock for %v; medians of %d rounds of %v\n", b.processes, b.hold, b.rounds, b.length)
	thinking, err := b.measure(ctx, 5*time.Millisecond)
	if err != nil {
		return nil, err
	}
	more := thinking[fair].turns / thinking[polling].turns
	shorter := float64(thinking[fair].p99) / float64(thinking[polling].p99)
	fmt.Printf("beside %s: %.2f times the turns, %.3f times the p99\n", polling, more, shorter)
	if more < 1.5 {
		missed = append(missed, "at least 1.5 times the turns")
	}
	if shorter > 0.1 {
		missed = append(missed, "at most a tenth of the p99")
	}
	atOnce, err := b.measure(ctx, 0)
	if err != nil {
		return nil, err
	}
	if atOnce[fair].share < 0.8 {
		missed = append(missed, "a share of at least 0.8 for processes that lock again at once")
	}
	return missed, nil
}

// measure prints a table of all kinds.
func (b bench) measure(ctx context.Context, think time.Duration) (map[string]figure, error) {
	all := map[string][]figure{}
	for range b.rounds {
		for _, kind := range order {
			f, err := b.round(ctx, kind, think)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			all[kind] = append(all[kind], f)
		}
	}
	fmt.Printf("\n%-28s %9s %7s %7s %9s %9s\n", "think "+think.String(), "turns/s", "share", "lowest", "p50", "p99")
	medians := map[string]figure{}
	for _, kind := range order {
		rounds := all[kind]
		m := figure{
			median(rounds, func(f figure) float64 { return f.turns }), median(rounds, func(f figure) float64 { return f.share }),
			median(rounds, func(f figure) time.Duration { return f.p50 }), median(rounds, func(f figure) time.Duration { return f.p99 }),
		}
		lowest := slices.MinFunc(rounds, func(a, b figure) int { return int(1000 * (a.share - b.share)) }).share
		medians[kind] = m
		fmt.Printf("%-28s %9.0f %7.2f %7.2f %7.1fms %7.1fms\n", kind, m.turns, m.share, lowest, milliseconds(m.p50), milliseconds(m.p99))
	}
	return medians, nil
}

// round has the processes compete once.
func (b bench) round(ctx context.Context, kind string, think time.Duration) (f figure, err error) {
	directory, err := os.MkdirTemp("", "turnstile-fairness-")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	text := func(d time.Duration) string { return strconv.Itoa(int(d)) }
	var crew []*process.Process
	for range b.processes {
		p, err := process.Start(ctx, process.Options{}, "work", filepath.Join(directory, "lock"), kind, text(b.hold), text(think), text(b.length))
		if err != nil {
			return f, err
		}
		defer p.Kill()
		if err := p.Reached(ctx, "ready"); err != nil {
			return f, err
		}
		crew = append(crew, p)
	}
	for _, p := range crew {
		if err := p.Continue(); err != nil {
			return f, err
		}
	}
	var turns []int
	var waits []time.Duration
	total := 0
	for _, p := range crew {
		var r result
		if err := errors.Join(p.NextResult(ctx, &r), p.Wait(ctx)); err != nil {
			return f, err
		}
		turns = append(turns, r.Turns)
		total += r.Turns
		waits = append(waits, r.Waits...)
	}
	slices.Sort(waits)
	return figure{
		turns: float64(total) / b.length.Seconds(),
		share: float64(slices.Min(turns)) / float64(max(1, slices.Max(turns))),
		p50:   waits[len(waits)/2],
		p99:   waits[len(waits)*99/100],
	}, nil
}

func median[T float64 | time.Duration](all []figure, of func(figure) T) T {
	var values []T
	for _, f := range all {
		values = append(values, of(f))
	}
	return rounds.Median(values)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
