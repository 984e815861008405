package lockfileex_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	lockfileex "example/turnstile/exercises/10_lockfileex"
	"example/turnstile/exercises/10_lockfileex/winfile"
	"example/turnstile/internal/lab"
)

// add adds a job with TEXT to the list at PATH, stands at "inside" meanwhile, and sends the number.
func add(w *lab.Worker) error {
	number, err := lockfileex.Add(w.Arg(0), func(int) (string, error) {
		w.Reached("inside")
		return w.Arg(1), nil
	})
	return errors.Join(err, w.Result(number))
}

// jobs stands at "inside" while it has the jobs at PATH, and sends how many there are.
func jobs(w *lab.Worker) error {
	return lockfileex.Jobs(w.Arg(0), func(lines []string) error {
		w.Reached("inside")
		return w.Result(len(lines))
	})
}

// crowd stands at "ready", and then adds COUNT jobs to the list at PATH, and reads it after each.
func crowd(w *lab.Worker) error {
	w.Reached("ready")
	for range w.Int(1) {
		number, err := lockfileex.Add(w.Arg(0), part)
		if err != nil {
			return err
		}
		err = lockfileex.Jobs(w.Arg(0), func(lines []string) error {
			if len(lines) < number {
				return fmt.Errorf("%w: %d jobs after job %d was added", errTest, len(lines), number)
			}
			return nil
		})
		if err != nil {
			return err
		}
		w.Progress()
	}
	return nil
}

// nested adds a job to a list in the directory DIR, inside it one to a second list, and so on, to COUNT lists; inside the last one, it
// reads one more list. It is a process of its own, because it may hang.
func nested(w *lab.Worker) error {
	var add func(left int) error
	add = func(left int) error {
		path := filepath.Join(w.Arg(0), fmt.Sprintf("jobs-%d.txt", left))
		if left == 0 {
			return errors.Join(os.WriteFile(path, nil, 0o600), lockfileex.Jobs(path, use(nil)))
		}
		_, err := lockfileex.Add(path, func(int) (string, error) {
			w.Progress()
			return "bracket", add(left - 1)
		})
		return err
	}
	return add(w.Int(1))
}

// between adds a job to the list at PATH and reads the list; before each call that this makes, and while it has what it has read, it adds
// one to ANOTHER list and reads that one. It has one processor, so that what one call puts aside for the next one, the next one gets.
func between(w *lab.Worker) error {
	runtime.GOMAXPROCS(1)
	other := func() error { return errors.Join(adds("part", nil)(w.Arg(1)), uses(nil)(w.Arg(1))) }
	defer winfile.Intercept(w.Arg(0), func(string) error { return other() })()
	return addAndRead(w, w.Arg(0), other)
}

// from adds a job to the list at PATH and reads the list, in the working directory DIR.
func from(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	return addAndRead(w, w.Arg(1), func() error { return nil })
}

// addAndRead adds a bracket, and sends the list that Jobs then reads. Both call inside meanwhile.
func addAndRead(w *lab.Worker, path string, inside func() error) error {
	if _, err := lockfileex.Add(path, func(int) (string, error) { return "bracket", inside() }); err != nil {
		return err
	}
	return lockfileex.Jobs(path, func(lines []string) error {
		return errors.Join(inside(), w.Result(strings.Join(append(lines, ""), "\n")))
	})
}

// moves adds a job to jobs.txt in the directory DIR, which is the working directory until describe makes it ANOTHER.
func moves(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	_, err := lockfileex.Add("jobs.txt", func(int) (string, error) { return "bracket", os.Chdir(w.Arg(1)) })
	return err
}

const cannot = "the program cannot add or read a job, and nothing is in its way"

// addOne is Add of a bracket, which must return.
func addOne(t *testing.T, path string, l lab.Lesson) (number int, err error) {
	t.Helper()
	lab.Finishes(t, func() { number, err = lockfileex.Add(path, text("bracket", nil)) }, l.Say("Add does not return"))
	return number, err
}

func TestAddIsAloneInside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, before string
		missing      bool
	}{
		{"with an empty list", "", false},
		{"with no list yet", "", true},
		{"with jobs in the list", "1 hinge\n2 hinge\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := file(t, c.before)
			openHandle(t, path).Close() //nolint:errcheck // it only skips
			if c.missing {
				lab.RequireSetUp(t, os.Remove(path))
			}
			l := lab.Lesson{
				Says: "A second Add does not wait in the system for the first one", Read: why,
				Did:   "a process was inside its Add, " + c.name + "; another process called Add",
				Means: "both find the same number of jobs, and two jobs have one number; or the second costs processor time all along",
			}
			first := lab.Start(t, "add", path, "bracket")
			first.Reached("inside", l)
			second := lab.Start(t, "add", path, "plate")
			second.WaitBlocked(l)
			first.Continue()
			l.Did += "; then the first returned"
			second.Reached("inside", tells(l, "Add did not get the lock after the other one", "the second program waits for no one"))
			second.Continue()
			var one, two int
			first.Result(&one, l)
			second.Result(&two, l)
			lab.RequireNoError(t, first.Wait(), tells(l, "Add failed", cannot))
			lab.RequireNoError(t, second.Wait(), tells(l, "Add failed", cannot))
			n := strings.Count(c.before, "\n")
			lab.RequireEqual(t, fmt.Sprintln(n+1, n+2), fmt.Sprintln(one, two), l.Say("Add returned another number than the next one"))
			lab.RequireFile(t, path, fmt.Sprintf("%s%d bracket\n%d plate\n", c.before, n+1, n+2), l.Say("Add lost a job"))
		})
	}
}

func TestAddWritesOneLineForEachJob(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("hinge-", 12_000) // longer than one read of a line is by default
	for _, c := range []struct{ name, before, text string }{
		{"to a list whose numbers have gaps", "3 hinge\n7 plate\n", "bracket"},
		{"with blanks around the text", "1 hinge\n", " two  words "},
		{"with no text", "1 hinge\n", ""},
		{"with nothing but blanks", "1  \n", "  \t"},
		{"with percent signs", "1 50% %d\n", "100%% of %s, %d %[1]s%"},
		{"with carriage returns", "1 hinge\r\n", "bra\rcket\r"},
		{"with bytes that are not UTF-8", "1 T\xfcr\n", "T\xfcr\x00"},
		{"to a list with empty lines", "\n1 hinge\n\n", "bracket"},
		{"with a text of 70 KB", "", long},
		{"to a list of more than 10 MB", strings.Repeat("1 "+long+"\n", 150), "bracket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := file(t, c.before)
			openHandle(t, path).Close() //nolint:errcheck // it only skips
			l := lab.Lesson{
				Says: "Add returned another number than the next one", Did: "Add " + c.name, Read: fix,
				Means: "the number is not how many jobs the list holds, so one of them gets a number that another one has, or will have",
			}
			var number int
			var err error
			lab.Finishes(t, func() { number, err = lockfileex.Add(path, text(c.text, nil)) }, l.Say("Add does not return"))
			lab.RequireNoError(t, err, tells(l, "Add failed", cannot))
			lab.RequireEqual(t, strings.Count(c.before, "\n")+1, number, l)
			want := fmt.Sprintf("%s%d %s\n", c.before, number, c.text)
			l.Means = "what a program reads is not what another one added"
			lab.RequireFile(t, path, want, l.Say("Add wrote another line than the number and the text"))
			got := ""
			lab.Finishes(t, func() {
				err = lockfileex.Jobs(path, func(lines []string) error { got = strings.Join(append(lines, ""), "\n"); return nil })
			}, l.Say("Jobs does not return"))
			l.Did += ", and Jobs"
			lab.RequireNoError(t, err, tells(l, "Jobs failed", cannot))
			lab.RequireEqual(t, want, got, l.Say("Jobs reads other lines than the list has"))
		})
	}
}

func TestAddCountsWhatTheListHolds(t *testing.T) {
	t.Parallel()
	path := file(t, "")
	openHandle(t, path).Close() //nolint:errcheck // it only skips
	l := lab.Lesson{
		Did:   "Jobs and Add; another list, as long and as old as the first had been, took its place; Jobs and Add; then an empty one",
		Means: "the program believes what it remembers, and not what the list holds", Read: fix,
	}
	age := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		list string
		next int
	}{{"1 hinge\n2 hinge\n", 3}, {"1 a long hinge.\n", 2}, {"", 1}} {
		lab.RequireSetUp(t, errors.Join(os.WriteFile(path, []byte(c.list), 0o600), os.Chtimes(path, age, age)))
		got := ""
		err := lockfileex.Jobs(path, func(lines []string) error { got = strings.Join(append(lines, ""), "\n"); return nil })
		lab.RequireNoError(t, err, tells(l, "Jobs failed", cannot))
		lab.RequireEqual(t, c.list, got, l.Say("Jobs reads other lines than the list has"))
		number, err := addOne(t, path, l)
		lab.RequireNoError(t, err, tells(l, "Add failed", cannot))
		lab.RequireEqual(t, c.next, number, l.Say("Add returned another number than the next one"))
	}
}

func TestAddAndJobsHaveTheLockWhileTheyReadAndWrite(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(path string) error{
		"Add":  adds("bracket", nil),
		"Jobs": uses(nil),
	} {
		path := file(t, "1 hinge\n")
		lab.RequireSetUp(t, os.Link(path, path+".probe")) // the same file by a name that is not intercepted
		b := openHandle(t, path+".probe")
		l := lab.Lesson{
			Did: name + "; another handle called TryLock before each ReadAt, and TryRLock before each WriteAt", Read: why,
			Means: "what it has read is out of date when it writes, or it or another one reads what is half written",
		}
		var free []string
		tries := map[string]func(*winfile.File) error{"ReadAt": lockfileex.TryLock, "WriteAt": lockfileex.TryRLock}
		t.Cleanup(winfile.Intercept(path, func(call string) error {
			if try, ok := tries[call]; ok && try(b.File) == nil {
				free = append(free, call)
				return lockfileex.Unlock(b.File)
			}
			return nil
		}))
		var err error
		lab.Finishes(t, func() { err = call(path) }, l.Say("%s does not return", name))
		lab.RequireNoError(t, err, l.Say("%s failed", name))
		l.Expected, l.Found = "the other handle gets no lock", "it got one before "+strings.Join(free, " and ")
		lab.Require(t, len(free) == 0, l.Say("%s reads or writes without its lock", name))
	}
}

func TestListsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	path := file(t, "")
	l := lab.Lesson{
		Says:  "Add waits for another list",
		Did:   "Add to one list; inside it, Add to another list, and so on, to 64 lists; inside the last one, Jobs of one more",
		Means: "a program that copies a job from one list to another waits for itself", Read: fix,
	}
	openHandle(t, path).Close()                           //nolint:errcheck // it only skips
	p := lab.Start(t, "nested", filepath.Dir(path), "64") // as many as a program might have mutexes for all lists
	lab.RequireNoError(t, p.Wait(l), l.Say("Add to a list inside an Add to another one failed"))
	t.Run("and do not mix", doNotMix)
}

func doNotMix(t *testing.T) {
	t.Helper()
	t.Parallel()
	path, other := file(t, "1 hinge\n"), file(t, "")
	openHandle(t, path).Close() //nolint:errcheck // it only skips
	l := lab.Lesson{
		Says: "Add to one list wrote what belongs in another", Read: yourTurn,
		Did:   "Add and Jobs of one list; before each call that these made, and inside them, Add and Jobs of another list",
		Means: "two calls use the same memory, so jobs get into a list that they do not belong in",
	}
	p := lab.Start(t, "between", path, other)
	var read string
	failed := tells(l, "Add or Jobs failed beside another list", cannot)
	p.Result(&read, failed)
	lab.RequireNoError(t, p.Wait(failed), failed)
	lab.RequireFile(t, path, "1 hinge\n2 bracket\n", l)
	lab.RequireEqual(t, "1 hinge\n2 bracket\n", read, l.Say("Jobs of one list read what belongs in another"))
	content, err := os.ReadFile(other)
	lab.RequireSetUp(t, err)
	want := ""
	for n := range strings.Count(string(content), "\n") {
		want += fmt.Sprintf("%d part\n", n+1)
	}
	lab.RequireFile(t, other, want, l)
}

func TestTheBoardReadsWhileAddIsInside(t *testing.T) {
	t.Parallel()
	mandatory(t)
	for name, call := range map[string]func(path string) error{"Add": adds("bracket", nil), "Jobs": uses(nil)} {
		path := file(t, "1 hinge\n")
		openHandle(t, path).Close()                       //nolint:errcheck // it only skips
		lab.RequireSetUp(t, os.Link(path, path+".board")) // the same file by a name that is not intercepted
		l := lab.Lesson{
			Says: name + " keeps the board from reading the list", Read: why, Expected: "no error",
			Did:   name + "; before each call that it made, a program that asks for no lock read the list",
			Means: "the board is empty whenever another program has the list",
		}
		t.Cleanup(winfile.Intercept(path, func(call string) error {
			if _, err := winfile.ReadFile(path + ".board"); err != nil && l.Found == "" {
				l.Found = "before " + call + ": " + err.Error()
			}
			return nil
		}))
		var err error
		lab.Finishes(t, func() { err = call(path) }, l.Say("%s does not return", name))
		lab.Require(t, l.Found == "", l)
		lab.RequireNoError(t, err, l.Say("%s failed", name))
	}
}

func skipUnsupported(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
}

func TestJobsShareTheListAndKeepAddOut(t *testing.T) {
	t.Parallel()
	path := file(t, "1 hinge\n")
	openHandle(t, path).Close() //nolint:errcheck // it only skips
	l := lab.Lesson{
		Says: "Jobs kept another Jobs out", Did: "a process was inside its Jobs; another called Jobs, and a third Add", Read: fix,
		Means: "readers wait for readers, or read while a line is being written",
	}
	inside := lab.Lesson{
		Says: "Jobs inside Jobs failed", Did: "Jobs, and inside it Jobs of the same list", Read: fix,
		Means: "a program that calls Jobs while it is inside Jobs waits for itself, or gets none",
	}
	var err error
	lab.Finishes(t, func() {
		err = lockfileex.Jobs(path, func([]string) error { return lockfileex.Jobs(path, use(nil)) })
	}, inside)
	lab.RequireNoError(t, err, inside)
	first, second := lab.Start(t, "jobs", path), lab.Start(t, "jobs", path)
	first.Reached("inside", l)
	second.Reached("inside", l)
	writer := lab.Start(t, "add", path, "bracket")
	writer.WaitBlocked(l.Say("Add does not wait in the system for Jobs"))
	first.Continue()
	writer.WaitBlocked(l.Say("Add does not wait in the system until the last Jobs has returned"))
	second.Continue()
	writer.Reached("inside", l.Say("Jobs did not give its lock back"))
	reader := lab.Start(t, "jobs", path)
	reader.WaitBlocked(l.Say("Jobs does not wait in the system for Add"))
	writer.Continue()
	reader.Reached("inside", l.Say("Add did not give its lock back"))
	reader.Continue()
	for _, p := range []*lab.Process{first, second, writer, reader} {
		var n int
		p.Result(&n, l)
		lab.RequireNoError(t, p.Wait(), l.Say("Jobs or Add failed"))
	}
}

type exit struct {
	name, content string
	refuse        string // the call that the system refuses
	run           func(path string) error
	fails         bool
}

// exits are the ways out of Add and Jobs.
var exits = []exit{
	{"Add returns", "1 hinge\n", "", adds("bracket", nil), false},
	{"Add is given an error", "1 hinge\n", "", adds("", errTest), true},
	{"Add is given two lines", "1 hinge\n", "", adds("a\nb", nil), true},
	{"Add is given a newline at the end", "1 hinge\n", "", adds("bracket\n", nil), true},
	{"Add is given the end of a line of Windows", "1 hinge\n", "", adds("bracket\r\n", nil), true},
	{"Add is given nothing but a newline", "1 hinge\n", "", adds("\n", nil), true},
	{"Add finds half a line", "1 hin", "", adds("bracket", nil), true},
	{"Add panics", "1 hinge\n", "", func(path string) error {
		return panics(func() { _, _ = lockfileex.Add(path, func(int) (string, error) { panic(errTest) }) })
	}, false},
	{"Add ends its goroutine", "1 hinge\n", "", func(path string) error {
		return endsGoroutine(func() { _, _ = lockfileex.Add(path, func(int) (string, error) { runtime.Goexit(); return "", nil }) })
	}, false},
	{"Add cannot read", "1 hinge\n", "ReadAt", adds("bracket", nil), true},
	{"Add cannot write", "1 hinge\n", "WriteAt", adds("bracket", nil), true},
	{"Jobs returns", "1 hinge\n", "", uses(nil), false},
	{"Jobs is given an error", "1 hinge\n", "", uses(errTest), true},
	{"Jobs finds half a line", "1 hin", "", uses(nil), true},
	{"Jobs panics", "1 hinge\n", "", func(path string) error {
		return panics(func() { _ = lockfileex.Jobs(path, func([]string) error { panic(errTest) }) })
	}, false},
	{"Jobs ends its goroutine", "1 hinge\n", "", func(path string) error {
		return endsGoroutine(func() { _ = lockfileex.Jobs(path, func([]string) error { runtime.Goexit(); return nil }) })
	}, false},
	{"Jobs cannot read", "1 hinge\n", "ReadAt", uses(nil), true},
}

// more are ways out after which the lock need not be free, and the last ones begin without a list.
var more = []exit{
	{"Add of an empty list", "", "", adds("bracket", nil), false},
	{"Add cannot lock", "1 hinge\n", "LockFileEx", adds("bracket", nil), true},
	{"Add cannot unlock", "1 hinge\n", "UnlockFileEx", adds("bracket", nil), true},
	{"Add cannot close", "1 hinge\n", "Close", adds("bracket", nil), true},
	{"Jobs of an empty list", "", "", uses(nil), false},
	{"Jobs cannot lock", "1 hinge\n", "LockFileEx", uses(nil), true},
	{"Jobs cannot unlock", "1 hinge\n", "UnlockFileEx", uses(nil), true},
	{"Jobs cannot close", "1 hinge\n", "Close", uses(nil), true},
	{"Add of no list", noList, "", adds("bracket", nil), false},
	{"Add of no list cannot lock", noList, "LockFileEx", adds("bracket", nil), true},
	{"Add of no list is given an error", noList, "", adds("", errTest), true},
	{"Jobs of no list", noList, "", uses(nil), true},
}

const noList = "no list"

// leaves takes each way out, with a list of its own in the working directory.
func leaves(w *lab.Worker) error {
	for i, exit := range slices.Concat(exits, more) {
		undo := winfile.Intercept(listOf(i), func(call string) error {
			if call == exit.refuse {
				return winfile.ERROR_DISK_FULL
			}
			return nil
		})
		_ = exit.run(listOf(i)) // other tests look at what it returns
		undo()
		w.Progress()
	}
	return nil
}

func listOf(exit int) string { return fmt.Sprintf("jobs-%d.txt", exit) }

func TestAddAndJobsOpenTheirListOnce(t *testing.T) {
	t.Parallel()
	t.Run("and that is the list that Add writes", writesWhatItHasLocked)
	t.Run("and do no more by name", opensOnce)
	t.Run("and take the path as it is", takesThePath)
}

func takesThePath(t *testing.T) {
	t.Helper()
	t.Parallel()
	for _, c := range []struct{ path, list string }{
		{".//shelf/./jobs.txt", "shelf/jobs.txt"},
		{"shelf/ 100%d jobs", "shelf/ 100%d jobs"},
		{"link/../jobs.txt", "real/jobs.txt"}, // and not jobs.txt: the link leads to real/deep
	} {
		if strings.HasPrefix(c.path, "link") && runtime.GOOS == "windows" {
			continue // there the system itself takes ".." for the name before it
		}
		dir := filepath.Dir(file(t, ""))
		openHandle(t, filepath.Join(dir, "jobs.txt")).Close() //nolint:errcheck // it only skips
		list := filepath.Join(dir, c.list)
		lab.RequireSetUp(t, errors.Join(os.Mkdir(filepath.Join(dir, "shelf"), 0o700),
			os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o700), os.WriteFile(list, []byte("1 hinge\n"), 0o600)))
		if strings.HasPrefix(c.path, "link") {
			lab.RequireSetUp(t, os.Symlink(filepath.Join("real", "deep"), filepath.Join(dir, "link")))
		}
		l := lab.Lesson{
			Says: "Add opened another path than the one that it was given", Did: "Add to " + c.path + ", which is the file " + c.list + ", and Jobs",
			Means: "the job is in a list that no other program reads, or in none", Read: yourTurn,
		}
		p := lab.Start(t, "from", dir, c.path)
		var read string
		failed := tells(l, "Add or Jobs failed", cannot)
		p.Result(&read, failed)
		lab.RequireNoError(t, p.Wait(failed), failed)
		lab.RequireFile(t, list, "1 hinge\n2 bracket\n", l)
		lab.RequireEqual(t, "1 hinge\n2 bracket\n", read, l.Say("Jobs opened another path than the one that it was given"))
	}
}

func writesWhatItHasLocked(t *testing.T) {
	t.Helper()
	t.Parallel()
	here, there := file(t, "1 hinge\n"), file(t, "")
	openHandle(t, here).Close() //nolint:errcheck // it only skips
	l := lab.Lesson{
		Says: "Add wrote to another list than the one that it had locked", Read: yourTurn,
		Did:   "Add to jobs.txt in the working directory; while it was inside, that became another directory, which has a jobs.txt, too",
		Means: "the job is in a list that it does not belong in, and that another program may be changing",
	}
	p := lab.Start(t, "moves", filepath.Dir(here), filepath.Dir(there))
	lab.RequireNoError(t, p.Wait(l), l.Say("Add failed"))
	lab.RequireFile(t, there, "", l)
	lab.RequireFile(t, here, "1 hinge\n2 bracket\n", l)
}

func opensOnce(t *testing.T) {
	t.Helper()
	t.Parallel()
	dir, exits := t.TempDir(), slices.Concat(exits, more)
	for i, exit := range exits {
		if exit.content != noList {
			lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, listOf(i)), []byte(exit.content), 0o600))
		}
	}
	l := lab.Lesson{
		Expected: "one call with the path, which opens it, by Jobs for reading alone", Read: yourTurn,
		Means: "what the path names by then may be another list than the one that is locked, or a list that another program has just opened",
	}
	p := lab.Trace(t, lab.Rule{Calls: "%file"}, lab.Options{Dir: dir}, "leaves")
	lab.RequireNoError(t, p.Wait(l), l.Say("Add or Jobs does not return"))
	opened := 0
	for _, c := range p.Calls() {
		if !c.Within(dir) {
			continue // Go's own, and the model's
		}
		if opened < len(exits) && strings.HasPrefix(c.Name, "open") && c.On(filepath.Join(dir, listOf(opened))) {
			opened++
			if !strings.HasPrefix(exits[opened-1].name, "Jobs") || strings.Contains(c.Args, "O_RDONLY") {
				continue
			}
			l = tells(l, "", "a user who may read the list, but not write it, gets no jobs")
		}
		exit := exits[max(opened-1, 0)]
		verb, _, _ := strings.Cut(exit.name, " ")
		l.Did, l.Found = exit.name+", seen through strace", c.Short(dir)
		lab.Fail(t, l.Say("%s does more by name than to open its list once", verb))
	}
}

func text(text string, err error) func(int) (string, error) {
	return func(int) (string, error) { return text, err }
}

func use(err error) func([]string) error { return func([]string) error { return err } }

// adds returns a call of Add whose function returns these values.
func adds(content string, err error) func(path string) error {
	return func(path string) error { _, err := lockfileex.Add(path, text(content, err)); return err }
}

func uses(err error) func(path string) error {
	return func(path string) error { return lockfileex.Jobs(path, use(err)) }
}

// panics returns nil if call panics with errTest.
func panics(call func()) (err error) {
	defer func() {
		if value := recover(); value != errTest { //nolint:errorlint // the very value
			err = fmt.Errorf("the panic became %v", value)
		}
	}()
	call()
	return nil
}

// endsGoroutine returns nil if call ends its goroutine with runtime.Goexit.
func endsGoroutine(call func()) error {
	ended := make(chan error, 1)
	go func() {
		err := error(nil)
		defer func() { ended <- err }()
		call()
		err = errors.New("the goroutine goes on")
	}()
	return <-ended
}

func TestTheLockIsGivenBackAtOnce(t *testing.T) {
	t.Parallel()
	for _, exit := range exits {
		t.Run(exit.name, func(t *testing.T) {
			t.Parallel()
			path := file(t, exit.content)
			b := openHandle(t, path)
			verb, _, _ := strings.Cut(exit.name, " ")
			l := lab.Lesson{
				Says: verb + " did not give its lock back before it returned", Read: closing,
				Did:   exit.name + "; then TryLock with another handle, at once",
				Means: "everyone else waits until the system has tidied up, and no document says how long that takes",
			}
			undo := refuse(t, path, exit.refuse, winfile.ERROR_DISK_FULL)
			var err error
			lab.Finishes(t, func() { err = exit.run(path) }, l.Say("%s does not return", verb))
			undo()
			b.succeed("TryLock", l)
			b.unlock(l)
			l = lab.Lesson{Did: exit.name, Read: yourTurn}
			if exit.fails {
				lab.RequireError(t, err, tells(l, verb+" returned no error", "the program goes on as if all had gone well"))
			} else {
				l.Expected = "the call ends as the caller's function does: it returns, panics or ends its goroutine"
				lab.RequireNoError(t, err, tells(l, verb+" failed, or changed how the caller's function had ended",
					"the caller mistakes one end for another, and does not stop, or stops without need"))
				l.Expected = ""
			}
			if exit.name != "Add returns" {
				lab.RequireFile(t, path, exit.content, tells(l, verb+" changed the list", "the list has lost what it held, or holds what no one added"))
			}
			lab.RequireSetUp(t, b.Close())
			l.Did, l.Read = exit.name+"; then the file was removed", closing
			lab.RequireNoError(t, winfile.Remove(path), tells(l, verb+" left its file open", openMeans))
		})
	}
}

const openMeans = "on Windows no one can remove or replace the list as long as the program runs"

// requireBegins demands that a list that existed before still exists, with all that it held.
func requireBegins(t *testing.T, path, before string, l lab.Lesson) {
	t.Helper()
	content, err := os.ReadFile(path)
	l.Expected, l.Found = "the list, with what it held before", lab.Show(content)
	if err != nil {
		l.Found = err.Error()
	}
	l.Means = "a list that was there before the call is gone, with its mode and its owner, or has lost jobs"
	lab.Require(t, err == nil && strings.HasPrefix(string(content), before), l)
}

func TestAddAndJobsReportEveryError(t *testing.T) {
	t.Parallel()
	calls := map[string]func(path string, inside func() error) error{
		"Add": func(path string, inside func() error) error {
			_, err := lockfileex.Add(path, func(int) (string, error) { return "bracket", inside() })
			return err
		},
		"Jobs": func(path string, inside func() error) error {
			return lockfileex.Jobs(path, func([]string) error { return inside() })
		},
	}
	for name, call := range calls {
		for _, what := range []string{"LockFileEx", "ReadAt", "WriteAt", "UnlockFileEx", "Close"} {
			if name == "Jobs" && what == "WriteAt" {
				continue // it writes nothing
			}
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				for i, reason := range append(slices.Clone(allReasons), winfile.ERROR_DISK_FULL, winfile.ERROR_NOT_LOCKED) {
					before := "1 hinge\n"
					if i%2 == 0 && what != "ReadAt" { // of an empty list nothing need be read
						before = ""
					}
					path := file(t, before)
					openHandle(t, path).Close() //nolint:errcheck // it only skips
					l := lab.Lesson{
						Says: name + " did not report what the system had refused", Did: name + "; each " + what + " failed with " + reason.Error(),
						Means: "the program believes in a line that is not in the list, or in a lock that it does not have", Read: refusals,
					}
					also := map[string]error{"UnlockFileEx": winfile.ERROR_INVALID_HANDLE, "Close": errTest} // after the first refusal
					var given []error
					did := l.Did
					undo := winfile.Intercept(path, func(call string) error {
						switch {
						case call == what:
							given = append(given, reason)
						case i%3 == 1 && given != nil && also[call] != nil:
							given = append(given, also[call])
							did = l.Did + "; then " + call + " failed, too, with " + also[call].Error()
						default:
							return nil
						}
						return given[len(given)-1]
					})
					inside := false
					var err error
					lab.Finishes(t, func() { err = call(path, func() error { inside = true; return nil }) }, l.Say("%s does not return", name))
					undo()
					lab.RequireErrorIs(t, err, reason, l)
					for _, other := range given {
						l := tells(l, name+" lost one of several errors", "the program learns of one error, and the other one is lost")
						l.Did = did
						lab.RequireErrorIs(t, err, other, l)
					}
					requireBegins(t, path, before, l.Say("%s removed the list, or cut it, when it failed", name))
					if what == "LockFileEx" {
						lab.Require(t, !inside, l.Say("%s went on without the lock", name))
						lab.RequireFile(t, path, before, l.Say("%s went on without the lock", name))
					}
					l.Did, l.Read = l.Did+"; then the file was removed", closing
					lab.RequireNoError(t, winfile.Remove(path), tells(l, name+" left its file open when it failed", openMeans))
				}
			})
		}
		t.Run(name+"/its function", func(t *testing.T) {
			t.Parallel()
			for _, also := range []string{"", "UnlockFileEx", "Close"} {
				for _, own := range []error{errTest, io.EOF, lockfileex.ErrLocked, winfile.ERROR_LOCK_VIOLATION, winfile.ERROR_NOT_LOCKED} {
					before := ""
					if own == io.EOF { //nolint:errorlint // this one
						before = "1 hinge\n"
					}
					path := file(t, before)
					openHandle(t, path).Close() //nolint:errcheck // it only skips
					l := lab.Lesson{
						Says: name + " did not report the error of its function", Read: refusals,
						Did:   name + " with a function that returned: " + own.Error(),
						Means: "the caller does not recognize its own error",
					}
					undo := func() {}
					var err error
					times := 0
					lab.Finishes(t, func() {
						err = call(path, func() error {
							times++
							undo = refuse(t, path, also, winfile.ERROR_DISK_FULL)
							return own
						})
					}, l.Say("%s does not return", name))
					undo()
					if times == 0 {
						l.Found = "the function was not called"
						lab.Fail(t, tells(l, name+" did not call its function", "the program shows no list, or adds nothing"))
					}
					if also != "" {
						l.Did += "; then " + also + " failed as well, with " + winfile.ERROR_DISK_FULL.Error()
						l.Means = "the program learns of one error, and the other one is lost"
						lab.RequireErrorIs(t, err, winfile.ERROR_DISK_FULL, l.Say("%s lost the second of two errors", name))
					}
					lab.RequireErrorIs(t, err, own, l)
					lab.RequireEqual(t, 1, times, tells(l, name+" called its function again", "what that function does is done twice"))
					requireBegins(t, path, before, l.Say("%s removed the list, or cut it, when its function failed", name))
				}
			}
		})
	}
}

func TestAddWritesNothingAfterHalfALine(t *testing.T) {
	t.Parallel()
	path := file(t, "1 hinge\n")
	openHandle(t, path).Close() //nolint:errcheck // it only skips
	l := lab.Lesson{
		Says: "Add wrote on after half a line", Read: yourTurn,
		Did:   "Add; its first WriteAt wrote \"2 bra\" and failed with " + winfile.ERROR_DISK_FULL.Error(),
		Means: "two jobs are one line, and no one was told",
	}
	failed := false
	t.Cleanup(winfile.Intercept(path, func(call string) error {
		if call != "WriteAt" || failed {
			return nil
		}
		failed = true
		half, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		_, err = half.WriteString("2 bra")
		return errors.Join(winfile.ERROR_DISK_FULL, err, half.Close())
	}))
	_, err := addOne(t, path, l)
	content, failure := os.ReadFile(path)
	lab.RequireSetUp(t, failure)
	whole := "1 hinge\n2 bracket\n"
	l.Expected, l.Found = "the list, and at most this one line, or half of it", lab.Show(content)
	lab.Require(t, strings.HasPrefix(whole, string(content)), l)
	requireBegins(t, path, "1 hinge\n", l)
	if err != nil || string(content) != whole { // it may have written the line again where it was
		l.Expected, l.Found = "", ""
		lab.RequireErrorIs(t, err, winfile.ERROR_DISK_FULL, l.Say("Add did not report what the system had refused"))
	}
}

func TestAddAndJobsOfPathsThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	path := filepath.Join(missing, "jobs.txt")
	l := lab.Lesson{
		Says: "Add did not report that the directory is missing", Did: "Add to a list whose directory does not exist",
		Means: "a mistyped path becomes a list of its own", Read: refusals,
	}
	_, err := addOne(t, path, l)
	skipUnsupported(t, err)
	lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
	lab.RequireNoFile(t, missing, l.Say("Add made a directory"))
	path = lab.Path(t, "jobs.txt")
	l.Did, l.Means = "Jobs of a list that does not exist", "a mistyped path looks like a list without a job"
	lab.RequireErrorIs(t, lockfileex.Jobs(path, use(nil)), fs.ErrNotExist, l.Say("Jobs did not report that there is no list"))
	lab.RequireNoFile(t, path, l.Say("Jobs created a list"))

	l.Did, l.Read = "Add, whose function failed, to a list that does not exist", yourTurn
	l.Means = "a program that opens the new list just then adds its job to a file that is gone"
	lab.RequireErrorIs(t, adds("", errTest)(path), errTest, l.Say("Add did not report the error of its function"))
	lab.RequireFile(t, path, "", l.Say("Add removed the list that it had created"))
	lab.RequireSetUp(t, os.Remove(path))
	l.Did = "Add, whose LockFileEx failed, to a list that does not exist"
	undo := refuse(t, path, "LockFileEx", winfile.ERROR_NOT_ENOUGH_MEMORY)
	_, err = addOne(t, path, l)
	undo()
	lab.RequireErrorIs(t, err, winfile.ERROR_NOT_ENOUGH_MEMORY, l.Say("Add did not report what the system had refused"))
	lab.RequireFile(t, path, "", l.Say("Add removed the list that it had created"))
	lab.RequireSetUp(t, os.Remove(path))
	l.Did, l.Means = "Add to a list that does not exist", "a new list has no first job, or a wrong one"
	number, err := addOne(t, path, l)
	lab.RequireNoError(t, err, l.Say("Add did not create the list"))
	lab.RequireEqual(t, 1, number, l.Say("Add returned another number than the next one"))
	lab.RequireFile(t, path, "1 bracket\n", l.Say("Add lost a job"))
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		lab.RequireSetUp(t, err)
		lab.RequireEqual(t, "-rw-------", info.Mode().String(), tells(l, "Add created the list with another mode than 0600",
			"other users may read or change the list, or its own user may not"))
		for _, size := range []int64{info.Size(), 0} {
			lab.RequireSetUp(t, errors.Join(os.Truncate(path, size), os.Chmod(path, 0o640)))
			l.Did = fmt.Sprintf("Add to a list of %d bytes with mode 0640", size)
			l.Means = "the others who may read the list cannot read it any more"
			_, err = addOne(t, path, l)
			lab.RequireNoError(t, err, l.Say("Add failed"))
			info, err = os.Stat(path)
			lab.RequireSetUp(t, err)
			lab.RequireEqual(t, "-rw-r-----", info.Mode().String(), l.Say("Add changed the mode of a list that existed"))
		}
	}
}

func TestManyAddJobsAtOnce(t *testing.T) {
	t.Parallel()
	path := file(t, "1 hinge\n")
	b := openHandle(t, path)
	l := lab.Lesson{
		Did:   "Jobs, and then TryLock with another handle",
		Means: "everyone else waits until the system has tidied up", Read: closing,
	}
	lab.RequireNoError(t, lockfileex.Jobs(path, use(nil)), l.Say("Jobs failed"))
	b.takes("TryLock", l.Say("Jobs did not give its lock back before it returned")) // or each in the crowd would cost a second
	l.Did = "Add, and then TryLock with another handle"
	_, err := addOne(t, path, l)
	lab.RequireNoError(t, err, l.Say("Add failed"))
	b.takes("TryLock", l.Say("Add did not give its lock back before it returned"))

	t.Run("in three processes", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "jobs.txt")
		each := lab.Rounds(15)
		l := lab.Lesson{
			Says: "Add or Jobs failed in a crowd", Did: fmt.Sprintf("three processes called Add %d times each, and Jobs after each", each),
			Means: "jobs are lost, or two have the same number", Read: why,
		}
		var crew []*lab.Process
		for range 3 {
			crew = append(crew, lab.Start(t, "crowd", path, fmt.Sprint(each)))
		}
		for _, p := range crew {
			p.Reached("ready")
		}
		for _, p := range crew {
			p.Continue()
		}
		for _, p := range crew {
			lab.RequireNoError(t, p.Wait(l), l)
		}
		requireParts(t, path, 3*each, l)
	})
	t.Run("in eight goroutines that find no list", func(t *testing.T) {
		t.Parallel()
		for range lab.Rounds(20) {
			path := lab.Path(t, "jobs.txt")
			l := lab.Lesson{
				Says: "Add failed beside another Add", Did: "eight goroutines called Add; there was no list yet",
				Means: "of those who find no list, only the one that creates it can add its job", Read: yourTurn,
			}
			errs := make([]error, 8)
			lab.Finishes(t, func() {
				var all sync.WaitGroup
				for i := range errs {
					all.Go(func() { _, errs[i] = lockfileex.Add(path, part) })
				}
				all.Wait()
			}, l.Say("Add does not return"))
			lab.RequireNoError(t, errors.Join(errs...), l)
			l.Means, l.Read = "jobs are lost, or two have the same number", why
			requireParts(t, path, len(errs), l)
		}
	})
}

// part describes the job that a crowd adds.
func part(number int) (string, error) { return fmt.Sprintf("part %d", number), nil }

func requireParts(t *testing.T, path string, count int, l lab.Lesson) {
	t.Helper()
	var want []string
	for n := range count {
		want = append(want, fmt.Sprintf("%d part %d", n+1, n+1))
	}
	content, err := os.ReadFile(path)
	lab.RequireSetUp(t, err)
	got := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	l.Expected, l.Found = fmt.Sprintf("%d jobs, each with its number", len(want)), fmt.Sprintf("%d jobs", len(got))
	lab.Require(t, slices.Equal(want, got), l.Say("Add lost jobs in a crowd"))
}
