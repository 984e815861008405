// Command race lets several processes append to one log with your AppendLine, and counts what is left.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
	"example/turnstile/internal/lab/wine"
)

const (
	appends = 500
	// mostRounds bounds the search: as a rule the first round shows the race, if there is one.
	mostRounds = 20
)

var writers = []string{"alice", "bob", "carol", "dave"}

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"append": appendLines},
		Run:     run,
	})
}

func line(writer string, n int) string { return fmt.Sprintf("%s took part-%03d.step", writer, n) }

// appendLines appends one writer's lines and reports how many calls returned nil.
func appendLines(w *process.Worker) error {
	var acknowledged int
	var first error
	for n := range appends {
		if err := seektruncate.AppendLine(w.Arg(0), line(w.Arg(1), n)); err == nil {
			acknowledged++
		} else if first == nil {
			first = err
		}
	}
	return errors.Join(w.Result(acknowledged), first)
}

func run(ctx context.Context, r *race.Report) error {
	if wine.Present() {
		return fmt.Errorf("%w: Wine does not append as one step, it finds the end of the file and then writes there", race.ErrSystem)
	}
	r.Title("%d processes × %d AppendLine on one log", len(writers), appends)
	for round := 1; ; round++ {
		result, err := appendAll(ctx, r, filepath.Join(r.Dir(), fmt.Sprintf("checkouts-%d.log", round)))
		if err != nil {
			return err
		}
		if result.damaged() || round == mostRounds {
			show(r, result, round)
			return nil
		}
	}
}

// A log is what AppendLine returned and what the file holds.
type log struct {
	acknowledged []int // by writer
	found        []int // whole lines, by writer
	strange      []strangeLine
	failure      error // the first call that did not return nil
}

// A strangeLine is a line of the file that no call appended.
type strangeLine struct {
	number int
	text   string
}

func (l log) damaged() bool { return l.lost() > 0 || len(l.strange) > 0 }

func (l log) lost() (lines int) { return sum(l.acknowledged) - sum(l.found) }

// example is the first strange line that shows something; most of the first ones are empty.
func (l log) example() (example strangeLine, found bool) {
	for _, candidate := range l.strange {
		if !found || candidate.text != "" {
			example, found = candidate, true
		}
		if example.text != "" {
			break
		}
	}
	return example, found
}

func sum(numbers []int) (total int) {
	for _, n := range numbers {
		total += n
	}
	return total
}

// appendAll runs one round on a new log.
func appendAll(ctx context.Context, r *race.Report, path string) (log, error) {
	crew, err := r.Crew(ctx, len(writers), "append", func(number int) []string { return []string{path, writers[number-1]} })
	if err != nil {
		return log{}, err
	}
	if err := crew.Go(); err != nil {
		return log{}, err
	}
	acknowledged, err := race.Results[int](ctx, crew)
	if err != nil {
		return log{}, err
	}
	returned, err := crew.Wait(ctx)
	if err != nil {
		return log{}, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return log{}, fmt.Errorf("read the log that AppendLine has written: %w", err)
	}
	result := compare(string(content))
	result.acknowledged, result.failure = acknowledged, errors.Join(returned...)
	return result, nil
}

// compare looks for every line that was appended.
func compare(content string) log {
	owner := make(map[string]int)
	for i, writer := range writers {
		for n := range appends {
			owner[line(writer, n)] = i
		}
	}
	result := log{found: make([]int, len(writers))}
	for number, text := range strings.Split(strings.TrimSuffix(content, "\n"), "\n") {
		if i, known := owner[text]; known {
			result.found[i]++
			delete(owner, text)
		} else {
			result.strange = append(result.strange, strangeLine{number + 1, text})
		}
	}
	return result
}

func show(r *race.Report, result log, round int) {
	var rows [][]any
	for i, writer := range writers {
		rows = append(rows, []any{writer, result.acknowledged[i], result.found[i]})
	}
	r.Table([]string{"process", "calls that returned nil", "lines in the log"}, rows)
	r.Facts(
		"lines that should be there", sum(result.acknowledged),
		"whole lines in the log", sum(result.found),
		"lost", result.lost(),
		"lines that no call wrote", len(result.strange),
	)
	if first, found := result.example(); found {
		r.Story("one that no call wrote", fmt.Sprintf("line %d: %q", first.number, first.text))
	}
	if result.failure != nil {
		r.Story("the first call that failed", strings.SplitN(result.failure.Error(), "\n", 2)[0])
	}
	switch {
	case result.damaged():
		r.Race("%d lines are lost, and no call returned an error (round %d)", result.lost(), round)
	case result.failure != nil:
		r.Race("AppendLine fails, so nothing is known about its lines")
	default:
		r.Clean("in each of %d rounds every line is in the log, once and in one piece", round)
	}
}
