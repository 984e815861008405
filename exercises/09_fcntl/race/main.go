// Command race has one program lock a row and then use the table otherwise, and asks from another program whether the row is still locked.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	fcntl "example/turnstile/exercises/09_fcntl"
	"example/turnstile/exercises/09_fcntl/rows"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const table = "bracket                       1\nhinge                         4\n"

func main() {
	race.Main(race.Demo{
		Workers:   process.Workers{"alice": alice, "bob": bob},
		Sentinels: []error{fcntl.ErrLocked, errors.ErrUnsupported},
		Run:       run,
	})
}

var (
	bracket = fcntl.Rows{First: 0, Count: 1}
	hinge   = fcntl.Rows{First: 1, Count: 1}
)

// deeds are what Alice's program does while it has the lock, and whether that has given it the lock a second time.
var deeds = []struct {
	name string
	do   func(path string) (again bool, err error)
}{
	{"does nothing else", func(string) (bool, error) { return false, nil }},
	{"reads the row of hinges with rows.Read", func(path string) (bool, error) { _, err := rows.Read(path, 1); return false, err }},
	{"asks Locked about the hinges", func(path string) (bool, error) { _, err := fcntl.Locked(path, hinge); return false, err }},
	{"locks and unlocks the hinges", func(path string) (bool, error) {
		held, err := fcntl.Lock(path, hinge)
		if err != nil {
			return false, err
		}
		return false, held.Unlock()
	}},
	{"calls TryLock for the brackets in a goroutine", func(path string) (again bool, err error) {
		done := make(chan error)
		go func() {
			_, err := fcntl.TryLock(path, bracket)
			done <- err
		}()
		err = <-done
		if errors.Is(err, fcntl.ErrLocked) {
			return false, nil
		}
		return err == nil, err
	}},
}

// alice locks the brackets of the table at PATH, does deed number N, and stands at "inside". It sends whether it got the lock twice.
func alice(w *process.Worker) error {
	held, err := fcntl.Lock(w.Arg(0), bracket)
	if err != nil {
		return err
	}
	twice, err := deeds[w.Int(1)].do(w.Arg(0))
	if err := errors.Join(err, w.Result(twice)); err != nil {
		return err
	}
	w.Reached("inside")
	return held.Unlock()
}

// bob sends whether a TryLock for the brackets of the table at PATH gives him the lock.
func bob(w *process.Worker) error {
	_, err := fcntl.TryLock(w.Arg(0), bracket)
	if err != nil && !errors.Is(err, fcntl.ErrLocked) {
		return err
	}
	return w.Result(err == nil)
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("Alice's program has the lock on the row of brackets, and uses the table; Bob's program calls TryLock for the brackets")
	var table [][]any
	shared := 0
	for i, deed := range deeds {
		twice, got, err := play(ctx, r, filepath.Join(r.Dir(), fmt.Sprintf("parts-%d.table", i)), i)
		if err != nil {
			return err
		}
		outcome := "another owner has it"
		switch {
		case got && twice:
			outcome = "he has the lock, and so have both of Alice's calls"
		case got:
			outcome = "he has the lock, and so has Alice"
		case twice:
			outcome = "another owner has it; her second call got it too"
		}
		if got || twice {
			shared++
		}
		table = append(table, []any{deed.name, outcome})
	}
	r.Table([]string{"Alice's program", "Bob's TryLock"}, table)
	r.Facts("times that the row was locked", len(deeds), "times that two had the lock", shared)
	if shared > 0 {
		r.Race("%d of %d times two had one lock, and no call failed", shared, len(deeds))
	} else {
		r.Clean("whatever Alice's program did with the table, its lock stayed until Unlock")
	}
	return nil
}

func play(ctx context.Context, r *race.Report, path string, deed int) (twice, got bool, err error) {
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		return false, false, fmt.Errorf("begin a new table: %w", err)
	}
	alice, err := r.Start(ctx, process.Options{}, "alice", path, fmt.Sprint(deed))
	if err != nil {
		return false, false, err
	}
	if err := alice.Reached(ctx, "inside"); errors.Is(err, errors.ErrUnsupported) {
		return false, false, fmt.Errorf("%w: it has no open file description locks (%w)", race.ErrSystem, err)
	} else if err != nil {
		return false, false, fmt.Errorf("lock the row in Alice's program: %w", err)
	}
	bob, err := r.Start(ctx, process.Options{}, "bob", path)
	if err != nil {
		return false, false, err
	}
	err = errors.Join(alice.NextResult(ctx, &twice), bob.NextResult(ctx, &got), bob.Wait(ctx))
	return twice, got, errors.Join(err, alice.Continue(), alice.Wait(ctx))
}
