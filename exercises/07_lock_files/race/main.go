// Command race has two processes find one stale lock, lets the second one through while the first one judges, and looks at which of
// them got the lock and at what became of the document that it protects.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const crashes = 5

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"crash": crash, "take": take},
		Run:     run,
	})
}

// crash acquires the lock LOCK and waits to be killed.
func crash(w *process.Worker) error {
	if _, err := lockfiles.Acquire(w.Arg(0), lockfiles.Options{}); err != nil {
		return err
	}
	w.Reached("holding")
	return nil
}

// take adds a checkout to the document under the lock: LOCK DOCUMENT PERSON PART DEAD HOLD, where DEAD is the process that left the
// lock. If HOLD is "hold", it stands at "judging" when Alive is first called about DEAD. After each Acquire it sends whether it has the
// lock, and stands at "acquired".
func take(w *process.Worker) error {
	asked := w.Arg(5) != "hold"
	for {
		lock, err := lockfiles.Acquire(w.Arg(0), lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
			if owner.PID == w.Int(4) && !asked {
				asked = true
				w.Reached("judging")
			}
			return owner.PID != w.Int(4)
		}})
		if err != nil && !errors.Is(err, lockfiles.ErrLocked) {
			return err
		}
		if err := w.Result(err == nil); err != nil {
			return err
		}
		if err == nil {
			return add(w, lock)
		}
		w.Reached("acquired")
	}
}

// add reads the document, stands at "acquired", and writes the document with one checkout more.
func add(w *process.Worker, lock *lockfiles.Lock) error {
	checkouts, err := read(w.Arg(1))
	if err != nil {
		return err
	}
	w.Reached("acquired")
	checkouts[w.Arg(3)] = w.Arg(2)
	content, err := json.Marshal(checkouts)
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.Arg(1), content, 0o600); err != nil {
		return err
	}
	// An owner that has lost its lock learns of it here, when the document is written.
	if err := lock.Release(); err != nil && !errors.Is(err, lockfiles.ErrLost) {
		return err
	}
	return nil
}

func read(path string) (checkouts map[string]string, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return checkouts, json.Unmarshal(content, &checkouts)
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("%d process crashes, each of which leaves a lock; Alice and Bob find it at the same time, "+
		"and each adds a checkout to locks.json", crashes)
	var rows [][]any
	shared, lost := 0, 0
	for number := 1; number <= crashes; number++ {
		result, err := play(ctx, r, filepath.Join(r.Dir(), strconv.Itoa(number)))
		if err != nil {
			return err
		}
		rows = append(rows, []any{number, returned(result.bob), returned(result.alice), result.parts})
		if result.bob && result.alice {
			shared++
		}
		lost += 2 - len(strings.Fields(result.parts))
	}
	r.Table([]string{"crash", "Bob's Acquire", "Alice's Acquire", "checkouts in locks.json"}, rows)
	r.Facts("locks left by a crash", crashes, "given to both at once", shared, "checkouts made", 2*crashes, "checkouts lost", lost)
	if shared > 0 || lost > 0 {
		r.Race("%d of %d locks had two owners at once, and %d checkouts are lost", shared, crashes, lost)
		return nil
	}
	r.Clean("each lock went to one of the two and then to the other, and no checkout is lost")
	return nil
}

func returned(got bool) string {
	if got {
		return "a lock"
	}
	return "ErrLocked"
}

// A result is what became of one lock that a crash has left.
type result struct {
	alice, bob bool // got the lock from the first Acquire
	parts      string
}

func play(ctx context.Context, r *race.Report, dir string) (result, error) {
	lock, document := filepath.Join(dir, "locks.json.lock"), filepath.Join(dir, "locks.json")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(document, []byte("{}"), 0o600)); err != nil {
		return result{}, err
	}
	dead, err := r.Start(ctx, process.Options{}, "crash", lock)
	if err != nil {
		return result{}, err
	}
	if err := dead.Reached(ctx, "holding"); err != nil {
		return result{}, fmt.Errorf("a free lock could not be acquired: %w", err)
	}
	dead.Kill()
	start := func(name, part, hold string) (*process.Process, error) {
		return r.Start(ctx, process.Options{}, "take", lock, document, name, part, strconv.Itoa(dead.PID()), hold)
	}
	alice, err := start("alice", "axle.step", "hold")
	if err != nil {
		return result{}, err
	}
	if err := alice.Reached(ctx, "judging"); err != nil {
		return result{}, fmt.Errorf("the dead owner was not judged: %w", err)
	}
	bob, err := start("bob", "bracket.step", "")
	if err != nil {
		return result{}, err
	}
	var o result
	if o.bob, err = next(ctx, bob); err != nil {
		return result{}, err
	}
	if err := alice.Continue(); err != nil {
		return result{}, err
	}
	if o.alice, err = next(ctx, alice); err != nil {
		return result{}, err
	}
	// An owner goes on at once; if both are owners, Alice is the faster one.
	if o.alice {
		err = errors.Join(finish(ctx, alice, true), finish(ctx, bob, o.bob))
	} else {
		err = errors.Join(finish(ctx, bob, o.bob), finish(ctx, alice, false))
	}
	if err != nil {
		return result{}, err
	}
	left, err := read(document)
	o.parts = strings.Join(slices.Sorted(maps.Keys(left)), " ")
	return o, err
}

// next waits until a process has called Acquire and stands still.
func next(ctx context.Context, p *process.Process) (got bool, err error) {
	err = p.NextResult(ctx, &got)
	return got, errors.Join(err, p.Reached(ctx, "acquired"))
}

// finish lets a process go on until it has made its checkout. One that was refused before calls Acquire once more.
func finish(ctx context.Context, p *process.Process, got bool) error {
	if err := p.Continue(); err != nil {
		return err
	}
	if !got {
		got, err := next(ctx, p)
		if err != nil {
			return err
		}
		if !got {
			return errors.New("the lock is free, and Acquire refused it")
		}
		if err := p.Continue(); err != nil {
			return err
		}
	}
	return p.Wait(ctx)
}
