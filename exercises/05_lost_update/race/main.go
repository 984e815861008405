// Command race lets several processes count in one file with your Update, and compares what they were told with what is left. Then
// two programs take turns with one list of checkouts.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// count does its updates of PATH and reports the numbers that it was told by those that returned nil.
func count(w *process.Worker) error {
	told := make([]int, 0, updates)
	var first error
	for range updates {
		counter, err := lostupdate.Update(w.Arg(0), func(counter int) int {
			time.Sleep(50 * time.Microsecond) // somebody looks at the old number before they write the new one
			return counter + 1
		})
		if err == nil {
			told = append(told, counter)
		} else if first == nil {
			first = err
		}
		w.Progress()
	}
	return errors.Join(w.Result(told), first)
}

// changeList opens the list PATH, and takes ("+part") or returns ("-part") for WHO. It stands at "ready" before each change, and
// reports each error in words.
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
		said := "no error"
		if err := do(part, w.Arg(1)); err != nil {
			said = err.Error()
		}
		if err := w.Result(said); err != nil {
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
			judge(r, result, round, listIsRight)
			return nil
		}
	}
}

// takeTurns lets two programs have the list open and change it in turn, and shows the file after each call. It reports whether the
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
		var said string
		if err := errors.Join(turn.who.Continue(), turn.who.NextResult(ctx, &said)); err != nil {
			return false, err
		}
		if err := show(turn.what + ", " + said); err != nil {
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
	r.Story("two programs have a list open, and take turns", lines...)
	return content == `{"hinge.step":"bob"}`, nil
}

// compact returns what the file holds: JSON without blanks, or, if it is none, as it is.
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

// A result is what the processes were told and what the file holds.
type result struct {
	told    [][]int // by process
	content string
	failure error // the first calls that did not return nil
}

func (r result) acknowledged() (updates int) {
	for _, told := range r.told {
		updates += len(told)
	}
	return updates
}

func (r result) expected() string { return fmt.Sprintf(`{"counter":%d}`, r.acknowledged()) }

func (r result) damaged() bool { return r.content != r.expected() || r.repeated() > 0 }

// A teller is one number and the process that was told it.
type teller struct{ number, process int }

// tellers returns every number that was told, in order.
func (r result) tellers() (all []teller) {
	for i, told := range r.told {
		for _, number := range told {
			all = append(all, teller{number, i + 1})
		}
	}
	slices.SortFunc(all, func(a, b teller) int { return cmp.Or(a.number-b.number, a.process-b.process) })
	return all
}

// repeated counts the calls that were told a number which another call was told too, but for one call each.
func (r result) repeated() (calls int) {
	all := r.tellers()
	for i := range all {
		if i > 0 && all[i].number == all[i-1].number {
			calls++
		}
	}
	return calls
}

// firstRepeated returns the first number that several calls were told, and their processes.
func (r result) firstRepeated() (number int, processes []int) {
	all := r.tellers()
	for i := 1; i < len(all); i++ {
		if all[i].number != all[i-1].number {
			continue
		}
		for _, t := range all[i-1:] {
			if t.number == all[i].number {
				processes = append(processes, t.process)
			}
		}
		return all[i].number, processes
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
	told, err := race.Results[[]int](ctx, crew)
	if err != nil {
		return result{}, err
	}
	returned, err := crew.Wait(ctx)
	if err != nil {
		return result{}, err
	}
	content, err := compact(path)
	if err != nil {
		return result{}, fmt.Errorf("read the counter that Update has written: %w", err)
	}
	return result{told: told, content: content, failure: errors.Join(returned...)}, nil
}

func show(r *race.Report, result result) {
	var rows [][]any
	for i, told := range result.told {
		last := any("-")
		if len(told) > 0 {
			last = told[len(told)-1]
		}
		rows = append(rows, []any{i + 1, len(told), last})
	}
	r.Table([]string{"process", "succeeded", "last number it was told"}, rows)
	r.Facts(
		"updates that returned no error", result.acknowledged(),
		"what the file holds", result.content,
		"what it should hold", result.expected(),
		"different numbers that were told", result.acknowledged()-result.repeated(),
	)
	if number, processes := result.firstRepeated(); processes != nil {
		r.Story("where the first one went", fmt.Sprintf("the number %d was told to %s: each had read %d, and wrote over the others",
			number, list(processes), number-1))
	}
	if result.failure != nil {
		r.Story("the first call that failed", strings.SplitN(result.failure.Error(), "\n", 2)[0])
	}
}

func judge(r *race.Report, result result, round int, listIsRight bool) {
	switch {
	case result.damaged():
		r.Race("%d updates were acknowledged, and the file does not hold them (round %d)", result.acknowledged(), round)
	case result.failure != nil:
		r.Race("Update fails, so that there is nothing to count")
	case !listIsRight:
		r.Race("the counter is right, but the list does not say that Bob has the hinge, and nobody anything else")
	default:
		r.Clean("in each of %d rounds every update is in the file, every number was told once, and the list is right", round)
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
