package lostupdate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// A told is what an Update returned, and how often it called change.
type told struct{ Counter, Calls int }

// update runs one Update, PATH add|set N, and reports what it returned. With a fourth argument it stands at "inside" in the
// middle of the Update.
func update(w *lab.Worker) error {
	calls := 0
	counter, err := lostupdate.Update(w.Arg(0), func(counter int) int {
		calls++
		if w.Arg(3) != "" && calls == 1 {
			w.Reached("inside")
		}
		if w.Arg(1) == "set" {
			return w.Int(2)
		}
		return counter + w.Int(2)
	})
	return errors.Join(err, w.Result(told{counter, calls}))
}

// count does N times Update(+1), PATH N GOROUTINES, and reports every number that it was told.
func count(w *lab.Worker) error {
	var mutex sync.Mutex
	var told []int
	var failures error
	var goroutines sync.WaitGroup
	for range w.Int(2) {
		goroutines.Go(func() {
			for range w.Int(1) {
				counter, err := lostupdate.Update(w.Arg(0), func(counter int) int { return counter + 1 })
				mutex.Lock()
				told, failures = append(told, counter), errors.Join(failures, err)
				mutex.Unlock()
				if err != nil {
					return
				}
				rest()
			}
		})
	}
	goroutines.Wait()
	return errors.Join(failures, w.Result(told))
}

// rest gives way to the others: a process that asks again at once mostly gets its next turn before those who wait have woken up, and
// then the crowd does not meet at all.
func rest() { time.Sleep(100 * time.Microsecond) }

// twoGoroutines lets one goroutine stand inside its Update of PATH while a second one calls Update(+1). It reports whether the
// second got in. The first sets the counter to 99. With a second argument the second goroutine spells the path in another way.
func twoGoroutines(w *lab.Worker) error {
	other := w.Arg(0)
	if w.Arg(1) != "" {
		if err := os.Chdir(filepath.Dir(other)); err != nil {
			return err
		}
		other = filepath.Base(other)
	}
	const wait = 200 * time.Millisecond // a right Update never ends it; a wrong one lets the second in at once
	inside, leave, entered := make(chan struct{}), make(chan struct{}), make(chan struct{})
	first, second := make(chan error, 1), make(chan error, 1)
	var onceInside, onceEntered sync.Once
	go func() {
		_, err := lostupdate.Update(w.Arg(0), func(int) int {
			onceInside.Do(func() { close(inside) })
			<-leave
			return 99
		})
		first <- err
	}()
	select {
	case <-inside:
	case err := <-first:
		return errors.Join(errors.New("Update returned without a call of change"), err)
	}
	go func() {
		_, err := lostupdate.Update(other, func(counter int) int {
			onceEntered.Do(func() { close(entered) })
			return counter + 1
		})
		second <- err
	}()
	var both bool
	select {
	case <-entered:
		both = true
	case <-time.After(wait):
	}
	close(leave)
	return errors.Join(<-first, <-second, w.Result(both))
}

func TestUpdateReplacesTheCounter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		from, add int
		want      int
	}{
		{"by the next", 41, 1, 42},
		{"by a shorter one", 100, -93, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := counterFile(t, c.from)
			lesson := lab.Lesson{
				Says:  "Update did not replace the counter",
				Did:   fmt.Sprintf("the file held %d; one Update(%+d), with nobody else around", c.from, c.add),
				Means: "the next job card gets a wrong number, or none because the file cannot be read any more",
				Read:  `lessons/05_lost_update, "Read, change, write"`,
			}
			worker := start(t, "update", path, "add", fmt.Sprint(c.add))
			var got told
			worker.Result(&got, lesson)
			lab.RequireNoError(t, worker.Wait(lesson), lesson)
			requireCounter(t, path, c.want, lesson)
			lab.RequireEqual(t, c.want, got.Counter, lesson)
			lesson.Says = "Update did not call change once"
			lesson.Means = "change may print a job card, or ask somebody: what it does is done as often as it is called"
			lesson.Expected, lesson.Found = "1 call", fmt.Sprintf("%d calls", got.Calls)
			lab.Require(t, got.Calls == 1, lesson)
		})
	}

	t.Run("but makes none up", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json")
		lesson := lab.Lesson{
			Says:  "Update began a new counter where there was none",
			Did:   "Update(+1) of a file that does not exist",
			Means: "a file that was moved or lost is not missed: the numbers begin again, and two job cards have the same one",
			Read:  `lessons/05_lost_update, "Your turn"`,
		}
		err := start(t, "update", path, "add", "1").Wait(lesson)
		lab.RequireErrorIs(t, err, fs.ErrNotExist, lesson)
		lab.RequireNoFile(t, path, lesson)
	})

	t.Run("but comes back from a folder that is not there", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(lab.Path(t, "no such folder"), "counter.json")
		lesson := lab.Lesson{
			Says:  "Update did not say that the file is missing",
			Did:   "Update(+1) of a file in a folder that does not exist",
			Means: "a lock can fail, and waiting does not mend it: the program stands still, and nobody learns that the path is wrong",
			Read:  `lessons/05_lost_update, "A lock that processes share"`,
		}
		lab.RequireErrorIs(t, start(t, "update", path, "add", "1").Wait(lesson), fs.ErrNotExist, lesson)
	})

	t.Run("but not when the lock is refused", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 41)
		wrap, log := lab.Strace(t, "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK")
		lesson := lab.Lesson{
			Says:  "Update went on although the system had refused the lock",
			Did:   "the file held 41; Update(+1), in which flock(2) fails: \"no locks available\"",
			Means: "it changed the file without a lock, together with whoever else does",
			Read:  `lessons/05_lost_update, "A lock that processes share"`,
		}
		err := lab.Launch(t, lab.Options{Dir: t.TempDir(), Wrap: wrap}, "update", path, "add", "1").Wait(lesson)
		calls, readErr := os.ReadFile(log)
		lab.RequireNoError(t, readErr, lesson)
		if !strings.Contains(string(calls), "LOCK_EX") {
			return // it locks by other means, or not at all, which other tests find
		}
		lab.RequireError(t, err, lesson)
		requireCounter(t, path, 41, lesson)
	})

	t.Run("but leaves a damaged file as it is", func(t *testing.T) {
		t.Parallel()
		for _, damaged := range []string{`{}`, `{"count":41}`, `{"counter":4`, `{"counter":41,"year":2026}`} {
			path := lab.WriteFile(t, "counter.json", damaged)
			lesson := lab.Lesson{
				Says:  "Update counted on from a file in which there is no counter, or more than that",
				Did:   "the file held " + damaged + "; Update(+1)",
				Means: "the numbers begin again, two job cards have the same one, and what could still be saved of the file is gone",
				Read:  `lessons/05_lost_update, "Your turn"`,
			}
			lab.RequireError(t, start(t, "update", path, "add", "1").Wait(lesson), lesson)
			lab.RequireFile(t, path, damaged, lesson)
		}
	})
}

func TestUpdateLetsOneGoroutineInAtATime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, spelling string // of the second goroutine's path, "" for the same
		did, read      string
	}{
		{"by the same path", "", "a second one of the same process called Update(+1)", "The critical section"},
		{"by another spelling", "relative", "a second one called Update(+1) and named the file by a relative path", "Where the lock lives"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := counterFile(t, 41)
			lesson := lab.Lesson{
				Says:  "Update let a second goroutine in while the first was inside",
				Did:   "one goroutine was inside its Update, about to set 99; " + c.did,
				Means: "both work with the old number: two job cards get the same one, and nobody is told",
				Read:  fmt.Sprintf("lessons/05_lost_update, %q", c.read),
			}
			worker := start(t, "two goroutines", path, c.spelling)
			var both bool
			worker.Result(&both, lesson)
			entered := lesson
			entered.Expected = "the second waits until the first has written"
			entered.Found = "the second read the counter in the meantime"
			lab.Require(t, !both, entered)
			lab.RequireNoError(t, worker.Wait(lesson), gaveUp(lesson))
			requireCounter(t, path, 100, lesson)
		})
	}
}

func TestUpdateReadsInsideTheCriticalSection(t *testing.T) {
	t.Parallel()
	path := counterFile(t, 41)
	lesson := lab.Lesson{
		Says:  "Update lost another process's change",
		Did:   "one process was inside its Update, about to set 99; a second process called Update(+1)",
		Means: "one of them read the counter before the other had written it: a change is gone, and nobody was told",
		Read:  `lessons/05_lost_update, "A mutex ends at the process"`,
	}
	first := start(t, "update", path, "set", "99", "stand")
	first.Reached("inside", lesson)
	folder := t.TempDir()
	second := lab.Launch(t, lab.Options{Dir: folder}, "update", path, "add", "1")
	state := second.Settle() // a right one waits, in whichever way
	lesson = hint(t, lesson, state, folder, path)
	first.Continue()
	lab.RequireNoError(t, first.Wait(lesson), lesson)

	lab.RequireNoError(t, second.Wait(gaveUp(lesson)), gaveUp(lesson))
	requireCounter(t, path, 100, lesson)
}

// hint names the cause as far as the outside shows it: whether the second process waited, and which files have come into being.
func hint(t *testing.T, lesson lab.Lesson, state process.State, folder, path string) lab.Lesson {
	t.Helper()
	inFolder, err := os.ReadDir(folder)
	lab.RequireNoError(t, err, lesson)
	beside, err := os.ReadDir(filepath.Dir(path))
	lab.RequireNoError(t, err, lesson)
	switch {
	case len(inFolder) > 0:
		lesson.Means = fmt.Sprintf("each locked a file of its own: %s now stands in the folder in which the second was started", inFolder[0].Name())
		lesson.Read = `lessons/05_lost_update, "Where the lock lives"`
	case state == process.Blocked:
		lesson.Means = "the second waited, but one of them had read the counter before it had the lock: a change is gone, and nobody was told"
		lesson.Read = `lessons/05_lost_update, "The critical section"`
	case len(beside) > 1:
		lesson.Means = "there is a lock, but nobody held it alone from before the read until after the write: a change is gone"
		lesson.Read = `lessons/05_lost_update, "The critical section"`
	}
	return lesson
}

// gaveUp is the lesson for an Update that returned an error because somebody else was inside.
func gaveUp(lesson lab.Lesson) lab.Lesson {
	lesson.Says = "Update gave up instead of waiting for its turn"
	lesson.Means = "the job card gets no number because somebody else was being served"
	lesson.Read = `lessons/05_lost_update, "A lock that processes share"`
	return lesson
}

func TestUpdateOfManyLosesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []crowd{
		{processes: 1, goroutines: 4, updates: 50},
		{processes: 3, goroutines: 1, updates: 100, enough: 100},
		{processes: 8, goroutines: 1, updates: 250, enough: 1000},
	} {
		c.processes, c.updates, c.enough = lab.Rounds(c.processes), lab.Rounds(c.updates)/slowness, lab.Rounds(c.enough)/slowness
		t.Run(c.String(), func(t *testing.T) {
			// Not parallel: crowds at the same time would only wait for each other.
			mostRounds := lab.Rounds(5)
			for met, round := 0, 0; round == 0 || met < c.enough && round < mostRounds; round++ {
				met += c.count(t)
			}
		})
	}
}

// A crowd counts in one file. Processes that started together may yet run one after the other; so it is called together again
// until the turn has gone often enough from one process to another.
type crowd struct {
	processes, goroutines, updates int
	enough                         int
}

func (c crowd) String() string {
	if c.processes == 1 {
		return fmt.Sprintf("%d goroutines × %d", c.goroutines, c.updates)
	}
	return fmt.Sprintf("%d processes × %d", c.processes, c.updates)
}

// count lets the crowd count in a new file, and returns how often the turn went to another process.
func (c crowd) count(t *testing.T) (met int) {
	t.Helper()
	path := counterFile(t, 0)
	lesson := lab.Lesson{
		Says:  "Update lost changes when many counted at once",
		Did:   c.String() + " Update(+1), beginning with 0",
		Means: "job cards with the same number, and nobody was told",
		Read:  `lessons/05_lost_update, "The critical section"`,
	}
	var processes []*lab.Process
	for range c.processes {
		processes = append(processes, startHeld(t, "count", path, fmt.Sprint(c.updates), fmt.Sprint(c.goroutines)))
	}
	for _, p := range processes {
		p.Continue()
	}
	var told []int
	turns := map[int]int{}
	for i, p := range processes {
		var numbers []int
		p.Result(&numbers, lesson)
		lab.RequireNoError(t, p.Wait(lesson), failedInCrowd(lesson))
		told = append(told, numbers...)
		for _, number := range numbers {
			turns[number] = i
		}
	}
	requireCounter(t, path, c.processes*c.goroutines*c.updates, lesson)
	requireDifferent(t, told, lesson)
	for number := 2; number <= len(told); number++ {
		if turns[number] != turns[number-1] {
			met++
		}
	}
	return met
}

func failedInCrowd(lesson lab.Lesson) lab.Lesson {
	lesson.Says = "Update failed when many counted at once"
	lesson.Means = "one came while another was at work: it read a document that was half written, or was sent away"
	return lesson
}

// requireDifferent demands that no two calls were told the same number.
func requireDifferent(t *testing.T, told []int, lesson lab.Lesson) {
	t.Helper()
	slices.Sort(told)
	distinct := len(slices.Compact(slices.Clone(told)))
	lesson.Says = "Update told two callers the same number when many counted at once"
	lesson.Means = "the count is right in the end, but two job cards have the same number"
	lesson.Expected = fmt.Sprintf("%d different numbers", len(told))
	lesson.Found = fmt.Sprintf("%d different numbers", distinct)
	lab.Require(t, distinct == len(told), lesson)
}

func TestUpdateThreeInARow(t *testing.T) {
	t.Parallel()
	path := counterFile(t, 41)
	lesson := lab.Lesson{
		Says:  "Update let a third process in beside the second",
		Did:   "Update(+1) by three processes: the second waited for the first; the third came when the second was inside",
		Means: "they did not wait for the same lock: one update is lost, and two job cards have the same number",
		Read:  `lessons/05_lost_update, "Where the lock lives"`,
	}
	first := start(t, "update", path, "add", "1", "stand")
	first.Reached("inside", lesson)
	second := start(t, "update", path, "add", "1", "stand")
	second.Settle()
	first.Continue()
	lab.RequireNoError(t, first.Wait(lesson), lesson)
	second.Reached("inside", lesson)
	third := start(t, "update", path, "add", "1")
	third.Settle()
	second.Continue()
	lab.RequireNoError(t, second.Wait(lesson), lesson)
	lab.RequireNoError(t, third.Wait(lesson), lesson)
	requireCounter(t, path, 44, lesson)
}

// panicInside calls Update(PATH) with a change that panics, recovers, and calls Update(+1) then. It goes on living, and reports
// whether there was a panic to recover from.
func panicInside(w *lab.Worker) error {
	panicked := false
	func() {
		defer func() { panicked = recover() != nil }()
		_, _ = lostupdate.Update(w.Arg(0), func(int) int { panic("no more job cards") })
	}()
	_, err := lostupdate.Update(w.Arg(0), func(counter int) int { return counter + 1 })
	w.Reached("survived")
	return errors.Join(err, w.Result(panicked))
}

// updateRefused calls Update(+1) of PATH, which must fail, and goes on living.
func updateRefused(w *lab.Worker) error {
	_, err := lostupdate.Update(w.Arg(0), func(counter int) int { return counter + 1 })
	w.Reached("refused")
	return err
}

// requireNotWaiting fails at once where the kernel says that the worker waits for a lock. It spares the learner the patience
// that the test has with a worker of which nobody knows what it does.
func requireNotWaiting(t *testing.T, p *lab.Process, lesson lab.Lesson) {
	t.Helper()
	lesson.Expected, lesson.Found = "the call returns", "the call waits for a lock"
	lab.Require(t, p.Settle() != process.Blocked, lesson)
}

func TestUpdateLetsTheNextOneIn(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Means: "everybody waits for somebody who is not inside any more: the workshop stands still until a restart, or for ever",
		Read:  `lessons/05_lost_update, "What keeps a lock too long"`,
	}

	t.Run("when change panics", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Says = "Update kept the others out after change had panicked"
		lesson.Did = "a process recovered from a panic inside its Update and called Update(+1) again; then another process did"
		path := counterFile(t, 41)
		first := start(t, "panic", path)
		requireNotWaiting(t, first, lesson)
		first.Reached("survived", lesson)
		second := start(t, "update", path, "add", "1")
		requireNotWaiting(t, second, lesson)
		lab.RequireNoError(t, second.Wait(lesson), lesson)
		requireCounter(t, path, 43, lesson)
		first.Continue()
		var panicked bool
		first.Result(&panicked, lesson)
		lab.RequireNoError(t, first.Wait(lesson), lesson)
		lesson.Says = "Update swallowed the panic of change"
		lesson.Means = "the caller believes that all is well, and prints a job card with the number that Update returned"
		lesson.Expected, lesson.Found = "the panic goes on to the caller", "Update returned"
		lab.Require(t, panicked, lesson)
	})

	t.Run("when the file was missing", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Says = "Update kept the others out after it had found no file"
		lesson.Did = "Update(+1) of a file that did not exist; another Update(+1), by another process, when it did"
		path := lab.Path(t, "counter.json")
		first := start(t, "refused", path)
		requireNotWaiting(t, first, lesson)
		first.Reached("refused", lesson)
		repair(t, path, `{"counter":41}`)
		second := start(t, "update", path, "add", "1")
		requireNotWaiting(t, second, lesson)
		lab.RequireNoError(t, second.Wait(lesson), lesson)
		requireCounter(t, path, 42, lesson)
		first.Continue()
		lab.RequireError(t, first.Wait(lesson), lesson)
	})

	t.Run("when the file is damaged", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Says = "Update kept the others out after it had refused a damaged file"
		lesson.Did = "Update(+1) of an empty file; another Update(+1), by another process, when the file was whole again"
		path := lab.WriteFile(t, "counter.json", "")
		first := start(t, "refused", path)
		first.Reached("refused", lesson)
		changed := lesson
		changed.Says = "Update changed a file that it could not read"
		changed.Means = "what could have been saved is overwritten, and the numbers begin again"
		changed.Read = `lessons/05_lost_update, "Your turn"`
		lab.RequireFile(t, path, "", changed)
		repair(t, path, `{"counter":41}`)
		second := start(t, "update", path, "add", "1")
		requireNotWaiting(t, second, lesson)
		lab.RequireNoError(t, second.Wait(lesson), lesson)
		requireCounter(t, path, 42, lesson)
		first.Continue()
		lab.RequireError(t, first.Wait(lesson), lesson)
	})

	t.Run("when its process is killed", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Says = "Update kept the others out after its process had been killed"
		lesson.Did = "a process was killed inside its Update; then another process called Update(+1)"
		path := counterFile(t, 41)
		first := start(t, "update", path, "add", "1", "stand")
		first.Reached("inside", lesson)
		first.Kill()
		second := start(t, "update", path, "add", "1")
		requireNotWaiting(t, second, lesson)
		lab.RequireNoError(t, second.Wait(lesson), lesson)
		requireCounter(t, path, 42, lesson)
	})
}

func TestUpdateWaitsForItsOwnFileOnly(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"drawings.json", "counter.bak"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireNoWaitFor(t, name)
		})
	}
}

func requireNoWaitFor(t *testing.T, name string) {
	t.Helper()
	path := counterFile(t, 41)
	other := beside(t, path, name, `{"counter":7}`)
	lesson := lab.Lesson{
		Says:  "Update waited for somebody who changes another file",
		Did:   "one process was inside its Update of counter.json; a second one called Update(+1) of " + name + ", beside it",
		Means: "work that has nothing to do with each other is done in single file, and two programs can wait for each other for ever",
		Read:  `lessons/05_lost_update, "Where the lock lives"`,
	}
	first := start(t, "update", path, "add", "1", "stand")
	first.Reached("inside", lesson)
	second := start(t, "update", other, "add", "1")
	requireNotWaiting(t, second, lesson)
	lab.RequireNoError(t, second.Wait(lesson), lesson)
	requireCounter(t, other, 8, lesson)
	first.Continue()
	lab.RequireNoError(t, first.Wait(lesson), lesson)
	requireCounter(t, path, 42, lesson)
}
