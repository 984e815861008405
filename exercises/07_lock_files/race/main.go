// Command race has two processes find one stale lock, lets the second one through while the first one judges, and looks at who
// got the lock and at what became of the list that it protects.
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

// take adds a part to the list LIST under the lock LOCK: LOCK LIST NAME PART DEAD, where DEAD is the process that left the lock. It
// stands at "judging" when it is first asked about it, if HOLD is "hold"; after each Acquire it sends whether it has the lock, and
// stands at "told".
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
		w.Reached("told")
	}
}

// add reads the list, stands at "told", and writes the list with one part more.
func add(w *process.Worker, lock *lockfiles.Lock) error {
	list, err := read(w.Arg(1))
	if err != nil {
		return err
	}
	w.Reached("told")
	list[w.Arg(3)] = w.Arg(2)
	content, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.Arg(1), content, 0o600); err != nil {
		return err
	}
	// Whoever has lost the lock learns it here, when the list is written.
	if err := lock.Release(); err != nil && !errors.Is(err, lockfiles.ErrLost) {
		return err
	}
	return nil
}

func read(path string) (list map[string]string, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return list, json.Unmarshal(content, &list)
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("%d crashes; each leaves a stale lock, which Alice and Bob find at the same time; each of them adds a part to locks.json", crashes)
	var rows [][]any
	shared, lost := 0, 0
	for number := 1; number <= crashes; number++ {
		result, err := play(ctx, r, filepath.Join(r.Dir(), strconv.Itoa(number)))
		if err != nil {
			return err
		}
		rows = append(rows, []any{number, told(result.bob), told(result.alice), result.parts})
		if result.bob && result.alice {
			shared++
		}
		lost += 2 - len(strings.Fields(result.parts))
	}
	r.Table([]string{"crash", "Bob was told", "Alice was told", "parts in locks.json"}, rows)
	r.Facts("stale locks", crashes, "given to both at once", shared, "parts taken", 2*crashes, "parts lost", lost)
	if shared > 0 || lost > 0 {
		r.Race("%d of %d stale locks had two owners at once, %d parts are gone from the list, and nobody was told in time", shared, crashes, lost)
		return nil
	}
	r.Clean("each stale lock went to one of the two, the other one came after, and no part is lost")
	return nil
}

func told(got bool) string {
	if got {
		return "the lock is yours"
	}
	return "taken"
}

// A result is what became of one stale lock.
type result struct {
	alice, bob bool // was told to have the lock, while the other one may have it
	parts      string
}

func play(ctx context.Context, r *race.Report, folder string) (result, error) {
	lock, list := filepath.Join(folder, "locks.json.lock"), filepath.Join(folder, "locks.json")
	if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(list, []byte("{}"), 0o600)); err != nil {
		return result{}, err
	}
	dead, err := r.Start(ctx, process.Options{}, "crash", lock)
	if err != nil {
		return result{}, err
	}
	if err := dead.Reached(ctx, "holding"); err != nil {
		return result{}, fmt.Errorf("nobody could acquire a free lock: %w", err)
	}
	dead.Kill()
	start := func(name, part, hold string) (*process.Process, error) {
		return r.Start(ctx, process.Options{}, "take", lock, list, name, part, strconv.Itoa(dead.PID()), hold)
	}
	alice, err := start("alice", "axle.step", "hold")
	if err != nil {
		return result{}, err
	}
	if err := alice.Reached(ctx, "judging"); err != nil {
		return result{}, fmt.Errorf("alice was not asked about the dead owner: %w", err)
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
	// Whoever has the lock goes on; if both have it, Alice is the faster one.
	if o.alice {
		err = errors.Join(finish(ctx, alice, true), finish(ctx, bob, o.bob))
	} else {
		err = errors.Join(finish(ctx, bob, o.bob), finish(ctx, alice, false))
	}
	if err != nil {
		return result{}, err
	}
	left, err := read(list)
	o.parts = strings.Join(slices.Sorted(maps.Keys(left)), " ")
	return o, err
}

// next waits until a process was told whether it has the lock, and stands still.
func next(ctx context.Context, p *process.Process) (got bool, err error) {
	err = p.NextResult(ctx, &got)
	return got, errors.Join(err, p.Reached(ctx, "told"))
}

// finish lets a process go on until it has added its part. Who was refused before calls Acquire once more.
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
			return errors.New("the lock is free, and Acquire refuses it")
		}
		if err := p.Continue(); err != nil {
			return err
		}
	}
	return p.Wait(ctx)
}
