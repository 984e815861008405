package lostupdate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
)

// changes opens the list, PATH, and takes ("+part") and returns ("-part") parts, WHO and changes. It stands at "ready" before each,
// and reports what each call returned.
func changes(w *lab.Worker) error {
	list, err := lostupdate.Open(w.Arg(0))
	if err != nil {
		return err
	}
	var calls []lab.Returned
	for i := 2; w.Arg(i) != ""; i++ {
		w.Reached("ready")
		part, do := w.Arg(i)[1:], list.Take
		if w.Arg(i)[0] == '-' {
			do = list.Return
		}
		calls = append(calls, lab.Returned{Err: do(part, w.Arg(1))})
	}
	return errors.Join(w.Result(calls), list.Close())
}

// all opens the list, PATH, once for each goroutine, stands at "open", and then takes, or returns, every part that it can get, in
// the order of their names: "take" or "return", COUNT and the goroutines' names. It reports which one got which. It opens the list
// from its own folder, and works in another.
func all(w *lab.Worker) error {
	elsewhere, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(filepath.Dir(w.Arg(0))); err != nil {
		return err
	}
	var names []string
	var lists []*lostupdate.Checkouts
	for i := 3; w.Arg(i) != ""; i++ {
		list, err := lostupdate.Open(filepath.Base(w.Arg(0)))
		if err != nil {
			return err
		}
		names, lists = append(names, w.Arg(i)), append(lists, list)
	}
	if err := os.Chdir(elsewhere); err != nil {
		return err
	}
	w.Reached("open")

	var mutex sync.Mutex
	got := map[string][]string{}
	var failure error
	var goroutines sync.WaitGroup
	for i, list := range lists {
		goroutines.Go(func() {
			mine, err := askForAll(list, w.Arg(1), names[i], w.Int(2), w.Progress)
			mutex.Lock()
			got[names[i]], failure = mine, errors.Join(failure, err, list.Close())
			mutex.Unlock()
		})
	}
	goroutines.Wait()
	return errors.Join(failure, w.Result(got))
}

func askForAll(list *lostupdate.Checkouts, what, who string, count int, progress func()) (got []string, failure error) {
	for n := range count {
		progress()
		var err error
		if what == "take" {
			err = list.Take(part(n), who)
		} else {
			err = list.Return(part(n), "everybody")
		}
		if err == nil {
			got = append(got, part(n))
			rest() // and so do not run ahead of the others, who would find nothing left
		} else if !errors.Is(err, lostupdate.ErrTaken) && !errors.Is(err, lostupdate.ErrNotHolder) && failure == nil {
			failure = err
		}
	}
	return got, failure
}

func part(n int) string { return fmt.Sprintf("part-%03d.step", n) }

// story takes and returns parts, one after the other, and reports what each call returned: PATH.
func story(w *lab.Worker) error {
	list, err := lostupdate.Open(w.Arg(0))
	if err != nil {
		return err
	}
	calls := []lab.Returned{
		{Err: list.Take("hinge.step", "bob")},
		{Err: list.Take("hinge.step", "bob")},
		{Err: list.Return("hinge.step", "alice")},
		{Err: list.Return("lid.step", "bob")},
		{Err: list.Return("bracket.step", "alice")},
	}
	return errors.Join(w.Result(calls), list.Close())
}

// listRefused opens the list PATH and takes a part of it, or returns one ("-"), which must fail. It goes on living.
func listRefused(w *lab.Worker) error {
	list, err := lostupdate.Open(w.Arg(0))
	if err == nil {
		defer func() { _ = list.Close() }()
		if w.Arg(1) == "-" {
			err = list.Return("bracket.step", "alice")
		} else {
			err = list.Take("hinge.step", "bob")
		}
	}
	w.Reached("refused")
	return err
}

func TestTakeAndReturn(t *testing.T) {
	t.Parallel()
	t.Run("one after the other", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
		worker := start(t, "checkouts", path)
		lesson := lab.Lesson{
			Says:  "Take and Return do not keep the list right, although nobody else uses it",
			Did:   "Bob takes the hinge, twice; Alice returns the hinge, which she does not have; Bob the lid; Alice her bracket",
			Means: "the list does not say who has which part",
			Read:  `lessons/05_lost_update, "Your turn"`,
		}
		var got []lab.Returned
		worker.Result(&got, lesson)
		lab.RequireNoError(t, worker.Wait(lesson), lesson)
		lab.RequireEqual(t, "yes; taken; not the holder; not the holder; yes", answers(got), lesson)
		requireDocument(t, path, `{"hinge.step":"bob"}`, lesson)
	})

	t.Run("but Open makes no list up", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		lesson := lab.Lesson{
			Says:  "Open began a new list where there was none",
			Did:   "Open of a list that does not exist",
			Means: "a list that was moved or lost is not missed: everything is free, and two people work on one part",
			Read:  `lessons/05_lost_update, "Your turn"`,
		}
		lab.RequireErrorIs(t, start(t, "changes", path, "alice").Wait(lesson), fs.ErrNotExist, lesson)
		lab.RequireNoFile(t, path, lesson)
	})

	for _, c := range []struct{ name, change, call string }{
		{"but Take leaves a damaged list as it is", "+", "Take"},
		{"but Return leaves a damaged list as it is", "-", "Return"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, damaged := range []string{"", "null", `{"bracket.step":"ali`} {
				requireRefusal(t, damaged, c.change, c.call)
			}
		})
	}
}

func answers(calls []lab.Returned) string {
	var answers []string
	for _, call := range calls {
		answers = append(answers, answer(call.Err))
	}
	return strings.Join(answers, "; ")
}

// requireRefusal demands that a damaged list is refused, is left as it is, and does not stay locked.
func requireRefusal(t *testing.T, damaged, change, call string) {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", damaged)
	lesson := lab.Lesson{
		Says:  call + " took a damaged list for a new one",
		Did:   fmt.Sprintf("the file held %q; %s", damaged, call),
		Means: "every part is free to be taken, although people work on them, and what could still be saved of the list is gone",
		Read:  `lessons/05_lost_update, "Your turn"`,
	}
	first := start(t, "refused list", path, change)
	first.Reached("refused", lesson)
	lab.RequireFile(t, path, damaged, lesson)
	repair(t, path, `{}`)

	locked := lesson
	locked.Says = call + " kept the others out after it had refused a damaged list"
	locked.Did += "; then another process took a part, when the list was whole again"
	locked.Means = "everybody waits for somebody who is not inside any more: nobody can take a part until that program ends"
	locked.Read = `lessons/05_lost_update, "What keeps a lock too long"`
	second := start(t, "changes", path, "bob", "+hinge.step")
	requireNotWaiting(t, second, locked)
	second.Reached("ready", locked)
	second.Continue()
	requireNotWaiting(t, second, locked)
	lab.RequireNoError(t, second.Wait(locked), locked)
	requireDocument(t, path, `{"hinge.step":"bob"}`, locked)
	first.Continue()
	lab.RequireError(t, first.Wait(lesson), lesson)
}

// opened is the lesson for a list that cannot be opened while another program has it open.
func opened(lesson lab.Lesson) lab.Lesson {
	lesson.Says = "Open waited for another program that has the list open"
	lesson.Means = "one program has the list open the whole day: nobody else can start work"
	lesson.Read = `lessons/05_lost_update, "The copy in memory"`
	return lesson
}

func TestTakeSeesWhatOthersHaveTaken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, part string
		taken      bool
		want       string
		says       string
		means      string
	}{
		{
			"another part", "hinge.step", false, `{"bracket.step":"alice","hinge.step":"bob"}`,
			"Take threw away what another program had written",
			"the list says that nobody has Alice's part: the next one who asks gets it, and no call returned an error",
		},
		{
			"the same part", "bracket.step", true, `{"bracket.step":"alice"}`,
			"Take gave Bob a part that Alice has",
			"Alice and Bob work on the same part without knowing it, and no call returned an error",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", `{}`)
			lesson := lab.Lesson{
				Says:  c.says,
				Did:   fmt.Sprintf("two programs opened the list; Alice took bracket.step in one; then Bob asked for %s in the other", c.part),
				Means: c.means,
				Read:  `lessons/05_lost_update, "The copy in memory"`,
			}
			alice, bob := start(t, "changes", path, "alice", "+bracket.step"), start(t, "changes", path, "bob", "+"+c.part)
			alice.Reached("ready", opened(lesson))
			bob.Reached("ready", opened(lesson))
			alice.Continue()
			lab.RequireNoError(t, alice.Wait(lesson), lesson)
			bob.Continue()
			var got []lab.Returned
			bob.Result(&got, lesson)
			lab.RequireNoError(t, bob.Wait(lesson), lesson)
			requireDocument(t, path, c.want, lesson)
			lesson.Expected, lesson.Found = "no error", answers(got)
			if c.taken {
				lesson.Expected = "an error that matches ErrTaken"
			}
			lab.Require(t, len(got) == 1 && errors.Is(got[0].Err, lostupdate.ErrTaken) == c.taken && (c.taken || got[0].Err == nil), lesson)
		})
	}

	t.Run("and Return sees it too", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", `{}`)
		lesson := lab.Lesson{
			Says:  "Return threw away what another program had written",
			Did:   "two programs opened the list; Alice took bracket.step; Bob took hinge.step; Alice returned bracket.step",
			Means: "the list says that nobody has Bob's part: the next one who asks gets it, and no call returned an error",
			Read:  `lessons/05_lost_update, "The copy in memory"`,
		}
		alice := start(t, "changes", path, "alice", "+bracket.step", "-bracket.step")
		bob := start(t, "changes", path, "bob", "+hinge.step")
		alice.Reached("ready", opened(lesson))
		bob.Reached("ready", opened(lesson))
		alice.Continue()
		alice.Reached("ready", lesson)
		bob.Continue()
		lab.RequireNoError(t, bob.Wait(lesson), lesson)
		alice.Continue()
		var got []lab.Returned
		alice.Result(&got, lesson)
		lab.RequireNoError(t, alice.Wait(lesson), lesson)
		requireDocument(t, path, `{"hinge.step":"bob"}`, lesson)
		lab.RequireEqual(t, "yes; yes", answers(got), lesson)
	})
}

func TestTakeGivesEachPartToOne(t *testing.T) {
	t.Parallel()
	mostRounds, enough := lab.Rounds(5), lab.Rounds(100)/slowness
	for _, c := range []struct {
		name, what string
		together   bool // in one process
	}{
		{"of four processes", "take", false},
		{"of four goroutines", "take", true},
		{"and Return takes it back from one", "return", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Not parallel: crowds at the same time would only wait for each other.
			for met, round := 0, 0; met < enough && round < mostRounds; round++ {
				met += askForTheSameParts(t, c.what, c.together)
			}
		})
	}
}

// askForTheSameParts lets four processes, or four goroutines with a list each, take or return the same parts, and returns how
// often the next part went to another one than the part before it.
func askForTheSameParts(t *testing.T, what string, together bool) (met int) {
	t.Helper()
	parts := lab.Rounds(150) / slowness
	who := []string{"alice", "bob", "carol", "dave"}
	crews, crew := [][]string{{who[0]}, {who[1]}, {who[2]}, {who[3]}}, "4 processes"
	if together {
		crews, crew = [][]string{who}, "4 goroutines, with a list each,"
	}
	path, does := lab.WriteFile(t, "locks.json", longList(0)), "Take"
	lesson := lab.Lesson{
		Says:  "Take gave one part to two who asked at once",
		Did:   fmt.Sprintf("%s asked for the same %d parts at the same time; they had changed their folder since Open", crew, parts),
		Means: "two people work on one part, each sure of having it, and the later one overwrites the earlier one's work",
		Read:  `lessons/05_lost_update, "Look and act"`,
	}
	if what == "return" {
		does = "Return"
		repair(t, path, longList(parts))
		lesson.Says = "Return took one part back twice when two returned it at once"
		lesson.Did = fmt.Sprintf("%s returned the same %d parts at the same time; they had changed their folder since Open", crew, parts)
		lesson.Means = "if somebody had taken it in between, the second Return would have taken it away from them"
	}
	failed := lesson
	failed.Says = does + " failed for one of four who asked at once"
	failed.Means = "one came while another was at work: it read a list that was half written, or was sent away"

	var processes []*lab.Process
	for _, names := range crews {
		processes = append(processes, start(t, "all", append([]string{path, what, fmt.Sprint(parts)}, names...)...))
	}
	for _, p := range processes {
		p.Reached("open", opened(lesson))
	}
	for _, p := range processes {
		p.Continue()
	}
	told := map[string][]string{}
	for _, p := range processes {
		var got map[string][]string
		p.Result(&got, lesson)
		lab.RequireNoError(t, p.Wait(lesson), failed)
		for name, parts := range got {
			for _, part := range parts {
				told[part] = append(told[part], name)
			}
		}
	}
	holders := readList(t, path, lesson)
	for n := range parts {
		name := part(n)
		want := ""
		if len(told[name]) == 1 && what == "take" {
			want = told[name][0]
		}
		lesson.Expected = "one of the four is told yes for " + name + ", and the list says the same"
		lesson.Found = fmt.Sprintf("told yes: %v; the list says %q", told[name], holders[name])
		lab.Require(t, len(told[name]) == 1 && holders[name] == want, lesson)
		if n > 0 && told[name][0] != told[part(n-1)][0] {
			met++
		}
	}
	return met
}

// longList is a list in which everybody has the first parts, and Eve has a thousand others that nobody asks for. So each look at the
// list, and each write of it, takes long enough for somebody else to come in between.
func longList(parts int) string {
	var holders []string
	for n := range parts {
		holders = append(holders, fmt.Sprintf("%q:\"everybody\"", part(n)))
	}
	for n := range lab.Rounds(1000) {
		holders = append(holders, fmt.Sprintf("\"spare-%04d.step\":\"eve\"", n))
	}
	return "{" + strings.Join(holders, ",") + "}"
}
