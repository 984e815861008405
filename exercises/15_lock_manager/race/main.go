// Command race lets ten people ask for eight parts at the same time, each in a program of their own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"example/turnstile/exercises/13_document/format"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/ledger"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const (
	parts = 8
	// slow is how long a program needs to find out what time it is. It makes what happens on a busy machine now and then happen at once.
	slow   = 20 * time.Millisecond
	rounds = 2 // if the first one shows no race
)

var people = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"}

func main() {
	race.Main(race.Demo{
		Workers:   process.Workers{"ask": ask},
		Sentinels: []error{lockmanager.ErrHeld},
		Run: func(ctx context.Context, r *race.Report) error {
			r.Title("%d people want all of %d parts, at the same time, on a machine where asking for the time takes %v: %d requests",
				len(people), parts, slow, len(people)*parts)
			for round := range rounds {
				result, err := requests(ctx, r, filepath.Join(r.Dir(), fmt.Sprintf("locks-%d.json", round)))
				if err != nil {
					return err
				}
				if result.wrong() || round == rounds-1 {
					result.show(r)
					return nil
				}
			}
			return nil
		},
	})
}

// A result is what eighty requests have come to.
type result struct {
	owners   [parts][]string // who was told that they have the part
	failed   []string        // errors other than "someone has it"
	recorded int             // checkouts in the document
}

func (r result) wrong() bool {
	for _, owners := range r.owners {
		if len(owners) != 1 {
			return true
		}
	}
	return len(r.failed) > 0 || r.recorded != parts
}

func (r result) show(report *race.Report) {
	rows := make([][]any, 0, parts)
	winners, several := 0, 0
	for i, owners := range r.owners {
		rows = append(rows, []any{partName(i), len(owners), strings.Join(owners, ", ")})
		winners += len(owners)
		if len(owners) > 1 {
			several++
		}
	}
	report.Table([]string{"part", "owners", "who was told so"}, rows)
	report.Facts("requests that got a part", winners, "checkouts in locks.json", r.recorded, "parts", parts)
	if len(r.failed) > 0 {
		report.Story("failed with another reason", r.failed[0])
	}
	switch {
	case several > 0:
		report.Race("%d of %d parts have several owners, and no call failed", several, parts)
	case r.wrong():
		report.Race("what the requests were told and what is recorded do not agree; is lesson 13 repaired?")
	default:
		report.Clean("%d requests, and each of %d parts has one owner", len(people)*parts, parts)
	}
}

func partName(i int) string { return fmt.Sprintf("part-%d.step", i+1) }

// ask asks for all parts at once for NAME, of the manager at PATH, and sends the numbers of those that it got.
func ask(w *process.Worker) error {
	m := lockmanager.New(w.Arg(0), lockmanager.Options{Now: func() time.Time { time.Sleep(slow); return time.Now() }})
	var all sync.WaitGroup
	var errs [parts]error
	for i := range parts {
		all.Go(func() {
			_, errs[i] = m.Lock(context.Background(), w.Arg(1), partName(i))
			w.Progress()
		})
	}
	all.Wait()
	got := []int{}
	for i, err := range errs {
		switch {
		case err == nil:
			got = append(got, i)
		case !errors.Is(err, lockmanager.ErrHeld):
			return err
		}
	}
	return w.Result(got)
}

func requests(ctx context.Context, r *race.Report, path string) (sum result, err error) {
	first, _, err := format.Encode(path, 1, &ledger.Ledger{Checkouts: []ledger.Checkout{}}, nil)
	if err == nil {
		err = os.WriteFile(path, first, 0o600)
	}
	if err != nil {
		return sum, fmt.Errorf("begin a document: %w", err)
	}
	crew, err := r.Crew(ctx, len(people), "ask", func(number int) []string { return []string{path, people[number-1]} })
	if err != nil {
		return sum, err
	}
	if err := crew.Go(); err != nil {
		return sum, err
	}
	ends, err := crew.Wait(ctx)
	if err != nil {
		return sum, err
	}
	for i, p := range crew {
		if ends[i] != nil {
			sum.failed = append(sum.failed, fmt.Sprintf("%s: %v", people[i], ends[i]))
			continue
		}
		var got []int
		if err := p.NextResult(ctx, &got); err != nil {
			return sum, err
		}
		for _, part := range got {
			sum.owners[part] = append(sum.owners[part], people[i])
		}
	}
	page, err := lockmanager.New(path, lockmanager.Options{}).List(ctx, lockmanager.Query{})
	sum.recorded = len(page.Checkouts)
	return sum, err
}
