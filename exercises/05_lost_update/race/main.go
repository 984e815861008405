// Command race lets several processes count in one file with your Update, and compares what the calls returned with what is left.
// Then two programs take turns with one list of checkouts.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const (
	processes = 4
	updates   = 250
	// mostRounds bounds the search: the first round shows the race, if it is there.
	mostRounds = 2
)

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"count": count, "list": changeList},
		Run:     run,
	})
}

// count does its updates of PATH and reports the counters that those returned which returned no error.
func count(w *process.Worker) error {
	returned := make([]int, 0, updates)
	var first error
	for range updates {
		counter, err := lostupdate.Update(w.Arg(0), func(counter int) int {
			time.Sleep(50 * time.Microsecond) // a card is printed
			return counter + 1
		})
		if err == nil {
			returned = append(returned, counter)
		} else if first == nil {
			first = err
		}
		w.Progress()
	}
	return errors.Join(w.Result(returned), first)
}

// changeList opens the list PATH, and takes ("+part") or returns ("-part") parts for PERSON. It stands at "ready" before each
// change, and reports each error as text.
func changeList(w *process.Worker) error {
	list, err := lostupdate.Open(w.Arg(0))
	if err != nil {
		return err
	}
	for i := 2; w.Arg(i) != ""; i++ {
		w.Reached("ready")
		part, do := w.Arg(i)[1:], list.Take
		if w.Arg(i)[0] == '-' {
			do = list.Return
		}
		result := "no error"
		if err := do(part, w.Arg(1)); err != nil {
			result = err.Error()
		}
		if err := w.Result(result); err != nil {
			return err
		}
	}
	return list.Close()
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("%d processes × %d Update(+1) on one file", processes, updates)
	for round := 1; ; round++ {
		result, err := countAll(ctx, r, filepath.Join(r.Dir(), fmt.Sprintf("counter-%d.json", round)))
		if err != nil {
			return err
		}
		if result.damaged() || round == mostRounds {
			show(r, result)
			listIsRight, err := takeTurns(ctx, r)
			if err != nil {
				return err
			}
			judge(r, result, listIsRight)
			return nil
		}
	}
}

// takeTurns lets two programs open the list and change it in turn, and shows the file after each call. It reports whether the
// list is right in the end.
func takeTurns(ctx context.Context, r *race.Report) (right bool, err error) {
	path := filepath.Join(r.Dir(), "locks.json")
	if err := os.WriteFile(path, []byte(`{}`), 0o600); err != nil {
		return false, fmt.Errorf("begin a new list: %w", err)
	}
	alice, err := r.Start(ctx, process.Options{}, "list", path, "alice", "+bracket.step", "-bracket.step")
	if err != nil {
		return false, err
	}
	bob, err := r.Start(ctx, process.Options{}, "list", path, "bob", "+hinge.step")
	if err != nil {
		return false, err
	}
	if err := errors.Join(alice.Reached(ctx, "ready"), bob.Reached(ctx, "ready")); err != nil {
		return false, fmt.Errorf("two programs open the list: %w", err)
	}
	content, lines := "", []string{}
	show := func(what string) (err error) {
		content, err = compact(path)
		lines = append(lines, fmt.Sprintf("%-38s %s", what, content))
		return err
	}
	if err := show("both have opened it"); err != nil {
		return false, err
	}
	for _, turn := range []struct {
		who  *process.Process
		what string
		last bool
	}{
		{alice, "Alice takes bracket.step", false},
		{bob, "Bob takes hinge.step", true},
		{alice, "Alice returns bracket.step", true},
	} {
		var result string
		if err := errors.Join(turn.who.Continue(), turn.who.NextResult(ctx, &result)); err != nil {
			return false, err
		}
		if err := show(turn.what + ", " + result); err != nil {
			return false, err
		}
		if turn.last {
			err = turn.who.Wait(ctx)
		} else {
			err = turn.who.Reached(ctx, "ready")
		}
		if err != nil {
			return false, err
		}
	}
	r.Story("two programs have one list open and take turns", lines...)
	return content == `{"hinge.step":"bob"}`, nil
}

// compact returns what the file holds, without the blanks if it is JSON.
func compact(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var document bytes.Buffer
	if json.Compact(&document, content) == nil {
		return document.String(), nil
	}
	return strings.TrimSpace(string(content)), nil
}

// A result is what the processes' calls returned and what the file holds.
type result struct {
	returned [][]int // by process
	content  string
	failure  error // the first calls that returned an error
}

func (r result) acknowledged() (updates int) {
	for _, counters := range r.returned {
		updates += len(counters)
	}
	return updates
}

// counter returns what the file holds as a number, and false if that is not a counter.
func (r result) counter() (int, bool) {
	var counter int
	_, err := fmt.Sscanf(r.content, `{"counter":%d}`, &counter)
	return counter, err == nil
}

func (r result) damaged() bool {
	counter, readable := r.counter()
	_, processes := r.repeated()
	return !readable || counter != r.acknowledged() || processes != nil
}

// repeated returns the first counter that several calls returned, and their processes.
func (r result) repeated() (counter int, processes []int) {
	who := map[int][]int{}
	for i, counters := range r.returned {
		for _, counter := range counters {
			who[counter] = append(who[counter], i+1)
		}
	}
	for _, counter := range slices.Sorted(maps.Keys(who)) {
		if len(who[counter]) > 1 {
			return counter, who[counter]
		}
	}
	return 0, nil
}

// countAll runs one round on a new counter.
func countAll(ctx context.Context, r *race.Report, path string) (result, error) {
	if err := os.WriteFile(path, []byte(`{"counter":0}`), 0o600); err != nil {
		return result{}, fmt.Errorf("begin a new counter: %w", err)
	}
	crew, err := r.Crew(ctx, processes, "count", func(int) []string { return []string{path} })
	if err != nil {
		return result{}, err
	}
	if err := crew.Go(); err != nil {
		return result{}, err
	}
	returned, err := race.Results[[]int](ctx, crew)
	if err != nil {
		return result{}, err
	}
	failures, err := crew.Wait(ctx)
	if err != nil {
		return result{}, err
	}
	content, err := compact(path)
	if err != nil {
		return result{}, fmt.Errorf("read the counter that Update wrote: %w", err)
	}
	return result{returned: returned, content: content, failure: errors.Join(failures...)}, nil
}

func show(r *race.Report, result result) {
	var rows [][]any
	for i, counters := range result.returned {
		last := any("-")
		if len(counters) > 0 {
			last = counters[len(counters)-1]
		}
		rows = append(rows, []any{i + 1, len(counters), last})
	}
	r.Table([]string{"process", "succeeded", "last value returned"}, rows)
	holds, lost := any(result.content), any("everything")
	if counter, readable := result.counter(); readable {
		holds, lost = counter, result.acknowledged()-counter
	}
	r.Facts("updates that returned no error", result.acknowledged(), "counter in the file", holds, "lost", lost)
	if counter, processes := result.repeated(); processes != nil {
		r.Story("where the first one went", fmt.Sprintf("%s got %d: each had read %d, and all but one of these writes are gone",
			list(processes), counter, counter-1))
	}
	if result.failure != nil {
		r.Story("the first call that failed", strings.SplitN(result.failure.Error(), "\n", 2)[0])
	}
}

func judge(r *race.Report, result result, listIsRight bool) {
	_, processes := result.repeated()
	switch counter, readable := result.counter(); {
	case readable && counter != result.acknowledged():
		r.Race("%d updates returned no error, and the file counts %d", result.acknowledged(), counter)
	case processes != nil:
		r.Race("two calls of Update returned the same counter")
	case result.damaged():
		r.Race("the file does not hold a counter any more")
	case result.failure != nil:
		r.Race("Update fails, so there is nothing to count")
	case !listIsRight:
		r.Race("the counter is right, but the list does not say that Bob has the hinge and that every other part is free")
	default:
		r.Clean("every update is in the file, every value was returned once, and the list is right")
	}
}

// list is "process 2 and process 4".
func list(processes []int) string {
	var names []string
	for _, p := range processes {
		names = append(names, fmt.Sprintf("process %d", p))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
