package lostupdate_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// Who gets a turn, and when: after every way in which a turn can end, and not before it has ended.

// keptOut is the lesson for a lock that outlives its holder's turn.
var keptOut = lab.Lesson{
	Means: "every program waits for one that is no longer inside: the workshop stands still until a restart, or for ever",
	Read:  tooLong,
}

func TestUpdateGivesItsTurnBack(t *testing.T) {
	t.Parallel()
	t.Run("when it fails", updateThatFails)
	t.Run("when its process is killed", func(t *testing.T) {
		t.Parallel()
		lesson := keptOut
		lesson.Says = "Update kept the others out after its process had been killed"
		lesson.Did = "a process was killed inside Update; then another process called Update(+1)"
		path := counterFile(t, 41)
		stand(t, path, "0", lesson).Kill()
		start(t, path).succeed("update 1", lesson)
		requireCounter(t, path, 42, lesson)
	})

	t.Run("when its process is killed and a child of it lives", func(t *testing.T) {
		t.Parallel()
		if _, err := exec.LookPath("sleep"); err != nil {
			t.Skip("there is no sleep command here")
		}
		lesson := keptOut
		lesson.Says = "Update kept the others out after its process had been killed"
		lesson.Did = "inside Update a process started a program that runs on, and was killed; then another process called Update(+1)"
		lesson.Means = "the program that was started has inherited the lock, and holds it as long as it runs"
		path := counterFile(t, 41)
		parent := lab.Start(t, "with a child", path)
		var child int
		parent.Result(&child, lesson)
		t.Cleanup(func() {
			if p, err := os.FindProcess(child); err == nil {
				_ = p.Kill()
			}
		})
		parent.Kill()
		start(t, path).succeed("update 1", lesson)
		requireCounter(t, path, 42, lesson)
	})
}

func updateThatFails(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := counterFile(t, 41)
	first, second := start(t, path), start(t, path)
	for _, c := range []struct{ order, content, did, want string }{
		{"panic", `{"counter":41}`, "change panicked, and the program recovered and lives on", "recovered: no more job cards"},
		{
			"panic error", `{"counter":41}`, "change panicked with an error, and the program recovered and lives on",
			"recovered: no more job cards",
		},
		{"goexit", `{"counter":41}`, "change ended its goroutine (runtime.Goexit), and the program lives on", "goroutine ended"},
		{"update 1", "", "Update(+1) of an empty file", ""},
		{"update 1", "missing", "Update(+1) of a file that did not exist", ""},
		{"limit 14", `{"counter":99}`, "Update(+1) of the counter 99 in a program that may write 14 bytes (a limit of the process)", ""},
	} {
		write(t, path, c.content)
		if c.content == "missing" {
			must(t, os.Remove(path))
		}
		lesson := keptOut
		lesson.Says = "Update kept its lock after it had failed"
		lesson.Did = c.did + "; the file was put right; then this program and another one called Update(+1)"
		failed := first.do(c.order, lesson)
		if errors.Is(failed.Returned.Err, errors.ErrUnsupported) {
			break // this system has no such limit
		}
		if c.order == "limit 14" {
			failed = first.do("update 1", lesson)
		}
		if c.want != "" {
			swallowed := lab.Lesson{
				Says: "Update swallowed the panic of change", Did: c.did, Read: tooLong,
				Means: "the caller goes on as if nothing had happened, and prints a job card with the number that Update returned",
			}
			if c.order == "goexit" {
				swallowed = swallowed.Say("Update went on although change had ended its goroutine")
				swallowed.Means = "a test that change has failed goes on, and so does a program that had ended its work"
			}
			if strings.HasPrefix(failed.String(), "recovered") {
				swallowed = swallowed.Say("Update panicked with another value than change did")
				swallowed.Means = "a caller that recovers from change's panic does not know this one"
			}
			lab.RequireEqual(t, c.want, failed.String(), swallowed)
			requireCounter(t, path, 41, lab.Lesson{
				Says: "Update wrote although change had not returned", Did: c.did, Read: tooLong,
				Means: "the counter skips a number, or becomes what change had made of it so far",
			})
		}
		lab.RequireError(t, failed.Returned.Err, lesson)
		write(t, path, `{"counter":41}`)
		first.succeed("update 1", lesson)
		second.succeed("update 1", lesson)
		requireCounter(t, path, 43, lesson)
	}
}

func TestOpenFilesDoNotAddUp(t *testing.T) {
	t.Parallel()
	const calls = 10
	for _, c := range []struct{ name, content, order string }{
		{"counter.json", `{"counter":41}`, "update 1"},
		{"counter.json", "", "update 1"},
		{"counter.json", `{"counter":41}`, "panic"},
		{"counter.json", `{"counter":41}`, "goexit"},
		{"locks.json", `{"lid.step":"eve"}`, "take lid.step bob"},
		{"locks.json", `{"lid.step":"eve"}`, "return lid.step bob"},
		{"locks.json", "", "take lid.step bob"},
		{"locks.json", `{"lid.step":"eve"}`, "whole take lid.step bob"},
		{"counter.json", `{"counter":41}`, "refusing flock update 1"},
		{"locks.json", `{}`, "refusing flock take lid.step bob"},
		{"counter.json", `{"counter":41}`, "fresh update of another file each time"},
		{"counter.json", `{"counter":41}`, "cramped update when it could open no file, or only one"},
	} {
		lesson := lab.Lesson{
			Says:  callOf(c.order) + " left files open",
			Did:   fmt.Sprintf("the file held %s; a program did %q %d times more", lab.Show([]byte(c.content)), c.order, calls),
			Means: "a program that runs for a week may open no more files one day, and every file it opens then is refused",
			Read:  runOut,
		}
		path := lab.WriteFile(t, c.name, "{}")
		p := start(t, path) // which opens a list
		write(t, path, c.content)
		p.do(c.order, lesson)
		before := p.succeed("handles", lesson).Counter
		for range calls {
			p.do(c.order, lesson)
		}
		opened := p.succeed("handles", lesson).Counter - before
		lesson.Expected, lesson.Found = "as many open files as before", fmt.Sprintf("%d more", opened)
		lab.Require(t, opened < calls, lesson)
	}
}

// withChild stands in an Update of PATH that has started another program, and reports that one's number.
func withChild(w *lab.Worker) error {
	_, err := lostupdate.Update(w.Arg(0), func(counter int) int {
		child := exec.Command("sleep", "600")
		if err := child.Start(); err != nil {
			panic(err)
		}
		if err := w.Result(child.Process.Pid); err != nil {
			panic(err)
		}
		w.Reached("inside")
		return counter + 1
	})
	return err
}

func TestUpdateWaitsForItsOwnFileOnly(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "Update waited for a caller that changes another file",
		Means: "programs that have nothing to do with each other wait for each other",
		Read:  lives,
	}
	others := []string{"drawings.json", "counter.bak", "elsewhere/counter.json", "copy/counter.json"}
	for _, name := range others[:lab.Rounds(len(others))] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := counterFile(t, 41)
			other := filepath.Join(filepath.Dir(path), filepath.FromSlash(name))
			must(t, os.MkdirAll(filepath.Dir(other), 0o700))
			write(t, other, `{"counter":7}`)
			lesson := lesson
			lesson.Did = "one process was inside Update of counter.json; a second one called Update(+1) of " + name
			first := stand(t, path, "0", lesson)
			if name == "copy/counter.json" {
				lesson.Did += ", in a copy of the whole directory that was made meanwhile"
				copyFiles(filepath.Dir(path), filepath.Dir(other))
				write(t, other, `{"counter":7}`)
			}
			second := start(t, other)
			lab.Require(t, second.Begin("update 1") != process.Blocked, lesson)
			failed := lesson.Say("Update failed while another process was inside Update of another file")
			failed.Means = "programs that have nothing to do with each other are in each other's way"
			lab.RequireNoError(t, second.end(lesson).Returned.Err, failed)
			requireCounter(t, other, 8, failed)
			first.Continue()
			lab.RequireNoError(t, first.Wait(lesson), failed)
			requireCounter(t, path, 42, lesson)
		})
	}

	t.Run("in one process", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "desk", "counter.json")
		must(t, os.Mkdir(filepath.Dir(path), 0o700))
		must(t, os.Mkdir(filepath.Join(dir, "shelf"), 0o700))
		write(t, path, `{"counter":41}`)
		var others []string
		for n := range lab.Rounds(400) { // so many that two of them share a lock if there is a fixed number of locks
			others = append(others, fmt.Sprintf("desk/counter.json.%d.json", n))
		}
		// Names that become one name when a program changes some characters of it.
		others = append(others, "desk_counter.json", "desk-counter.json", "desk.counter.json", "deskcounter.json", "desk%2Fcounter.json",
			"shelf/counter.json", "desk/counter", "desk/counter.js", "desk/counter.json ", "desk/counter_json", "desk/counterjson",
			"desk/counter.json.bak")
		if _, err := os.Stat(filepath.Join(dir, "desk", "Counter.json")); err != nil { // it is another name here
			others = append(others, "desk/Counter.json", "desk/COUNTER.JSON")
		}
		if runtime.GOOS == "windows" {
			others = slices.DeleteFunc(others, func(name string) bool { return strings.HasSuffix(name, " ") }) // Windows drops the space
		}
		for _, name := range others {
			write(t, filepath.Join(dir, filepath.FromSlash(name)), `{"counter":7}`)
		}
		lesson := lesson
		lesson.Did = fmt.Sprintf("in Update of desk/counter.json, change called Update(+1) of %d others, such as %s, while goroutines waited",
			len(others), strings.Join(slices.Concat(others[:2], others[len(others)-2:]), ", "))
		lesson.Means = "a lock that several files of the process share: change waits for the Update that called it, for ever"
		worker := lab.Start(t, "other files", append([]string{path, dir}, others...)...)
		lab.RequireNoError(t, worker.Wait(lesson), lesson)
		requireCounter(t, path, 42+manyWait, lesson)
		for _, name := range others {
			requireCounter(t, filepath.Join(dir, filepath.FromSlash(name)), 8, lesson)
		}
	})
}

// copyFiles copies the files of a directory, a lock file among them if there is one. Windows refuses to read that, and then it is missing.
func copyFiles(from, to string) {
	entries, _ := os.ReadDir(from)
	for _, entry := range entries {
		if content, err := os.ReadFile(filepath.Join(from, entry.Name())); err == nil {
			_ = os.WriteFile(filepath.Join(to, entry.Name()), content, 0o600)
		}
	}
}

// otherFiles updates other files of a directory inside an Update of PATH, for which others of its goroutines wait: PATH DIRECTORY NAME...
// The first of them are updated one inside the other.
func otherFiles(w *lab.Worker) error {
	next := func(counter int) int { return counter + 1 }
	waiters := make(chan error, manyWait)
	var inner error
	var from func(n int) // updates the files from number n on
	update := func(n int, change func(counter int) int) {
		_, err := lostupdate.Update(filepath.Join(w.Arg(1), filepath.FromSlash(w.Arg(n))), change)
		inner = errors.Join(inner, err)
		w.Progress()
	}
	from = func(n int) {
		for ; w.Arg(n) != ""; n++ {
			if n < 2+manyWait {
				update(n, func(counter int) int { from(n + 1); return counter + 1 })
				return
			}
			update(n, next)
		}
	}
	_, err := lostupdate.Update(w.Arg(0), func(counter int) int {
		for range cap(waiters) {
			go func() {
				_, err := lostupdate.Update(w.Arg(0), next)
				waiters <- err
			}()
		}
		from(2)
		return counter + 1
	})
	for range cap(waiters) {
		err = errors.Join(err, <-waiters)
		w.Progress()
	}
	return errors.Join(err, inner)
}

// manyWait is how many goroutines wait for one file, and how many files are updated one inside the other.
const manyWait = 40

func TestUpdateLetsInOneWaiterAfterTheOther(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "Update let a third process in beside the second",
		Did:   "three processes called Update(+1): the second waited for the first, and the third came when the second was inside",
		Means: "they did not wait for the same lock: one update is lost, and two job cards have the same number",
		Read:  lives,
	}
	t.Run("after one that succeeds", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 41)
		first := stand(t, path, "0", lesson)
		secondAndThird(t, path, start(t, path), first.Continue, lesson)
		lab.RequireNoError(t, first.Wait(lesson), lesson)
		requireCounter(t, path, 44, lesson)
	})

	t.Run("after one that finds no file", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Did += "; the first found no file, which another program wrote while the first was at work"
		path := counterFile(t, 41)
		third := start(t, path)
		for number := 1; number <= mostStops; number++ {
			must(t, os.Remove(path))
			stop, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var first, err error
			go func() {
				defer close(ended)
				stops := 0
				err = lab.Watch(func() { _, first = lostupdate.Update(path, func(counter int) int { return counter + 1 }) }, func(string) {
					if stops++; stops == number {
						close(stop)
						<-goOn
					}
				})
			}()
			select {
			case <-ended: // it makes fewer calls
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skip(err)
				}
				lab.RequireNoError(t, err, lesson)
				return
			case <-stop:
			}
			write(t, path, `{"counter":41}`)
			secondAndThird(t, path, third, func() { close(goOn) }, lesson)
			<-ended
			lab.RequireNoError(t, err, lesson)
			want := 44
			if first != nil {
				want = 43
			}
			requireCounter(t, path, want, lesson)
		}
	})
}

// secondAndThird lets a second process come while the first is at work, and a third one when the second is inside.
func secondAndThird(t *testing.T, path string, third program, letFirstGoOn func(), lesson lab.Lesson) {
	t.Helper()
	second := lab.Launch(t, lab.Options{Dir: t.TempDir()}, "stand inside", path, "0")
	second.Settle()
	letFirstGoOn()
	second.Reached("inside", lesson)
	third.Begin("update 1")
	second.Continue()
	lab.RequireNoError(t, second.Wait(lesson), lesson)
	lab.RequireNoError(t, third.end(lesson).Returned.Err, lesson)
}

// A lock does not end because its holder takes long, because its file is old, or because other programs open and close files there.
func TestUpdateKeepsItsLockHoweverLongItTakes(t *testing.T) {
	t.Parallel()
	path := counterFile(t, 41)
	lesson := lab.Lesson{
		Says:  "Update lost its turn because it took long",
		Did:   "a process stood inside Update for 6 seconds, and all files looked two days old; another process called Update(+1)",
		Means: "change may ask a person, and a machine may sleep: a lock that ends by itself lets two in at once",
		Read:  waiting,
	}
	first := stand(t, path, "99", lesson)
	second := start(t, path)
	second.Begin("update 1")
	for range lab.Rounds(60) {
		lab.Age(t, filepath.Dir(path), 48*time.Hour)
		readAll(filepath.Dir(path))
		time.Sleep(100 * time.Millisecond) // decides nothing for an Update that waits: it gives one that does not the time to act
	}
	third := start(t, path)
	third.Begin("update 1")
	first.Continue()
	lab.RequireNoError(t, first.Wait(lesson), lesson)
	lab.RequireNoError(t, second.end(gaveUp(lesson)).Returned.Err, gaveUp(lesson))
	lab.RequireNoError(t, third.end(gaveUp(lesson)).Returned.Err, gaveUp(lesson))
	requireCounter(t, path, 101, lesson)
}

// A caller that sleeps between its tries must not give up either. Its clock is testing/synctest's: ten minutes of sleep take no time.
func TestNoTimeLimitEndsTheWait(t *testing.T) {
	t.Parallel()
	t.Run("Update", updateWaits)
	takeAndReturnWait(t)
}

func updateWaits(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := counterFile(t, 41)
	minutes := lab.Rounds(10)
	lesson := gaveUp(lab.Lesson{
		Did: fmt.Sprintf("a process stood inside Update for %d minutes of the other caller's clock; that one called Update(+1)", minutes),
	})
	first := stand(t, path, "99", lesson)
	end := asleep(t, time.Duration(minutes)*time.Minute+30*time.Second, func() error {
		_, err := lostupdate.Update(path, func(counter int) int { return counter + 1 })
		return err
	}, lesson)
	first.Continue()
	lab.RequireNoError(t, end(), lesson)
	lab.RequireNoError(t, first.Wait(lesson), lesson)
	lesson.Says = "Update went on although another process was inside"
	lesson.Means = "it did not wait, or not longer than a while: a change is gone, and no call returned an error"
	requireCounter(t, path, 100, lesson)
}

// asleep begins a call that waits for its turn in a bubble of testing/synctest, and returns when it has waited for so long by the bubble's
// clock, or has returned, or waits in the kernel, which stops that clock. end waits until the call returns.
func asleep(t *testing.T, long time.Duration, call func() error, lesson lab.Lesson) (end func() error) {
	t.Helper()
	var err error
	passed, over, beat := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	go func() {
		defer close(over)
		synctest.Test(t, func(*testing.T) {
			returned := make(chan struct{})
			go func() {
				const step = 5 * time.Second
				for slept := time.Duration(0); slept < long; slept += step {
					select {
					case <-time.After(step):
					case <-returned:
						return
					}
					select {
					case beat <- struct{}{}:
					default: // one is enough
					}
				}
				close(passed)
			}()
			err = call()
			close(returned)
			time.Sleep(time.Hour) // for goroutines that the call has left asleep
		})
	}()
	for waits := true; waits; {
		select {
		case <-beat: // its clock goes on
		case <-passed:
			waits = false
		case <-over: // it has not waited
			waits = false
		case <-time.After(time.Second): // decides nothing: a caller that waits in the kernel stops synctest's clock
			waits = false
		}
	}
	return func() error {
		t.Helper()
		lab.Finishes(t, func() { <-over }, lesson)
		return err
	}
}

// count does N times Update(+1), PATH N GOROUTINES, and reports every counter that it got.
func count(w *lab.Worker) error {
	var mutex sync.Mutex
	var got []int
	var failures error
	var goroutines sync.WaitGroup
	for range w.Int(2) {
		goroutines.Go(func() {
			for range w.Int(1) {
				counter, err := lostupdate.Update(w.Arg(0), func(counter int) int { return counter + 1 })
				w.Progress()
				mutex.Lock()
				got, failures = append(got, counter), errors.Join(failures, err)
				mutex.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	goroutines.Wait()
	return errors.Join(failures, w.Result(got))
}

func TestThreeProcessesTimes100Are300(t *testing.T) {
	t.Parallel()
	crowd(t, 3, 1, 100)
}

func TestFourGoroutinesTimes25Are100(t *testing.T) {
	t.Parallel()
	crowd(t, 1, 4, 25)
}

// crowd lets processes × goroutines × updates count in a new file, beginning with 0.
func crowd(t *testing.T, processes, goroutines, updates int) {
	t.Helper()
	path := counterFile(t, 0)
	lesson := lab.Lesson{
		Says:  "Update lost changes when many counted at once",
		Did:   fmt.Sprintf("%d processes with %d goroutines each called Update(+1) %d times, beginning with 0", processes, goroutines, updates),
		Means: "job cards with the same number, and no call returned an error",
		Read:  begins,
	}
	failed := lesson
	failed.Says = "Update failed when many counted at once"
	failed.Means = "a job card gets no number because others were being numbered; the error shows what the call met in the meantime"
	var all []*lab.Process
	for range processes {
		o := lab.Options{Dir: t.TempDir(), Hold: true}
		all = append(all, lab.Launch(t, o, "count", path, fmt.Sprint(updates), fmt.Sprint(goroutines)))
	}
	for _, p := range all {
		p.Continue()
	}
	var got []int
	for _, p := range all {
		var counters []int
		p.Result(&counters, lesson)
		lab.RequireNoError(t, p.Wait(lesson), failed)
		got = append(got, counters...)
	}
	requireCounter(t, path, processes*goroutines*updates, lesson)
	slices.Sort(got)
	distinct := len(slices.Compact(slices.Clone(got)))
	lesson.Says = "Update returned the same counter to two callers when many counted at once"
	lesson.Means = "the count is right in the end, but two job cards have the same number"
	lesson.Expected, lesson.Found = fmt.Sprintf("%d different counters", len(got)), fmt.Sprintf("%d different counters", distinct)
	lab.Require(t, distinct == len(got), lesson)
}
