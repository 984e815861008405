// Locks measures what a lock costs that no one else wants: the reference of lesson 11 beside what it is made of, and beside gofrs/flock.
//
//	a kept handle     filelock.Handle, Lock and Unlock, against two bare calls of flock(2) on one open file: at most 1.2 times
//	opening each time OpenFile and Close, against gofrs/flock's New, Lock and Unlock: no slower, so at most 1.0 times
//
// The five take turns in batches of some milliseconds, so that a machine that is busy for a while slows all. Compared are the medians
// of the ratios of neighbours, and of the processor time as well, which holds on a machine that others use too.
//
//	go -C bench run ./locks            300 rounds in the temp directory
//	go -C bench run ./locks -n 50 DIR  50 rounds in DIR
//
// The exit status is 1 if a ratio is above its limit.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	gofrs "github.com/gofrs/flock"

	"example/turnstile/bench/rounds"
	"example/turnstile/exercises/11_locked_file/filelock"
	lockedfile "example/turnstile/solutions/11_locked_file"
)

// each is how many pairs of calls a batch makes.
const each = 500

// A contestant takes and gives back a lock once.
type contestant struct {
	name string
	call func() error
}

func main() { rounds.Main("locks", 300, measure) }

func measure(dir string, n int) (slow bool, err error) {
	kept, err := os.Create(filepath.Join(dir, "kept"))
	if err != nil {
		return false, err
	}
	defer kept.Close() //nolint:errcheck // nothing was written
	contestants, err := contestants(kept, dir)
	if err != nil {
		return false, err
	}
	clock, cpu := make([][]float64, len(contestants)), make([][]float64, len(contestants))
	for range n {
		for i, c := range contestants {
			t, p, err := batch(c)
			if err != nil {
				return false, fmt.Errorf("%s: %w", c.name, err)
			}
			clock[i], cpu[i] = append(clock[i], t), append(cpu[i], p)
		}
	}
	fmt.Printf("medians of %d batches of %d locks, in turn\n\n%-32s %10s %10s\n", n, each, "", "clock", "processor")
	for i, c := range contestants {
		fmt.Printf("%-32s %7.0f ns %7.0f ns\n", c.name, rounds.Median(clock[i]), rounds.Median(cpu[i]))
	}
	fmt.Println()
	for _, p := range []struct {
		name         string
		ours, theirs int
		limit        float64
	}{{"kept handle / bare flock(2)", 1, 0, 1.2}, {"OpenFile / gofrs", 4, 2, 1}, {"OpenFile / gofrs with O_RDWR", 4, 3, 1}} {
		times, processor := rounds.Ratio(clock[p.ours], clock[p.theirs]), rounds.Ratio(cpu[p.ours], cpu[p.theirs])
		verdict := ""
		if min(times, processor) > p.limit {
			slow, verdict = true, "   too slow"
		}
		fmt.Printf("%-32s %7.2f times %5.2f times, of %.2f%s\n", p.name, times, processor, p.limit, verdict)
	}
	return slow, nil
}

func contestants(kept *os.File, dir string) ([]contestant, error) {
	handle, err := filelock.New(kept)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	theirs, ours := filepath.Join(dir, "gofrs"), filepath.Join(dir, "ours")
	return []contestant{
		{"bare flock(2), kept", func() error { return bare(kept) }},
		{"filelock.Handle, kept", func() error {
			if err := handle.Lock(ctx, filelock.Exclusive); err != nil {
				return err
			}
			return handle.Unlock()
		}},
		{"gofrs/flock, opened", func() error {
			lock := gofrs.New(theirs)
			if err := lock.Lock(); err != nil {
				return err
			}
			return lock.Unlock()
		}},
		{"gofrs/flock with O_RDWR, opened", func() error {
			lock := gofrs.New(theirs, gofrs.SetFlag(os.O_CREATE|os.O_RDWR))
			if err := lock.Lock(); err != nil {
				return err
			}
			return lock.Unlock()
		}},
		{"lockedfile.OpenFile, opened", func() error {
			file, err := lockedfile.OpenFile(ctx, ours, os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			return file.Close()
		}},
	}, nil
}

// batch returns the time of a call, on the clock and of the processor, in nanoseconds.
func batch(c contestant) (clock, cpu float64, err error) {
	used, start := processorTime(), time.Now()
	for range each {
		if err := c.call(); err != nil {
			return 0, 0, err
		}
	}
	elapsed := time.Since(start)
	return float64(elapsed.Nanoseconds()) / each, float64((processorTime() - used).Nanoseconds()) / each, nil
}
