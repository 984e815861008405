// Command race shows who gets a lock that many want, and what two transfers in opposite directions wait for.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example/turnstile/exercises/08_flock/bins"
	"example/turnstile/exercises/11_locked_file/filelock"
	contention "example/turnstile/exercises/12_contention"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const (
	people = 4
	turns  = 600 // all together
	hold   = time.Millisecond
	// tooLong is how many turns in a row are no accident any more while three others wait.
	tooLong = 20
)

var names = []string{"A", "B", "C", "D"}

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"work": work, "carry": carry, "hold": keep},
		Run: func(ctx context.Context, r *race.Report) error {
			r.Title("%d programs want one lock, hold it for %v, and want it again at once; then two transfers cross", people, hold)
			row, err := crowd(ctx, r)
			if err != nil {
				return err
			}
			hang, forced, err := cross(ctx, r)
			if err != nil {
				return err
			}
			switch {
			case row > tooLong && hang:
				r.Race("one program took %d turns in a row while others waited, and two transfers wait for each other for ever", row)
			case row > tooLong:
				r.Race("one program took %d turns in a row while others waited", row)
			case hang:
				r.Race("two transfers wait for each other for ever")
			case !forced:
				return fmt.Errorf("%w: no program can be stopped between its two locks here, and by chance the transfers did not meet", race.ErrSystem)
			default:
				r.Clean("everyone had a turn while others waited, and both transfers came to their end")
			}
			return nil
		},
	})
}

// work takes turns under the lock LOG.lock, until all turns are taken. It writes its NAME into LOG for each, and in small letters before it
// asks for the lock.
func work(w *process.Worker) error {
	log, name := w.Arg(0), w.Arg(1)
	for {
		if err := note(log, strings.ToLower(name)); err != nil {
			return err
		}
		held, err := contention.Lock(context.Background(), log+".lock")
		if err != nil {
			return err
		}
		over, err := turn(log, name)
		if err := errors.Join(err, held.Unlock()); err != nil || over {
			return err
		}
		w.Progress()
	}
}

func turn(log, name string) (over bool, err error) {
	text, err := os.ReadFile(log)
	if err != nil || turnsIn(string(text)) >= turns {
		return true, err
	}
	time.Sleep(hold) // a person works
	return false, note(log, name)
}

func note(log, text string) error {
	file, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func crowd(ctx context.Context, r *race.Report) (longest int, err error) {
	log := filepath.Join(r.Dir(), "turns")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		return 0, fmt.Errorf("begin a log of the turns: %w", err)
	}
	crew, err := r.Crew(ctx, people, "work", func(number int) []string { return []string{log, names[number-1]} })
	if err != nil {
		return 0, err
	}
	if err := crew.Go(); err != nil {
		return 0, err
	}
	ends, err := crew.Wait(ctx)
	if err = errors.Join(append(ends, err)...); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return 0, err
	}
	rows := make([][]any, 0, people)
	for _, name := range names {
		row := inARow(string(text), name)
		longest = max(longest, row)
		rows = append(rows, []any{name, strings.Count(string(text), name), row})
	}
	r.Table([]string{"program", "turns", "in a row"}, rows)
	return longest, nil
}

// turnsIn counts the turns in the log.
func turnsIn(log string) (n int) {
	for _, name := range names {
		n += strings.Count(log, name)
	}
	return n
}

// inARow returns how many turns in a row the program had at most for which it asked when another one was waiting.
func inARow(log, name string) (longest int) {
	row, waiting, overtakes := 0, map[string]bool{}, false
	for _, one := range strings.Split(log, "") {
		small := strings.ToLower(one)
		switch {
		case one == small:
			if small == strings.ToLower(name) {
				overtakes = len(waiting) > 0
			}
			waiting[small] = true
			continue
		case one == name && overtakes:
			row++
			longest = max(longest, row)
		default:
			row = 0
		}
		delete(waiting, small)
	}
	return longest
}

// carry transfers a bracket FROM one shelf TO another.
func carry(w *process.Worker) error {
	return contention.Transfer(context.Background(), w.Arg(0), w.Arg(1), func(from, to bins.Stock) error {
		from["bracket"]--
		to["bracket"]++
		w.Reached("inside")
		return nil
	})
}

// keep has a lock on FILE until it is told to go on.
func keep(w *process.Worker) error {
	held, err := contention.Lock(context.Background(), w.Arg(0))
	if err != nil {
		return err
	}
	w.Reached("holding")
	return held.Unlock()
}

// cross has Alice carry a bracket from a to b, and Bob one from b to a. A third program has both locks while they begin, and gives them
// back one after the other. The meeting is forced if Alice can be stopped between her two locks; on Windows it is left to chance.
func cross(ctx context.Context, r *race.Report) (hang, forced bool, err error) {
	path := map[string]string{}
	holders := map[string]*process.Process{}
	for _, name := range []string{"a", "b"} {
		path[name] = filepath.Join(r.Dir(), name+".json")
		if err := os.WriteFile(path[name], []byte(`{"bracket":5}`), 0o600); err != nil {
			return false, false, fmt.Errorf("fill a shelf: %w", err)
		}
		p, err := r.Start(ctx, process.Options{}, "hold", path[name]+".lock")
		if err != nil {
			return false, false, err
		}
		if err := p.Reached(ctx, "holding"); err != nil {
			return false, false, err
		}
		holders[name] = p
	}
	alice, err := r.Start(ctx, process.Options{}, "carry", path["a"], path["b"])
	if err != nil {
		return false, false, err
	}
	if _, err := alice.Settle(ctx); err != nil {
		return false, false, err
	}
	bob, err := r.Start(ctx, process.Options{}, "carry", path["b"], path["a"])
	if err != nil {
		return false, false, err
	}
	if _, err := bob.Settle(ctx); err != nil {
		return false, false, err
	}
	// If Alice asks for a first, she has it before she can ask for b, and Bob has b before she goes on.
	if err := release(ctx, holders["a"], path["a"]); err != nil {
		return false, false, err
	}
	err = alice.Stop(ctx)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return false, false, err
	}
	forced = err == nil
	if err := release(ctx, holders["b"], path["b"]); err != nil {
		return false, false, err
	}
	if err := alice.Resume(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return false, false, err
	}
	first, states, err := inside(ctx, alice, bob)
	if err != nil {
		return false, false, err
	}
	r.Table([]string{"transfer", "from", "to", "seen"}, [][]any{{"Alice", "a", "b", seen(states[0])}, {"Bob", "b", "a", seen(states[1])}})
	if first == nil {
		r.Facts("lock of a", lockState(path["a"]), "lock of b", lockState(path["b"]), "other programs that have one", 0)
		return true, forced, nil
	}
	second := bob
	if first == bob {
		second = alice
	}
	for _, p := range []*process.Process{first, second} {
		if err := errors.Join(p.Reached(ctx, "inside"), p.Continue(), p.Wait(ctx)); err != nil {
			return false, false, fmt.Errorf("end a transfer: %w", err)
		}
	}
	total := 0
	for _, path := range path {
		stock, err := bins.Read(path)
		if err != nil {
			return false, false, err
		}
		total += stock["bracket"]
	}
	r.Facts("brackets on both shelves", total)
	return false, forced, nil
}

// release has the holder give its lock back, and waits until another program has it, if one asks for it.
func release(ctx context.Context, holder *process.Process, path string) error {
	if err := errors.Join(holder.Continue(), holder.Wait(ctx)); err != nil {
		return err
	}
	for range 100 {
		if taken(path) {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// inside waits until one of the two stands inside its Transfer, and returns it, with what both were seen doing. It returns nil if both
// locks are taken, by them, since no other program is left, and neither goes in.
func inside(ctx context.Context, alice, bob *process.Process) (first *process.Process, states [2]process.State, err error) {
	for began := time.Now(); time.Since(began) < 2*time.Second; {
		for i, p := range []*process.Process{alice, bob} {
			if states[i], err = p.Settle(ctx); err != nil {
				return nil, states, err
			}
			if states[i] == process.AtStep {
				first = p
			}
		}
		if first != nil {
			return first, states, nil
		}
		time.Sleep(time.Millisecond)
	}
	return nil, states, nil
}

func seen(s process.State) string {
	if s == process.AtStep {
		return "inside"
	}
	return string(s)
}

func lockState(path string) string {
	if taken(path) {
		return "taken"
	}
	return "free"
}

// taken reports whether a program has the lock of the shelf at path.
func taken(path string) bool {
	file, err := os.OpenFile(path+".lock", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	handle, err := filelock.New(file)
	if err != nil || handle.TryLock(filelock.Exclusive) != nil {
		return true
	}
	_ = handle.Unlock()
	return false
}
