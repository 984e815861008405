package lostupdate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// twoGoroutines lets one goroutine stand inside its Update of PATH while a second one calls Update(+1). It reports whether the
// second got in. The first sets the counter to 99. With a second argument the second goroutine spells the path in that way.
func twoGoroutines(w *lab.Worker) error {
	other := w.Arg(0)
	if w.Arg(1) != "" {
		dir := filepath.Dir(other)
		if err := os.Chdir(dir); err != nil {
			return err
		}
		other = strings.ReplaceAll(w.Arg(1), "DIR", filepath.Base(dir))
	}
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
	case <-time.After(200 * time.Millisecond): // a right Update never ends it; a wrong one lets the second in at once
	}
	close(leave)
	return errors.Join(<-first, <-second, w.Result(both))
}

func TestUpdateLetsOneGoroutineInAtATime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, spelling, did, read string }{
		{"same path", "", "a second one of the same process called Update(+1)", why},
		{"relative path", "counter.json", "a second one of the same process named the file by a relative path", lives},
		{"path with dots", "../DIR/./counter.json", `a second one of the same process named the file with ".." and "."`, lives},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := counterFile(t, 41)
			lesson := lab.Lesson{
				Says:  "Update let a second goroutine in while the first was inside",
				Did:   "one goroutine was inside Update, about to set 99; " + c.did,
				Means: "both work with the old number: two job cards get the same one, and no call returns an error",
				Read:  c.read,
			}
			worker := lab.Start(t, "two goroutines", path, c.spelling)
			var both bool
			worker.Result(&both, lesson)
			entered := lesson
			entered.Expected, entered.Found = "the second waits until the first has written", "the second read the counter in the meantime"
			lab.Require(t, !both, entered)
			err := worker.Wait(lesson)
			failed := gaveUp(lesson)
			if errors.Is(err, fs.ErrNotExist) {
				failed.Says, failed.Read = "Update failed for this spelling of the path", lives
				failed.Means = "Update looks for the file, or for its lock file, somewhere else than the path says"
			}
			lab.RequireNoError(t, err, failed)
			requireCounter(t, path, 100, lesson)
		})
	}
}

// standInside stands in the middle of an Update of PATH, in a process that has opened and closed every file there, as change may. The
// counter becomes N, or one more if N is 0.
func standInside(w *lab.Worker) error {
	stood := false
	_, err := lostupdate.Update(w.Arg(0), func(counter int) int {
		if !stood {
			stood = true
			readAll(filepath.Dir(w.Arg(0)))
			runtime.GC() // closes the files that no variable refers to any more
			w.Reached("inside")
		}
		if n := w.Int(1); n != 0 {
			return n
		}
		return counter + 1
	})
	return err
}

// readAll opens and closes every file of the directory.
func readAll(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		_, _ = os.ReadFile(filepath.Join(dir, entry.Name())) // Windows refuses to read a locked file
	}
}

func stand(t *testing.T, path, n string, lesson lab.Lesson) *lab.Process {
	t.Helper()
	p := lab.Launch(t, lab.Options{Dir: t.TempDir()}, "stand inside", path, n)
	p.Reached("inside", lesson)
	return p
}

func TestUpdateWaitsForAnotherProcess(t *testing.T) {
	t.Parallel()
	t.Run("with another environment", func(t *testing.T) { waitsForAnotherProcess(t, false) })
	t.Run("in a directory that was entered through a link", func(t *testing.T) { waitsForAnotherProcess(t, true) })
}

// waitsForAnotherProcess lets the second process name the file by a relative path if a link has led it to the file's directory: then PWD
// is another name of that directory (cd follows the link, and filepath.Abs believes PWD).
func waitsForAnotherProcess(t *testing.T, byLink bool) {
	t.Helper()
	path := counterFile(t, 41)
	lesson := lab.Lesson{
		Says:  "Update lost another process's change",
		Did:   "one process was inside Update, about to set 99; a second process called Update(+1)",
		Means: "one of them read the counter before the other had written it: a change is gone, and no call returned an error",
		Read:  why,
	}
	first := stand(t, path, "99", lesson)
	dir := t.TempDir()
	o, spelling := lab.Options{Dir: dir, Env: homesIn(dir)}, path
	if byLink {
		o.Dir, spelling = linkTo(t, filepath.Dir(path)), filepath.Base(path)
		o.Env = append(o.Env, "PWD="+o.Dir)
		lesson.Did += " of counter.json, in the same directory, which it had entered through a link (PWD)"
	}
	second := launch(t, o, spelling)
	lesson = cause(t, lesson, second.Begin("update 1"), dir, path)
	if byLink {
		lesson.Means = "what keeps them apart depends on the name of the directory, and the two know it by different names"
		lesson.Read = lives
	}
	first.Continue()
	failed := lesson.Say("Update failed although another process only waited for it")
	failed.Means = "the first caller had its turn: no other may take from it what it needs"
	lab.RequireNoError(t, first.Wait(lesson), failed)
	got := second.end(gaveUp(lesson))
	lab.RequireNoError(t, got.Returned.Err, gaveUp(lesson))
	requireCounter(t, path, 100, lesson)
	requireOneChange(t, got, lesson)
}

// homesIn is the environment of another user: the directories for temporary and for personal files are not those of the test.
func homesIn(dir string) (environment []string) {
	for _, name := range []string{"TMPDIR", "TMP", "TEMP", "HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "LOCALAPPDATA"} {
		environment = append(environment, name+"="+dir)
	}
	return environment
}

// requireOneChange demands that Update called change once, or not at all if it failed.
func requireOneChange(t *testing.T, got reply, lesson lab.Lesson) {
	t.Helper()
	lesson.Says = "Update did not call change once"
	lesson.Means = "change may print a job card or ask a person: that happens as often as it is called"
	if got.Changes == 0 {
		lesson.Means = "change prints the job card: there is none, and no call returned an error"
	}
	lesson.Expected, lesson.Found = "1 call", fmt.Sprintf("%d calls", got.Changes)
	lab.Require(t, got.Changes == 1 || got.Changes == 0 && got.Returned.Err != nil, lesson)
}

// cause names the cause as far as it shows from outside: whether the second process waited, and which files there are.
func cause(t *testing.T, lesson lab.Lesson, state process.State, dir, path string) lab.Lesson {
	t.Helper()
	inDir, err := os.ReadDir(dir)
	must(t, err)
	beside, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	switch {
	case len(inDir) > 0:
		lesson.Means = "each locked a file of its own: the second one made " + inDir[0].Name() +
			" in the directory where it was started, which was also its TMPDIR and its HOME"
		lesson.Read = lives
	case state == process.Blocked:
		lesson.Means = "the second waited, but one of them had read the counter before it had the lock: a change is gone"
		lesson.Read = begins
	case len(beside) > 1:
		lesson.Means = "there is a lock, but neither had it to itself from before the read until after the write: a change is gone"
		lesson.Read = begins
	}
	return lesson
}

// gaveUp is the lesson for an Update that returned an error because another caller was inside.
func gaveUp(lesson lab.Lesson) lab.Lesson {
	lesson.Says = "Update gave up instead of waiting for its turn"
	lesson.Means = "a job card gets no number because another one was being numbered"
	lesson.Read = waiting
	return lesson
}

func TestUpdateReplacesTheCounter(t *testing.T) {
	t.Parallel()
	own := filesLeftBy(t, counterFile(t, 41), "update 1")
	for _, c := range []struct {
		name, content string
		add, want     int
	}{
		{"by the next, through a link to another directory", `{"counter":41}`, 1, 42},
		{"by the next", `{"counter":41}`, 1, 42},
		{"by a shorter one", `{"counter":100}`, -93, 7},
		{"by a negative one", `{"counter":1}`, -2, -1},
		{"by the one it was", `{"counter":41}`, 0, 41},
		{"beyond what a float64 holds", `{"counter":9007199254740993}`, 1, 9007199254740994},
		{"in a file that a person has laid out", " {\r\n\t\"counter\" : -1\n}\n" + strings.Repeat(" ", 1<<20-50), 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if strconv.IntSize < 64 && c.want > 1<<31-1 {
				t.Skip("an int has 32 bits here")
			}
			path := lab.WriteFile(t, "counter.json", c.content)
			byLink := strings.Contains(c.name, "link")
			if byLink {
				path = linkTo(t, path)
			}
			requireUntouched := neighbours(t, path, own...)
			lesson := lab.Lesson{
				Says:  "Update did not replace the counter",
				Did:   fmt.Sprintf("the file held %s; one Update(%+d), with no other caller", beginning(c.content), c.add),
				Means: "the next job card gets a wrong number, or none because the file cannot be read any more",
				Read:  longWrite,
			}
			if byLink {
				lesson.Did += "; the path was a symbolic link to the file, in another directory"
				lesson.Means = "a person has moved the file to another disk and left a link: no job card gets a number any more"
				lesson.Read = lives
			}
			got := start(t, path).succeed(fmt.Sprintf("update %d", c.add), lesson)
			requireCounter(t, path, c.want, lesson)
			lab.RequireEqual(t, c.want, got.Counter, lesson)
			requireOneChange(t, got, lesson)
			requireUntouched("Update", lesson)
		})
	}

	t.Run("after another program has replaced the file", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 41)
		lesson := lab.Lesson{
			Says:  "Update did not go by the file that is at the path",
			Did:   "a program called Update(+1); an editor replaced the file by another one that held 70; the program called Update(+1) again",
			Means: "the program goes on with a file that no other program sees",
			Read:  copied,
		}
		p := start(t, path)
		p.succeed("update 1", lesson)
		write(t, path+".new", `{"counter":70}`)
		must(t, os.Rename(path+".new", path))
		p.succeed("update 1", lesson)
		requireCounter(t, path, 71, lesson)

		before, err := os.Stat(path)
		must(t, err)
		write(t, path, `{"counter":80}`)
		must(t, os.Chtimes(path, time.Time{}, before.ModTime())) // as if it had been written in the same tick of the kernel's clock
		lesson.Did = "a program called Update(+1), which left 71; another one wrote 80, so that the file's length and time were the same"
		lesson.Means = "the program goes on with what the file held before: a change is gone, and no call returned an error"
		p.succeed("update 1", lesson)
		requireCounter(t, path, 81, lesson)

		lesson.Did = "a program called Update(+1) while another one was inside; an editor replaced the file by another one that held 70; " +
			"the program inside was killed"
		lesson.Means = "the program opened the file before its turn, and goes on with one that no other program sees"
		lesson.Read = lives
		first := stand(t, path, "0", lesson)
		p.Begin("update 1")
		write(t, path+".new", `{"counter":70}`)
		if err := os.Rename(path+".new", path); err != nil {
			t.Skip("a file that a program has open cannot be replaced here")
		}
		first.Kill()
		lab.RequireNoError(t, p.end(lesson).Returned.Err, lesson)
		requireCounter(t, path, 71, lesson)
	})
}

func TestNothingIsMadeUpWhereThereIsNoFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, path, did string }{
		{"missing file", "counter.json", "Update(+1) of a file that does not exist"},
		{"missing directory", "no such directory/counter.json", "Update(+1) of a file in a directory that does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), filepath.FromSlash(c.path))
			lesson := lab.Lesson{
				Says:  "Update did not report that the file is missing",
				Did:   c.did,
				Means: "a file that was moved or lost goes unnoticed: the numbers begin again, and two job cards have the same one",
				Read:  damage,
			}
			got := start(t, path).do("update 1", lesson)
			missing := lesson
			missing.Expected = "an error in which errors.Is finds fs.ErrNotExist (wrap the error with %w)"
			lab.RequireErrorIs(t, got.Returned.Err, fs.ErrNotExist, missing)
			lesson.Says = "Update began a new counter where there was none"
			lab.RequireNoFile(t, path, lesson)
			if dir := filepath.Dir(path); c.name == "missing directory" {
				lesson.Says = "Update made the directory of a file that does not exist"
				lab.RequireNoFile(t, dir, lesson)
			}
		})
	}

	t.Run("missing list", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json")
		lesson := lab.Lesson{
			Says:  "Open began a new list where there was none",
			Did:   "Open of a list that does not exist",
			Means: "a list that was moved or lost goes unnoticed: every part is free, and two people work on one part",
			Read:  damage,
		}
		p := lab.Start(t, "once", path, "close")
		lab.RequireErrorIs(t, p.Wait(lesson), fs.ErrNotExist, lesson)
		lab.RequireNoFile(t, path, lesson)
	})
}

func TestDamageIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	t.Run("Update", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 41)
		p := start(t, path)
		for _, damaged := range []string{
			"", "{}", "null", "41", `{"count":41}`, `{"counter":4`, `{"counter":41,"year":2026}`, `{"counter":41}}`, `{"counter":41,"counter":42}`,
			`{"counter":null}`, `{"counter":41.5}`, `{"counter":"41"}`, `{"counter":92233720368547758070}`,
		} {
			write(t, path, damaged)
			lesson := lab.Lesson{
				Says:  "Update counted on from a file that does not hold one counter and nothing else",
				Did:   "the file held " + lab.Show([]byte(damaged)) + "; Update(+1)",
				Means: "the numbers begin again, two job cards have the same one, and what could still be saved of the file is gone",
				Read:  damage,
			}
			lab.RequireError(t, p.do("update 1", lesson).Returned.Err, lesson)
			lab.RequireFile(t, path, damaged, lesson)
			write(t, path, `{"counter":41}`) // which leaves a good copy to a program that keeps one
			p.succeed("update 1", lesson.Say("Update failed although the file had been put right"))
		}
	})
	t.Run("Take and Return", damagedLists)
}
