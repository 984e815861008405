// Command race has several processes claim the same tickets with the learner's CreateNew, and counts for which tickets CreateNew
// returned no error in more than one of them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	openmodes "example/turnstile/exercises/01_open_modes"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const (
	people  = 4
	tickets = 200
	// rounds is how often the demo tries before it reports that it has seen no race. On the slow way the first round has always shown
	// it; where there is none, the race is a matter of luck.
	rounds, roundsWithoutSlowWay = 3, 10
)

func main() {
	race.Main(race.Demo{
		Workers: process.Workers{"claim": claim},
		Run:     run,
	})
}

// claim calls CreateNew for every ticket in the directory, signs those that it gets, and reports their numbers.
func claim(w *process.Worker) error {
	won := []int{}
	for ticket := range tickets {
		f, err := openmodes.CreateNew(ticketFile(w.Arg(0), ticket))
		w.Progress()
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = f.WriteString(person(w.Int(1)))
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		won = append(won, ticket)
	}
	return w.Result(won)
}

func person(number int) string { return fmt.Sprintf("process %d", number) }

func ticketFile(dir string, ticket int) string {
	return dir + string(os.PathSeparator) + fmt.Sprintf("%03d.ticket", ticket)
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("%d processes claim the same %d tickets, in a slow directory: CreateNew(ticket), then each writes its name", people, tickets)
	rounds := rounds
	if runtime.GOOS == "windows" {
		rounds = roundsWithoutSlowWay
	}
	for number := 1; ; number++ {
		round, err := play(ctx, r, filepath.Join(r.Dir(), fmt.Sprint(number)))
		if err != nil {
			return err
		}
		if number == rounds || round.unsound() {
			round.show(r, number)
			return nil
		}
	}
}

// A round is what became of the tickets of one directory.
type round struct {
	owners [tickets][]int  // the processes in which CreateNew returned no error
	signed [tickets]string // what the ticket's file holds
	failed error           // the first error of a claim that is not fs.ErrExist
}

func play(ctx context.Context, r *race.Report, dir string) (*round, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	way, err := slowWay(dir)
	if err != nil {
		return nil, err
	}
	crew, err := r.Crew(ctx, people, "claim", func(number int) []string { return []string{way, fmt.Sprint(number)} })
	if err != nil {
		return nil, err
	}
	if err := crew.Go(); err != nil {
		return nil, err
	}
	played := &round{}
	for i, p := range crew {
		var won []int
		if err := p.NextResult(ctx, &won); err != nil {
			played.failed = err
			return played, nil
		}
		for _, ticket := range won {
			played.owners[ticket] = append(played.owners[ticket], i+1)
		}
	}
	if _, err := crew.Wait(ctx); err != nil {
		return nil, err
	}
	for ticket := range tickets {
		content, err := os.ReadFile(ticketFile(dir, ticket))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		played.signed[ticket] = string(content)
	}
	return played, nil
}

// slowWay returns another path to the directory, on which the kernel needs longer to find a name: through a symbolic link that goes down
// and up again many times. What is a rare accident on the direct path happens all the time on this one. Windows gets the path as it is:
// an ordinary user makes no links there.
func slowWay(dir string) (string, error) {
	if runtime.GOOS == "windows" {
		return dir, nil
	}
	if err := os.Mkdir(filepath.Join(dir, "down"), 0o700); err != nil {
		return "", err
	}
	if err := os.Symlink(strings.Repeat("down/../", 500), filepath.Join(dir, "way")); err != nil {
		return "", err
	}
	return dir + strings.Repeat("/way", 12), nil
}

// count returns how many tickets have more than one owner and how many have none, and the first of the former.
func (o *round) count() (shared, unclaimed, example int) {
	example = -1
	for ticket, owners := range o.owners {
		switch {
		case len(owners) == 0:
			unclaimed++
		case len(owners) > 1:
			shared++
			if example < 0 {
				example = ticket
			}
		}
	}
	return shared, unclaimed, example
}

func (o *round) unsound() bool {
	shared, unclaimed, _ := o.count()
	return shared+unclaimed > 0 || o.failed != nil
}

func (o *round) show(r *race.Report, number int) {
	if o.failed != nil {
		r.Race("CreateNew returned another error than fs.ErrExist: %v", o.failed)
		return
	}
	shared, unclaimed, example := o.count()
	got, names := [people]int{}, [people]int{}
	all := 0
	for ticket, owners := range o.owners {
		for _, owner := range owners {
			got[owner-1]++
			all++
		}
		for i := range people {
			names[i] += strings.Count(o.signed[ticket], person(i+1))
		}
	}
	var rows [][]any
	for i := range people {
		rows = append(rows, []any{i + 1, got[i], names[i]})
	}
	r.Table([]string{"process", "tickets it got", "tickets with its name"}, rows)
	r.Facts("round", number, "tickets", tickets, "given out", all, "given to more than one", shared, "given to none", unclaimed)
	if example >= 0 {
		var lines []string
		for _, owner := range o.owners[example] {
			lines = append(lines, fmt.Sprintf("%s: CreateNew returned no error", person(owner)))
		}
		r.Story(fmt.Sprintf("ticket %03d", example), append(lines, fmt.Sprintf("the file holds %q", o.signed[example]))...)
	}
	switch {
	case shared > 0:
		r.Race("tickets with more than one owner: %d, and no call failed", shared)
	case unclaimed > 0:
		r.Race("%d of %d tickets were given to no process", unclaimed, tickets)
	default:
		r.Clean("each of %d × %d tickets has one owner", number, tickets)
	}
}
