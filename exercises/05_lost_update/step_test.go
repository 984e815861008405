package lostupdate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// These tests force every schedule of two programs, of which one acts between two system calls of the other: wherever the first
// stands, the second either waits or does its work whole, so that the two come one after the other.

// A pair is two programs at work on one file. The first is this process, which stands still before its calls to the kernel.
type pair struct {
	one *desk
	two program
}

func startPair(t *testing.T, path string) pair {
	t.Helper()
	one := &desk{path: path}
	if strings.HasPrefix(filepath.Base(path), "locks") {
		list, err := lostupdate.Open(path)
		must(t, err)
		t.Cleanup(func() { _ = list.Close() })
		one.list = list
	}
	return pair{one, start(t, path)}
}

// mostStops is how many stops of a call are tried. No call has so many.
var mostStops = lab.Rounds(40)

// between gives the first order to one program, stops it before its call of that number, of those whose name contains kind, and gives the
// second order to the other program. It returns what both returned, and false if the first order makes fewer such calls. before acts at
// the stop, ahead of the second order.
func (p pair) between(number int, kind, first, second string, before func(), lesson lab.Lesson) (a, b reply, met bool) {
	t := p.two.t
	t.Helper()
	stops := 0
	err := lab.Watch(func() { a = p.one.do(first) }, func(name string) {
		if !strings.Contains(name, kind) {
			return
		}
		if stops++; stops == number {
			met = true
			before()
			p.two.Begin(second)
		}
	})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	lab.RequireNoError(t, err, lesson)
	if met {
		b = p.two.end(lesson)
	}
	return a, b, met
}

func TestUpdateIsOneStepForOtherPrograms(t *testing.T) {
	t.Parallel()
	path := counterFile(t, 40)
	lesson := lab.Lesson{
		Says:  "Update let another process in before it was done",
		Did:   "Update(+1) of the counter 40 in two processes; the second one ran while the first one stood between two of its system calls",
		Means: "a change is gone, or two job cards have the same number, and no call returned an error",
		Read:  begins,
	}
	programs := startPair(t, path)
	for number := 1; number <= mostStops; number++ {
		write(t, path, `{"counter":40}`)
		a, b, met := programs.between(number, "", "update 1", "update 1", func() {}, lesson)
		if !met {
			break
		}
		lab.RequireNoError(t, a.Returned.Err, lesson)
		lab.RequireNoError(t, b.Returned.Err, lesson)
		requireCounter(t, path, 42, lesson)
		got := []int{a.Counter, b.Counter}
		slices.Sort(got)
		lab.RequireEqual(t, "[41 42]", fmt.Sprint(got), lesson)
	}
}

func TestTakeAndReturnAreOneStepForOtherPrograms(t *testing.T) {
	t.Parallel()
	path := listFile(t, "{}")
	programs := startPair(t, path)
	for _, c := range []struct {
		content, first, second string
		kind                   string // stops the first before these calls only
		want                   string // what the two get, in the order of the alphabet
		left                   []string
		says, means            string
	}{
		{
			`{}`, "take lid.step alice", "take lid.step bob", "", "ErrTaken and no error",
			[]string{`{"lid.step":"alice"}`, `{"lid.step":"bob"}`},
			"Take gave one part to two programs", "two people work on one part, each sure of having it",
		},
		{
			`{"lid.step":"eve"}`, "return lid.step eve", "return lid.step eve", "", "ErrNotHolder and no error",
			[]string{`{}`},
			"Return took one part back twice", "if a person had taken it in between, the second Return would have taken it away again",
		},
		{
			`{"hinge.step":"eve"}`, "take lid.step alice", "return hinge.step eve", "", "no error and no error",
			[]string{`{"lid.step":"alice"}`},
			"Take threw away what a Return wrote in the meantime", "the list says that Eve has a part that she has returned",
		},
		{
			`{"hinge.step":"eve"}`, "return hinge.step eve", "take lid.step alice", "", "no error and no error",
			[]string{`{"lid.step":"alice"}`},
			"Return threw away what a Take wrote in the meantime", "the list does not say that Alice has a part: the next person gets it too",
		},
		{ // the program that writes the list has had the lock since before it read it
			`{"lid.step":"eve"}`, "return lid.step eve", "take lid.step bob", "write", "no error and no error",
			[]string{`{"lid.step":"bob"}`},
			"Take refused a part that another program was giving back, instead of waiting for its turn",
			"Take decided by what the list held before its turn: Bob does not get a part that is free",
		},
	} {
		lesson := lab.Lesson{
			Says: c.says, Means: c.means, Read: begins,
			Did: fmt.Sprintf("the list was %s; one program was in the middle of %q; meanwhile another one called %q", c.content, c.first, c.second),
		}
		for number := 1; number <= mostStops; number++ {
			write(t, path, c.content)
			a, b, met := programs.between(number, c.kind, c.first, c.second, func() { openAndClose(t, path, lesson) }, lesson)
			if !met {
				break
			}
			got := []string{a.String(), b.String()}
			slices.Sort(got)
			lab.RequireEqual(t, c.want, strings.Join(got, " and "), lesson)
			requireOneOf(t, path, c.left, lesson)
		}
	}
}

// requireOneOf demands that the file holds one of these lists.
func requireOneOf(t *testing.T, path string, lists []string, lesson lab.Lesson) {
	t.Helper()
	text, err := json.Marshal(readList(t, path, lesson)) // sorts the keys
	must(t, err)
	lesson.Expected, lesson.Found = strings.Join(lists, " or "), string(text)
	lab.Require(t, slices.Contains(lists, string(text)), lesson)
}

// openAndClose is a third program that looks at the list: it neither waits nor takes anything away.
func openAndClose(t *testing.T, path string, lesson lab.Lesson) {
	t.Helper()
	waits, fails := lesson, lesson
	waits.Says = "Open or Close waited for another program's call"
	waits.Means = "one program is at work: no other can start, or end"
	fails.Says = "Open failed because another program was in the middle of its call"
	fails.Means = "the list is right again at once, but the program cannot start, or a person brings back an old copy and loses checkouts"
	fails.Read = copied
	var err error
	lab.Finishes(t, func() {
		var list *lostupdate.Checkouts
		if list, err = lostupdate.Open(path); err == nil {
			err = list.Close()
		}
	}, waits)
	lab.RequireNoError(t, err, fails)
}

// A caller that cannot know whether others see its lock must not act as if it were alone.
func TestUpdateWithoutAPlaceForALockFile(t *testing.T) {
	t.Parallel()
	dir := lab.SharedDir(t)
	path := filepath.Join(dir, "counter.json")
	write(t, path, `{"counter":41}`)
	readOnly(t, path)
	lesson := lab.Lesson{
		Says:  "Update went on without a lock where it could make no lock file",
		Did:   "two processes that may write counter.json, but create no file beside it, called Update; one was inside, about to set 99",
		Means: "a change is gone, and no call returned an error",
		Read:  refusal,
	}
	o := lab.Options{Unprivileged: true, Env: homesIn(lab.SharedDir(t))}
	first := lab.Launch(t, o, "stand inside", path, "99")
	if first.Settle() != process.AtStep {
		lab.RequireError(t, first.Wait(lesson), lesson)
		requireCounter(t, path, 41, lesson)
		return
	}
	o.Dir, o.Env = dir, homesIn(lab.SharedDir(t))
	second := launch(t, o, path)
	second.Begin("update 1")
	first.Reached("inside", lesson)
	first.Continue()
	lab.RequireNoError(t, first.Wait(lesson), lesson)
	lab.RequireNoError(t, second.end(lesson).Returned.Err, lesson)
	requireCounter(t, path, 100, lesson)
}
