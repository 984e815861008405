package lostupdate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/lessons/lab"
)

// take opens the list, PATH, stands at "open", and takes a part, WHO PART.
func take(w *lab.Worker) error {
	list, err := lostupdate.Open(w.Arg(0))
	if err != nil {
		return err
	}
	w.Reached("open")
	err = list.Take(w.Arg(2), w.Arg(1))
	return errors.Join(w.Result(outcomeOf(err)), list.Close())
}

// takeAll opens the list, PATH WHO COUNT, stands at "open", takes every part that it can get, in the order of their names, and
// reports which.
func takeAll(w *lab.Worker) error {
	list, err := lostupdate.Open(w.Arg(0))
	if err != nil {
		return err
	}
	w.Reached("open")
	got := []string{}
	var failure error
	for n := range w.Int(2) {
		err := list.Take(part(n), w.Arg(1))
		if err == nil {
			got = append(got, part(n))
			rest() // and so do not run ahead of the others, who would find everything taken
		} else if !errors.Is(err, lostupdate.ErrTaken) && failure == nil {
			failure = err
		}
	}
	return errors.Join(failure, w.Result(got), list.Close())
}

func part(n int) string { return fmt.Sprintf("part-%03d.step", n) }

// story takes and returns parts, one after the other, and reports what each call returned: PATH.
func story(w *lab.Worker) error {
	list, err := lostupdate.Open(w.Arg(0))
	if err != nil {
		return err
	}
	outcomes := []outcome{
		outcomeOf(list.Take("hinge.step", "bob")),
		outcomeOf(list.Take("hinge.step", "bob")),
		outcomeOf(list.Return("hinge.step", "alice")),
		outcomeOf(list.Return("lid.step", "bob")),
		outcomeOf(list.Return("bracket.step", "alice")),
	}
	return errors.Join(w.Result(outcomes), list.Close())
}

func TestTakeAndReturn(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
	worker := start(t, "checkouts", path)
	lesson := lab.Lesson{
		Says:  "Take and Return do not keep the list right, although nobody else uses it",
		Did:   "Bob takes the hinge, twice; Alice returns the hinge, which she does not have; Bob the lid; Alice her bracket",
		Means: "the list does not say who has which part",
		Read:  `lessons/05_lost_update, "Your turn"`,
	}
	var got []outcome
	worker.Result(&got, lesson)
	lab.RequireNoError(t, worker.Wait(lesson), lesson)
	var answers []string
	for _, o := range got {
		answers = append(answers, o.String())
	}
	lab.RequireEqual(t, "yes; taken; not the holder; not the holder; yes", strings.Join(answers, "; "), lesson)
	requireDocument(t, path, `{"hinge.step":"bob"}`, lesson)
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
			alice, bob := start(t, "take", path, "alice", "bracket.step"), start(t, "take", path, "bob", c.part)
			alice.Reached("open", lesson)
			bob.Reached("open", lesson)
			alice.Continue()
			lab.RequireNoError(t, alice.Wait(lesson), lesson)
			bob.Continue()
			var got outcome
			bob.Result(&got, lesson)
			lab.RequireNoError(t, bob.Wait(lesson), lesson)
			requireDocument(t, path, c.want, lesson)
			lesson.Expected, lesson.Found = "no error", got.Error
			if c.taken {
				lesson.Expected = "an error that matches ErrTaken"
			}
			lab.Require(t, got.Taken == c.taken && (c.taken || got.Error == ""), lesson)
		})
	}
}

func TestTakeGivesEachPartToOne(t *testing.T) {
	t.Parallel()
	const mostRounds = 5
	enough := 100 / slowness
	for met, round := 0, 0; met < enough && round < mostRounds; round++ {
		met += askForTheSameParts(t)
	}
}

// askForTheSameParts lets four processes ask for the same parts, and returns how often the next part went to another one than the
// part before it.
func askForTheSameParts(t *testing.T) (met int) {
	t.Helper()
	parts := 150 / slowness
	who := []string{"alice", "bob", "carol", "dave"}
	path := lab.WriteFile(t, "locks.json", `{}`)
	lesson := lab.Lesson{
		Says:  "Take gave one part to two who asked at once",
		Did:   fmt.Sprintf("4 processes asked for the same %d parts, in the same order, at the same time", parts),
		Means: "two people work on one part, each sure of having it, and the later one overwrites the earlier one's work",
		Read:  `lessons/05_lost_update, "Look and act"`,
	}
	failed := lesson
	failed.Says = "Take failed for one of four who asked at once"
	failed.Means = "one came while another was at work: it read a list that was half written, or was sent away"

	var processes []*lab.Process
	for _, name := range who {
		processes = append(processes, start(t, "take all", path, name, fmt.Sprint(parts)))
	}
	for _, p := range processes {
		p.Reached("open", lesson)
	}
	for _, p := range processes {
		p.Continue()
	}
	told := map[string][]string{}
	for i, p := range processes {
		var got []string
		p.Result(&got, lesson)
		lab.RequireNoError(t, p.Wait(lesson), failed)
		for _, name := range got {
			told[name] = append(told[name], who[i])
		}
	}
	holders := readList(t, path, lesson)
	for n := range parts {
		name := part(n)
		lesson.Expected = "one of the four is told that they have " + name + ", and the list says the same"
		lesson.Found = fmt.Sprintf("told: %v; the list says %q", told[name], holders[name])
		lab.Require(t, len(told[name]) == 1 && told[name][0] == holders[name], lesson)
		if n > 0 && holders[name] != holders[part(n-1)] {
			met++
		}
	}
	return met
}
