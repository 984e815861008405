package api_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab"
)

// Eighty requests for eight parts, by two servers in processes of their own; then one of them is killed.
func TestTwoServersGiveEachPartOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir) // skips where there are no locks
	one, other := start(t, dir), start(t, dir)
	l := lab.Lesson{
		Did:   "two servers in processes of their own had one directory; 80 requests asked for 8 parts, 40 at each",
		Means: "two people work on one part, and one of them will lose it", Read: why,
	}
	given, conflicts, others := crowd(t, []office{one.office, other.office}, l)
	if len(others) > 0 {
		found := fmt.Sprintf("%d of 80 other answers; the first: %s", len(others), others[0])
		lab.Require(t, false, shows(l.Say("Create answered neither 201 nor 409"), "201 or 409", found))
	}
	for part := range 8 {
		path := fmt.Sprintf("part-%d.bin", part)
		lab.Require(t, len(given[path]) == 1, shows(l.Say("Create did not give each part once"), "one lock for "+path, given[path]))
		for _, conflict := range conflicts[path] {
			lab.RequireEqual(t, given[path][0], conflict.ID, l.Say("Create answered 409 with a lock that is not the one in the way"))
		}
	}
	one.Kill()
	l.Did, l.Means = l.Did+"; then one was killed", "what was answered with 201 is lost"
	found := map[string]bool{}
	for _, lock := range listed(other.office, "GET /locks?limit=100", l) {
		found[lock.ID] = true
	}
	for path, ids := range given {
		lab.Require(t, found[ids[0]], shows(l.Say("List does not show a lock that a killed server has given"), "the lock of "+path, found))
	}
}

func shows(l lab.Lesson, expected string, found any) lab.Lesson {
	l.Expected, l.Found = expected, fmt.Sprint(found)
	return l
}

// crowd sends the requests, and returns the IDs that were given, and the locks of the conflicts, by path, and all other answers.
func crowd(t *testing.T, offices []office, l lab.Lesson) (given map[string][]string, conflicts map[string][]wire.Lock, others []string) {
	t.Helper()
	const n, parts = 80, 8
	path := func(i int) string { return fmt.Sprintf("part-%d.bin", i/2%parts) }
	got, errs := [n]answer{}, [n]error{}
	lab.FinishesInSteps(t, func(progress func()) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				ctx, user := context.WithoutCancel(t.Context()), fmt.Sprintf("user-%d", i)
				got[i], errs[i] = offices[i%2].ask(ctx, user, "POST", "/locks", fmt.Sprintf(`{"path":%q}`, path(i)))
				progress()
			})
		}
		all.Wait()
	}, l)
	given, conflicts = map[string][]string{}, map[string][]wire.Lock{}
	for i, a := range got {
		switch {
		case errs[i] == nil && a.status == http.StatusCreated:
			given[path(i)] = append(given[path(i)], read[wire.Locked](offices[0], a, l).Lock.ID)
		case errs[i] == nil && a.status == http.StatusConflict:
			conflicts[path(i)] = append(conflicts[path(i)], read[wire.Conflict](offices[0], a, l).Lock)
		case errs[i] == nil:
			others = append(others, a.String())
		default:
			others = append(others, errs[i].Error())
		}
	}
	return given, conflicts, others
}

// A branch is an office in a process of its own.
type branch struct {
	*lab.Process
	office
}

func start(t *testing.T, dir string) branch {
	t.Helper()
	p := lab.Start(t, "serve", dir)
	var url string
	p.Result(&url)
	return branch{p, office{t, url}}
}
