package lostupdate_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// These tests force every schedule of two programs, of which one acts between two system calls of the other: wherever the first
// stands, the second either waits or does its work whole, so that the two come one after the other.

// aChange finds the name of a call that changes the document: a program that makes one has had its turn since before it read.
const aChange = "pwrite|truncate|rename"

// A pair is two programs at work on one file. The first is this process, which stands still before its calls to the kernel.
type pair struct {
	one *desk
	two program
	dir string // where the second program was started
}

func startPair(t *testing.T, path string) pair {
	t.Helper()
	dir := t.TempDir()
	return pair{sitHere(t, path), launch(t, lab.Options{Dir: dir}, path), dir}
}

// sitHere is a program at work in this process.
func sitHere(t *testing.T, path string) *desk {
	t.Helper()
	d := &desk{path: path}
	if strings.HasPrefix(filepath.Base(path), "locks") {
		list, err := lostupdate.Open(path)
		must(t, err)
		t.Cleanup(func() { _ = list.Close() })
		d.list = list
	}
	return d
}

// refusals are reasons for which a file cannot be opened or made: a read-only or full file system, no permission, too many open files.
var refusals = []syscall.Errno{
	syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENAMETOOLONG,
}

// mostStops is how many stops of a call are tried. No call has so many.
var mostStops = lab.Rounds(40)

// relative is the lesson for two programs that did not exclude each other, if the second one has made files in the directory where it was
// started, which has nothing to do with the list.
func (p pair) relative(lesson lab.Lesson) lab.Lesson {
	p.two.t.Helper()
	made, err := os.ReadDir(p.dir)
	must(p.two.t, err)
	if len(made) > 0 {
		lesson.Did += "; that one had opened the list by a relative path and then changed its working directory"
		lesson.Means = "each locked a file of its own: the second one made " + made[0].Name() + " in its new working directory"
		lesson.Read = lives
	}
	return lesson
}

// between gives the first order to one program, stops it before its call of that number, of those whose name matches kind, and gives the
// second order to the other program. It returns what both returned, and false if the first order makes fewer such calls. before acts at
// the stop, ahead of the second order.
func (p pair) between(number int, kind, first, second string, before func(), lesson lab.Lesson) (a, b reply, met bool) {
	t := p.two.t
	t.Helper()
	stops, waited := 0, false
	err := lab.Watch(func() { a = p.one.do(first) }, func(name string) {
		if !regexp.MustCompile(kind).MatchString(name) {
			return
		}
		if stops++; stops == number {
			met = true
			before()
			waited = p.two.Begin(second) != process.AtStep
		}
	})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	lab.RequireNoError(t, err, lesson)
	if met {
		b = p.two.end(lesson)
		b.Waited = waited
	}
	return a, b, met
}

func TestUpdateIsOneStepForOtherPrograms(t *testing.T) {
	t.Parallel()
	path := counterFile(t, 40)
	lesson := lab.Lesson{
		Says:  "Update let another process in before it was done",
		Did:   "Update(-1) of the counter 100 in two processes; the second one ran while the first one stood between two of its system calls",
		Means: "a change is gone, or two job cards have the same number, and no call returned an error",
		Read:  begins,
	}
	failed := lesson.Say("Update failed because another process was inside Update")
	failed.Means = "a call that reads before its turn meets half a write: the file looks damaged, and a job card gets no number"
	programs := startPair(t, path)
	for number := 1; number <= mostStops; number++ {
		write(t, path, `{"counter":100}`)
		a, b, met := programs.between(number, "", "update -1", "update -1", func() {}, lesson)
		if !met {
			break
		}
		lab.RequireNoError(t, a.Returned.Err, failed)
		lab.RequireNoError(t, b.Returned.Err, failed)
		requireCounter(t, path, 98, lesson)
		got := []int{a.Counter, b.Counter}
		slices.Sort(got)
		lab.RequireEqual(t, "[98 99]", fmt.Sprint(got), lesson)
	}
}

func TestTakeAndReturnAreOneStepForOtherPrograms(t *testing.T) {
	t.Parallel()
	path := listFile(t, "{}")
	tools := filepath.Join(filepath.Dir(path), "locks-of-tools.json")
	write(t, tools, "{}")
	other := sitHere(t, tools)
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
			`{"lid.step":"eve"}`, "return lid.step eve", "take lid.step bob", aChange, "no error and no error",
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
			before := func() {
				openAndClose(t, path, lesson)
				if c.kind == aChange { // it is inside: whatever it holds, it holds for others to wait
					takeElsewhere(t, other, c.first)
				}
			}
			a, b, met := programs.between(number, c.kind, c.first, c.second, before, lesson)
			if !met {
				break
			}
			lesson := programs.relative(lesson)
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
	text := sorted(t, path, lesson)
	lesson.Expected, lesson.Found = strings.Join(lists, " or "), text
	lab.Require(t, slices.Contains(lists, text), lesson)
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

// takeElsewhere takes and returns a part of another list, in the process that is in the middle of a call.
func takeElsewhere(t *testing.T, other *desk, first string) {
	t.Helper()
	lesson := lab.Lesson{
		Says:  "Take or Return waited for a call about another list",
		Did:   fmt.Sprintf("one goroutine was in the middle of %q; another one called Take and Return of another list", first),
		Means: "people who have nothing to do with each other wait for each other",
		Read:  lives,
	}
	failed := lesson.Say("Take or Return failed while a goroutine changed another list")
	failed.Means = "people who have nothing to do with each other are in each other's way"
	var err error
	lab.Finishes(t, func() {
		err = errors.Join(other.do("take saw bob").Returned.Err, other.do("return saw bob").Returned.Err)
	}, lesson)
	lab.RequireNoError(t, err, failed)
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
	early := lesson.Say("Update called change and then failed, because it could make no lock file")
	early.Means = "change may print a job card: here with a number that is not stored, and that the next card gets too"
	early.Read = begins
	o.Dir, o.Env = dir, homesIn(lab.SharedDir(t))
	second := launch(t, o, path)
	second.Begin("update 1")
	first.Reached("inside", lesson)
	first.Continue()
	lab.RequireNoError(t, first.Wait(early), early)
	lab.RequireNoError(t, second.end(early).Returned.Err, early)
	requireCounter(t, path, 100, lesson)
}

// What the kernel refuses before a program has the lock is no reason to go on without it.
func TestRefusedOnTheWayToTheLockNothingIsWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, first, second, one, both string }{
		{"counter.json", `{"counter":40}`, "update 1", "update 1", `{"counter":41}`, `{"counter":42}`},
		{
			"locks.json", `{"hinge.step":"eve"}`, "return hinge.step eve", "take lid.step alice", `{}`, `{"lid.step":"alice"}`,
		},
		{
			"locks.json", `{"hinge.step":"eve"}`, "take lid.step alice", "return hinge.step eve",
			`{"hinge.step":"eve","lid.step":"alice"}`, `{"lid.step":"alice"}`,
		},
	} {
		call := callOf(c.second)
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, c.name, c.content)
			programs := startPair(t, path)
			last := mostStops // calls before a program waits for the lock
			for _, errno := range refusals {
				for made := 0; made < last; made++ {
					lesson := lab.Lesson{
						Says: call + " went on without the lock",
						Did: fmt.Sprintf("one program was in the middle of %q; another one called %q, and its system call number %d, such as the opening "+
							"of a lock file, failed: %v", c.first, c.second, made+1, errno),
						Means: "it changed the file without a lock, beside every other program that does",
						Read:  refusal,
					}
					write(t, path, c.content)
					order := fmt.Sprintf("refusing-one %d %d %s", errno, made, c.second)
					a, b, met := programs.between(1, aChange, c.first, order, func() {}, lesson)
					if !met {
						return // it writes in another way
					}
					lab.RequireNoError(t, a.Returned.Err, lesson)
					lesson = programs.relative(lesson)
					if b.Returned.Err == nil {
						requireOneOf(t, path, []string{c.both}, lesson)
					} else if !b.Waited {
						requireOneOf(t, path, []string{c.one}, lesson)
						lesson = lesson.Say("Update called change without the lock")
						lesson.Expected, lesson.Found = "no call of change", fmt.Sprintf("%d calls, and the error %v", b.Changes, b.Returned.Err)
						lab.Require(t, b.Changes == 0, lesson)
					}
					if b.Waited {
						last = made
					}
				}
			}
		})
	}
}

// takeAndReturnWait has its other program in the middle of a call, where it stands before one of its system calls.
func takeAndReturnWait(t *testing.T) {
	t.Helper()
	for _, c := range []struct{ content, first, second, left string }{
		{`{}`, "take lid.step alice", "take hinge.step bob", `{"hinge.step":"bob","lid.step":"alice"}`},
		{`{"hinge.step":"bob"}`, "take lid.step alice", "return hinge.step bob", `{"lid.step":"alice"}`},
	} {
		call := callOf(c.second)
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			path := listFile(t, c.content)
			lesson := lab.Lesson{
				Says: call + " gave up instead of waiting for its turn",
				Did: fmt.Sprintf("one goroutine stood in the middle of %q for two minutes of another one's clock; that one called %q",
					c.first, c.second),
				Means: "a person does not get a part, or cannot give it back, because the list was in use for a while",
				Read:  waiting,
			}
			one, two := sitHere(t, path), sitHere(t, path)
			var end func() error
			var a reply
			err := lab.Watch(func() { a = one.do(c.first) }, func(name string) {
				if end == nil && regexp.MustCompile(aChange).MatchString(name) {
					end = asleep(t, 2*time.Minute+10*time.Second, func() error { return two.do(c.second).Returned.Err }, lesson)
				}
			})
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			}
			lab.RequireNoError(t, err, lesson)
			if end == nil {
				t.Skip("it writes in a way that cannot be stopped here")
			}
			lab.RequireNoError(t, a.Returned.Err, lesson)
			lab.RequireNoError(t, end(), lesson)
			requireOneOf(t, path, []string{c.left}, lesson)
		})
	}
}
