package lostupdate_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
)

func listFile(t *testing.T, content string) (path string) {
	t.Helper()
	return lab.WriteFile(t, "locks.json", content)
}

func TestTakeAndReturn(t *testing.T) {
	t.Parallel()
	path := linkTo(t, listFile(t, `{"bracket.step":"alice"}`)) // a list may be in another directory
	requireUntouched := neighbours(t, path, filesLeftBy(t, listFile(t, `{}`), "take lid.step bob")...)
	p := start(t, path)
	long := strings.Repeat("long/", 1000)
	var did []string
	lesson := lab.Lesson{
		Says:  "Take and Return do not keep the list right, although no other program uses it",
		Means: "the list does not say who has which part",
		Read:  yourTurn,
	}
	for _, c := range []struct{ order, want string }{
		{"take hinge%d.step bob", "no error"},
		{"take hinge%d.step bob", "ErrTaken"},
		{"take bracket.step bob", "ErrTaken"},
		{"return hinge%d.step alice", "ErrNotHolder"},
		{"return lid.step bob", "ErrNotHolder"},
		{"return lid.step ", "ErrNotHolder"},
		{"return bracket.step alice", "no error"},
		{"return bracket.step alice", "ErrNotHolder"},
		{"take bracket.step bob", "no error"},
		{"return hinge%d.step bob", "no error"},
		{"return bracket.step bob", "no error"},
		{"take lid.step\t Bob", "no error"},
		{"take lid.step bob", "no error"},
		{"take Lid.step bob\t", "no error"},
		{"return lid.step\t bob", "ErrNotHolder"},
		{"return Lid.step bob", "ErrNotHolder"},
		{"return lid.step\t Bob", "no error"},
		{"return lid.step bob", "no error"},
		{"return Lid.step bob\t", "no error"},
		{"take ../lid\x00\n\\é.step " + long, "no error"},
		{"take " + long + " bob", "no error"},
		{"take  bob", "no error"}, // a part whose name is empty
		{"return ../lid\x00\n\\é.step " + long, "no error"},
		{"return " + long + " bob", "no error"},
		{"return  bob", "no error"},
		{"close", "no error"},
	} {
		did = append(did, strconv.Quote(strings.Replace(c.order, long, "long/long/…", 1)))
		lesson.Did = "the calls before were right; the last ones were " + strings.Join(did[max(0, len(did)-4):], ", ")
		lesson := lesson
		if slices.Contains(strings.Split(c.order, " "), "") {
			lesson.Means = "a part's name may be empty, and a person's is not: a part that is missing from the list has no holder with an empty name"
		}
		lab.RequireEqual(t, c.want, p.do(c.order, lesson).String(), lesson)
	}
	lesson.Did = fmt.Sprintf("one program made %d calls, in turns Take and Return, which all returned what they should", len(did))
	requireList(t, path, map[string]string{}, lesson)
	requireUntouched("Take or Return", lesson)
}

// A turn is a call of a program and what it returns.
type turn struct{ person, order, want string }

func TestTakeAndReturnGoByWhatTheFileHolds(t *testing.T) {
	t.Parallel()
	path := listFile(t, `{}`)
	people := map[string]program{"alice": start(t, path), "bob": start(t, path)}
	for _, c := range []struct {
		content     string
		turns       []turn // in two programs that have opened the list before
		left        map[string]string
		says, means string
	}{
		{
			`{}`,
			[]turn{{"alice", "take bracket.step alice", "no error"}, {"bob", "take hinge.step bob", "no error"}},
			map[string]string{"bracket.step": "alice", "hinge.step": "bob"},
			"Take threw away what another program had written",
			"Alice's part is free according to the list: the next person gets it too, and no call returned an error",
		},
		{
			`{}`,
			[]turn{{"alice", "take bracket.step alice", "no error"}, {"bob", "take bracket.step bob", "ErrTaken"}},
			map[string]string{"bracket.step": "alice"},
			"Take gave Bob a part that Alice has",
			"Alice and Bob work on the same part without knowing it, and no call returned an error",
		},
		{
			`{"bracket.step":"alice"}`,
			[]turn{{"alice", "return bracket.step alice", "no error"}, {"bob", "take bracket.step bob", "no error"}},
			map[string]string{"bracket.step": "bob"},
			"Take refused a part that another program had returned",
			"the part lies on the shelf, and no person can get it",
		},
		{
			`{}`,
			[]turn{
				{"alice", "take bracket.step alice", "no error"},
				{"bob", "take hinge.step bob", "no error"},
				{"alice", "return bracket.step alice", "no error"},
			},
			map[string]string{"hinge.step": "bob"},
			"Return threw away what another program had written",
			"Bob's part is free according to the list: the next person gets it too, and no call returned an error",
		},
		{
			`{}`,
			[]turn{
				{"alice", "take bracket.step alice", "no error"},
				{"bob", "return bracket.step alice", "no error"},
				{"bob", "take bracket.step carol", "no error"},
				{"alice", "return bracket.step alice", "ErrNotHolder"},
			},
			map[string]string{"bracket.step": "carol"},
			"Return took a part away from the person who has it",
			"Carol works on a part that the list calls free",
		},
		{
			`{"bracket.step":"bob"}`,
			[]turn{
				{"alice", "take lid.step alice", "no error"},
				{"bob", "return bracket.step bob", "no error"},
				{"bob", "take bracket.step eve", "no error"},
				{"alice", "return bracket.step eve", "no error"},
				{"alice", "take bracket.step bob", "no error"},
			},
			map[string]string{"bracket.step": "bob", "lid.step": "alice"},
			"Take and Return did not notice that another program had changed the list",
			"who has a part is decided by what the file held before",
		},
		{
			`{"bracket.step":"bob"}`,
			[]turn{
				{"alice", "take bracket.step alice", "ErrTaken"},
				{"bob", "return bracket.step bob", "no error"},
				{"bob", "take bracket.step eve", "no error"},
				{"alice", "return bracket.step bob", "ErrNotHolder"},
			},
			map[string]string{"bracket.step": "eve"},
			"Return took a part away from the person who has it",
			"who has a part is decided by what the file held before: length and time are as they were, but not the list",
		},
		{
			`{"bracket.step":"alice"}` + strings.Repeat(" ", 16<<20),
			[]turn{{"bob", "take hinge.step bob", "no error"}},
			map[string]string{"bracket.step": "alice", "hinge.step": "bob"},
			"Take failed with a long list",
			"a list of 16 MiB is not too long: once it has grown, no person can get a part",
		},
	} {
		write(t, path, c.content)
		lesson := lab.Lesson{
			Says: c.says, Did: "two programs had the list open, which held " + beginning(c.content),
			Means: c.means, Read: copied,
		}
		for i, turn := range c.turns {
			lesson.Did += "; " + turn.order
			early := lesson
			if i < len(c.turns)-1 {
				early.Says = callOf(turn.order) + " went by what the file had held before"
				early.Means = "another program has changed the list since, and the call did not look"
			}
			before, err := os.Stat(path)
			must(t, err)
			lab.RequireEqual(t, turn.want, people[turn.person].do(turn.order, early).String(), early)
			if turn.person == "bob" { // as if he had written in the same tick of the kernel's clock as Alice
				must(t, os.Chtimes(path, time.Time{}, before.ModTime()))
			}
		}
		requireList(t, path, c.left, lesson)
	}
}

// A program that has failed lives on. Another one must get its turn at once.
func TestTakeAndReturnGiveTheirTurnBack(t *testing.T) {
	t.Parallel()
	path := listFile(t, `{}`)
	first, second := start(t, path), start(t, path)
	for _, c := range []struct{ order, content, want string }{
		{"take bracket.step bob", `{ "bracket.step": "alice" }`, "ErrTaken"},
		{"return bracket.step bob", `{ "bracket.step": "alice" }`, "ErrNotHolder"},
		{"take bracket.step bob", `{"bracket.step":"ali`, ""},
		{"return bracket.step bob", `{"bracket.step":"ali`, ""},
	} {
		call := callOf(c.order)
		write(t, path, c.content)
		lesson := keptOut
		lesson.Says = call + " kept its lock after it had failed"
		lesson.Did = fmt.Sprintf("the file held %s; %s; the file was put right; then another program took a part", c.content, c.order)
		got := first.do(c.order, lesson)
		refused := lesson
		refused.Says, refused.Means, refused.Read = call+" failed in another way than promised", "the caller cannot tell why", yourTurn
		lab.RequireError(t, got.Returned.Err, refused)
		if c.want != "" {
			lab.RequireEqual(t, c.want, got.String(), refused)
			wrote := lesson
			wrote.Says, wrote.Read = call+" wrote although it refused", yourTurn
			wrote.Did = fmt.Sprintf("a person had laid out the file as %s; %s", c.content, c.order)
			wrote.Means = "a call that changes nothing can destroy the list: its process may die in the middle of the write"
			lab.RequireFile(t, path, c.content, wrote)
		}
		write(t, path, `{}`)
		second.succeed("take hinge.step alice", lesson)
		requireList(t, path, map[string]string{"hinge.step": "alice"}, lesson)
	}
}

func damagedLists(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := listFile(t, `{}`)
	p := start(t, path)
	for _, damaged := range []string{
		"", "null", "[]", `{"bracket.step":"ali`, `{"bracket.step":"alice"}}`, `{"bracket.step":"alice","bracket.step":"bob"}`,
		`{"bracket.step":null}`, `{"bracket.step":{"person":"alice"}}`,
	} {
		write(t, path, damaged)
		for _, order := range []string{"take hinge.step bob", "return bracket.step alice"} {
			call := callOf(order)
			lesson := lab.Lesson{
				Says:  call + " changed a damaged list",
				Did:   fmt.Sprintf("the file held %s; %s", lab.Show([]byte(damaged)), order),
				Means: "parts that people work on are free to be taken, and what could still be saved of the list is gone",
				Read:  damage,
			}
			opened, err := lostupdate.Open(path)
			lab.RequireNoError(t, err, judged(lesson))
			must(t, opened.Close())
			err = p.do(order, lesson).Returned.Err
			lab.RequireFile(t, path, damaged, lesson)
			lesson.Says = call + " did not report a damaged list"
			lesson.Expected = "an error that is neither ErrTaken nor ErrNotHolder"
			lab.RequireError(t, err, lesson)
			lesson.Found = reply{Returned: lab.Returned{Err: err}}.String()
			lab.Require(t, !errors.Is(err, lostupdate.ErrTaken) && !errors.Is(err, lostupdate.ErrNotHolder), lesson)
		}
		write(t, path, `{}`)
		healed := lab.Lesson{
			Says:  "Take failed although the list had been put right",
			Did:   fmt.Sprintf("the file held %s; Take and Return; the file was put right; Take", lab.Show([]byte(damaged))),
			Means: "the call goes by what the list held before: the people must restart every program",
			Read:  copied,
		}
		p.succeed("take bracket.step alice", healed) // which leaves a good copy to a program that keeps one
	}
}

// judged is the lesson for an Open that refuses a list for what it holds.
func judged(lesson lab.Lesson) lab.Lesson {
	lesson = lesson.Say("Open judged the list")
	lesson.Means = "the list may look damaged because another program is in the middle of its write: this program cannot start"
	lesson.Read = copied
	return lesson
}

func part(n int) string { return fmt.Sprintf("part-%04d.step", n) }

// takeTogether lets goroutines with a list each take the same COUNT parts of the list PATH: all ask for a part at the same time, and
// for the next one when all have their answer. It reports how many got each part.
func takeTogether(w *lab.Worker) error {
	const goroutines = 4
	var failures error
	lists := make([]*lostupdate.Checkouts, goroutines)
	for i := range lists {
		list, err := lostupdate.Open(w.Arg(0))
		if err != nil {
			return err
		}
		defer func() { _ = list.Close() }()
		lists[i] = list
	}
	got := make([]int, w.Int(1))
	var mutex sync.Mutex
	for n := range got {
		begin := make(chan struct{})
		var all sync.WaitGroup
		for i, list := range lists {
			all.Go(func() {
				<-begin
				err := list.Take(part(n), fmt.Sprintf("person-%d", i))
				mutex.Lock()
				defer mutex.Unlock()
				if err == nil {
					got[n]++
				} else if !errors.Is(err, lostupdate.ErrTaken) {
					failures = errors.Join(failures, err)
				}
			})
		}
		close(begin)
		all.Wait()
		w.Progress()
	}
	return errors.Join(failures, w.Result(got))
}

func TestTakeGivesAPartToOneOfFourGoroutines(t *testing.T) {
	t.Parallel()
	const parts = 25
	var spare []string // so that each look at the list, and each write of it, takes a while
	for n := range lab.Rounds(500) {
		spare = append(spare, fmt.Sprintf("\"spare-%04d.step\":\"eve\"", n))
	}
	path := listFile(t, "{"+strings.Join(spare, ",")+"}")
	lesson := lab.Lesson{
		Says:  "Take gave one part to two of four goroutines that asked at once",
		Did:   fmt.Sprintf("4 goroutines, each with a list of its own, asked for the same part at the same time, %d times", parts),
		Means: "two people work on one part, each sure of having it, and the later one overwrites the earlier one's work",
		Read:  lives,
	}
	failed := lesson
	failed.Says = "Take failed for one of four goroutines that asked at once"
	failed.Means = "a person does not get a part because others asked too; the error shows what the call met while they were at work"
	p := lab.Start(t, "take together", path, fmt.Sprint(parts))
	var got []int
	p.Result(&got, lesson)
	lab.RequireNoError(t, p.Wait(lesson), failed)
	for n, winners := range got {
		lesson.Expected, lesson.Found = "each part goes to one", fmt.Sprintf("%s went to %d", part(n), winners)
		lab.Require(t, winners == 1, lesson)
	}
}

// takeAndReturn mixes all verbs: PATH PERSON ROUNDS. In each round it takes a part of its own, returns that of the round before, and
// asks for a part that all ask for. It reports which of these it got.
func takeAndReturn(w *lab.Worker) error {
	list, err := lostupdate.Open(w.Arg(0))
	if err != nil {
		return err
	}
	got := []string{}
	own := func(n int) string { return fmt.Sprintf("%s-%d.step", w.Arg(1), n) }
	for n := range w.Int(2) {
		err := list.Take(own(n), w.Arg(1))
		if n > 0 {
			err = errors.Join(err, list.Return(own(n-1), w.Arg(1)))
		}
		switch shared := list.Take(part(n), w.Arg(1)); {
		case shared == nil:
			got = append(got, part(n))
		case !errors.Is(shared, lostupdate.ErrTaken):
			err = errors.Join(err, shared)
		}
		if err != nil {
			return errors.Join(err, w.Result(got))
		}
		w.Progress()
	}
	return errors.Join(w.Result(got), list.Close())
}

func TestThreeProcessesShareAList(t *testing.T) {
	t.Parallel()
	rounds := lab.Rounds(40)
	people := []string{"alice", "bob", "carol"}
	path := listFile(t, `{}`)
	lesson := lab.Lesson{
		Says:  "Take and Return lost changes when three processes shared a list",
		Did:   fmt.Sprintf("3 processes took and returned parts of their own and asked for the same %d parts, all at once", rounds),
		Means: "the list does not say who has which part, and no call returned an error",
		Read:  begins,
	}
	failed := lesson
	failed.Says = "Take or Return failed when three processes shared a list"
	failed.Means = "one came while another was at work: it read a list that was half written, or its own checkout was gone"
	var crew []*lab.Process
	for _, person := range people {
		o := lab.Options{Dir: t.TempDir(), Hold: true}
		crew = append(crew, lab.Launch(t, o, "take and return", path, person, fmt.Sprint(rounds)))
	}
	for _, p := range crew {
		p.Continue()
	}
	want, winners := map[string]string{}, map[string][]string{}
	for i, p := range crew {
		var got []string
		p.Result(&got, failed)
		lab.RequireNoError(t, p.Wait(failed), failed)
		for _, part := range got {
			winners[part] = append(winners[part], people[i])
			want[part] = people[i]
		}
		want[fmt.Sprintf("%s-%d.step", people[i], rounds-1)] = people[i]
	}
	for n := range rounds {
		lesson.Expected, lesson.Found = "one of the three gets "+part(n), fmt.Sprintf("those who got it: %v", winners[part(n)])
		lab.Require(t, len(winners[part(n)]) == 1, lesson)
	}
	lesson.Expected, lesson.Found = "", ""
	requireList(t, path, want, lesson)
}
