package lockfiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/exercises/07_lock_files/names"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

// Here a process that calls Acquire or Release is stopped after each of its system calls that name something in the directory of the
// lock, and others act at that moment. No step of an answer is named: whatever calls it makes, it is stopped between them.

func init() { workers["step"], workers["two goroutines"] = step, twoGoroutines }

// step calls Acquire for each path that it is sent, on which the processes DEAD… may have left a lock, and Release when it is sent
// the path of a lock that it has.
func step(w *lab.Worker) error {
	locks := map[string]*lockfiles.Lock{}
	return lab.Steps(w, func(path string) any {
		lock := locks[path]
		if lock != nil {
			return outcomeOf(lock, lock.Release())
		}
		lock, err := lockfiles.Acquire(path, dead(numbers(w, 0)...))
		if err == nil {
			locks[path] = lock
		}
		return outcomeOf(lock, err)
	})
}

// A stepped process calls Acquire and Release step by step.
type stepped struct {
	*lab.Stepper
	t    *testing.T
	left string // what an Acquire has left beside its lock
}

const (
	// calls are those after which a process is stopped: all that take a path, and flock.
	calls = "%file,flock"
	// changes are those of them that can change what is on the disk. To die after any other one is the same as to die before it.
	changes = trace.Removes + "," + putsInPlace + ",?open,openat,?creat,?mkdir,mkdirat,?chmod,fchmodat,truncate,flock"
)

// startStepped starts a process that stops at its calls in dir.
func startStepped(t *testing.T, calls, dir string, dead ...int) *stepped {
	t.Helper()
	var arguments []string
	for _, number := range dead {
		arguments = append(arguments, strconv.Itoa(number))
	}
	return &stepped{Stepper: lab.Step(t, calls, dir, "step", arguments...), t: t}
}

var hangs = lab.Lesson{
	Says: "Acquire does not return", Did: "Acquire ran step by step, and no other process was at work", Read: whyItHappens,
}

// call has the process call Acquire, or Release if it has the lock, and calls at each time it is stopped, with a number from 1. It
// returns what became of it.
func (s *stepped) call(path string, at func(stop int, after string)) (o outcome) {
	s.Call(path, &o, func(stop lab.Stop) {
		after := stop.Call.Short(filepath.Dir(path))
		for name := range strings.FieldsSeq(besides(s.t, path)) {
			l := lab.Lesson{
				Did:      fmt.Sprintf("a process was stopped in the middle of an Acquire or Release, after its call %d, %s", stop.Number, after),
				Means:    "a person, or a program that reads the directory, mistakes it for something else, and no one knows whose it is",
				Expected: "every name begins with locks.json.lock and a dot", Found: name, Read: madeAside,
			}
			lab.Require(s.t, strings.HasPrefix(name, filepath.Base(path)+"."),
				l.Say("Acquire or Release used a name that does not begin with the lock's"))
		}
		at(stop.Number, after)
	}, hangs)
	return o
}

// needTracing skips a test that cannot be asked, before it has started the processes that it needs.
func needTracing(t *testing.T) {
	t.Helper()
	_, _ = lab.Strace(t)
}

// lockIn returns the path of a lock in a directory of its own: an answer may look around beside its lock.
func lockIn(t *testing.T, dir string, number int) string {
	t.Helper()
	dir = filepath.Join(dir, strconv.Itoa(number))
	lab.RequireSetUp(t, os.MkdirAll(dir, 0o700))
	return filepath.Join(dir, "locks.json.lock")
}

// moments is how many stops of one Acquire are tried. A longer one fails the test, for what it does then is not known.
const moments = 80

// stride is 1, so that every stop is tried; at light effort it leaves most of them out.
var stride = moments / lab.Rounds(moments)

func requireFew(t *testing.T, stops int) {
	t.Helper()
	l := lab.Lesson{
		Says: "Acquire makes more calls than this test can try", Did: "Acquire was stopped after each of its calls about files and locks",
		Means: "what happens between the later ones is not known; if it tries again in a loop: Acquire never waits", Read: theFix,
	}
	l.Expected, l.Found = fmt.Sprintf("%d calls at most", moments), fmt.Sprintf("%d calls", stops)
	lab.Require(t, stops <= moments, l)
}

func TestABreakerMayBeStoppedAnywhere(t *testing.T) {
	t.Parallel()
	for _, beginning := range []string{"a stale lock", "a free lock"} {
		t.Run(beginning, func(t *testing.T) {
			t.Parallel()
			needTracing(t)
			var paths []string
			dir := t.TempDir()
			for i := range 1 + moments {
				paths = append(paths, lockIn(t, dir, i))
			}
			gone, read := 0, madeAside
			if beginning == "a stale lock" {
				gone, read = abandon(t, paths...), smallerGaps
			}
			alice := startStepped(t, calls, dir, gone)
			stops := 0
			alice.call(paths[0], func(stop int, _ string) { stops = stop })
			for bob := 1; bob <= stops; bob += stride {
				stops = max(stops, playThree(t, alice, paths[bob], gone, bob, min(stops, bob+1), read))
				requireFew(t, stops)
			}
		})
	}
	t.Run("while a file is put at the path", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		alice := startStepped(t, calls, dir)
		solo, stops := lockIn(t, dir, 0), 0
		alice.call(solo, func(stop int, _ string) { stops = stop })
		for at := 1; at <= stops; at += stride {
			path := lockIn(t, dir, at)
			notes := lab.WriteFile(t, "notes", "mine")
			put := false
			var after string
			o := alice.call(path, func(stop int, call string) {
				stops = max(stops, stop)
				if stop == at {
					after, put = call, os.Link(notes, path) == nil // which takes no name that is taken
				}
			})
			requireFew(t, stops)
			if !put {
				continue
			}
			l := lab.Lesson{
				Did: fmt.Sprintf("the lock was free; Alice's Acquire was stopped after its call %d, %s; then a person put a file at the path; "+
					"Alice went on", at, after),
				Means: "a file that a person needs is gone", Read: notYours,
			}
			lab.RequireFile(t, path, "mine", l.Say("Acquire took away a file that is not its lock"))
			l.Means = "the program works without a lock, or gives up with a puzzling message"
			l.Expected, l.Found = "an error that matches ErrLocked or ErrUnknown", fmt.Sprint(o.Call.Err)
			lab.Require(t, errors.Is(o.Call.Err, lockfiles.ErrLocked) || errors.Is(o.Call.Err, lockfiles.ErrUnknown),
				l.Say("Acquire did not report that the path was taken meanwhile"))
		}
	})
}

// playThree lets Bob call Acquire after Alice's call number bob, and Carol after number carol. It returns how often Alice was stopped.
func playThree(t *testing.T, alice *stepped, path string, gone, bob, carol int, read string) (stops int) {
	t.Helper()
	l := lab.Lesson{
		Says:     "Acquire gave one lock to two owners at once",
		Expected: "one of the three got the lock",
		Means:    "two programs write the same file, each sure to be alone, and one of them loses its work",
		Read:     read,
	}
	var owners, after, refused []string
	other := func(name, call string) {
		after = append(after, call)
		lab.Age(t, filepath.Dir(path), year) // she may have been suspended for as long as that
		if lock, err := acquire(t, path, dead(gone), l); lock != nil {
			owners = append(owners, name)
		} else if !errors.Is(err, lockfiles.ErrLocked) {
			refused = append(refused, fmt.Sprint(name, " got: ", err))
		}
	}
	got := alice.call(path, func(stop int, call string) {
		stops = stop
		if stop == bob {
			other("Bob", call)
		}
		if stop == carol {
			other("Carol", call)
		}
	})
	if got.Got {
		owners = append(owners, "Alice")
	} else if !errors.Is(got.Call.Err, lockfiles.ErrLocked) {
		refused = append(refused, fmt.Sprint("Alice got: ", got.Call.Err))
	}
	if len(after) < 2 {
		return stops // Alice made fewer calls
	}
	l.Did = fmt.Sprintf("Alice's Acquire was stopped after its call %d, %s, and Bob called Acquire; after her call %d, %s, Carol did; "+
		"then Alice went on", bob, after[0], carol, after[1])
	l.Found = strings.Join(owners, " and ") + " got it"
	lab.Require(t, len(owners) < 2, l)
	short := strings.NewReplacer(filepath.Dir(path)+"/", "")
	l.Found = short.Replace(fmt.Sprint("none of them got it; Alice got: ", got.Call.Err))
	lab.Require(t, len(owners) == 1, means(l, "Acquire gave a lock that is free to none of three processes",
		"the lock is free, and every process is sent away"))
	l.Expected, l.Found = "the other two get an error that matches ErrLocked", short.Replace(strings.Join(refused, "; "))
	lab.Require(t, len(refused) == 0, means(l, "Acquire failed with another error than ErrLocked where another process was faster",
		"the program gives up with a puzzling message, where it should try again later"))
	if left := besides(t, path); left != "" {
		// The file of a kernel lock may stay: it has the same name each time.
		l.Expected, l.Found = "nothing new beside the lock", left
		lab.Require(t, alice.left == "" || alice.left == left, means(l, "Acquire left a file behind where another process was faster",
			"the directory fills with what refused processes have left"))
		alice.left = left
	}
	return stops
}

func TestReleaseMayBeStoppedAnywhere(t *testing.T) {
	t.Parallel()
	t.Run("while a file is put at the path", func(t *testing.T) {
		t.Parallel()
		putFileBesideRelease(t)
	})
	for _, judged := range []string{"released", "lost"} {
		t.Run(judged, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			alice := startStepped(t, calls, dir)
			solo, stops := lockIn(t, dir, 0), 0
			alice.call(solo, func(int, string) {})
			alice.call(solo, func(stop int, _ string) { stops = stop })
			for at := 1; at <= stops; at += stride {
				stops = max(stops, playRelease(t, alice, lockIn(t, dir, at), at, judged == "lost"))
				requireFew(t, stops)
			}
		})
	}
}

// putFileBesideRelease has a person put a file at the path as soon as the name is free, after one of Release's calls.
func putFileBesideRelease(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	alice := startStepped(t, calls, dir)
	for at, stops := 1, 1; at <= stops; at += stride {
		path := lockIn(t, dir, at)
		notes := lab.WriteFile(t, "notes", "mine")
		lab.RequireNoError(t, alice.call(path, func(int, string) {}).Call.Err, freeLock)
		put, after := false, ""
		alice.call(path, func(stop int, call string) {
			if stops = max(stops, stop); stop == at {
				_ = names.RemoveEmpty(path) // a free lock, or in the way: what happens is asked of the link
				after, put = call, os.Link(notes, path) == nil
			}
		})
		requireFew(t, stops)
		if put {
			lab.RequireFile(t, path, "mine", lab.Lesson{
				Says: "Release took away a file that is not its lock",
				Did: fmt.Sprintf("Alice's Release was stopped after its call %d, %s; the lock was free, "+
					"and a person put a file in its place; Alice went on", at, after),
				Means: "a file that a person needs is gone", Read: notYours,
			})
		}
	}
}

// playRelease lets Bob call Acquire after Alice's call number at of her Release, and Carol when both have returned. If it is to be
// lost, Bob's Alive judges Alice dead, wrongly. It returns how often Alice was stopped.
func playRelease(t *testing.T, alice *stepped, path string, at int, lost bool) (stops int) {
	t.Helper()
	got := alice.call(path, func(int, string) {})
	lab.RequireNoError(t, got.Call.Err, freeLock)

	l := lab.Lesson{Read: givingBack}
	var bob *lockfiles.Lock
	var errBob error
	asked := false
	released := alice.call(path, func(stop int, call string) {
		if stops = stop; stop != at {
			return
		}
		l.Did = fmt.Sprintf("Alice's Release was stopped after its call %d, %s; then Bob called Acquire; then Alice went on, "+
			"and Carol called Acquire", at, call)
		bob, errBob = acquire(t, path, lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
			hers := owner.Token == got.Owner.Token
			asked = asked || hers
			return !hers || !lost
		}}, l)
	})
	if stops < at {
		return stops
	}
	if bob == nil {
		requireIs(t, errBob, lockfiles.ErrLocked, means(l, "Acquire failed with another error than ErrLocked beside a Release",
			"the program gives up with a puzzling message, where it should try again later"))
	}
	carol, errCarol := acquire(t, path, lockfiles.Options{}, l)
	if bob == nil {
		lab.RequireNoError(t, errCarol, means(l, "Acquire did not take a lock that was released",
			"the lock is free, and every process is sent away"))
		lab.RequireNoError(t, release(t, carol, l), l.Say("Release failed although the lock was held"))
		return stops
	}
	requireIs(t, errCarol, lockfiles.ErrLocked, means(l, "Release gave back a lock that belongs to another owner",
		"Bob is at work, his lock is gone, and Carol gets it: one of them loses his work"))
	lab.RequireNoError(t, release(t, bob, l), means(l, "Release took away a lock that belongs to another owner",
		"Bob was at work without a lock"))
	if lost && asked {
		requireIs(t, released.Call.Err, lockfiles.ErrLost, means(l, "Release did not report that the lock was lost",
			"Alice saved her list after the lock was lost, perhaps over Bob's, and never learns of it"))
	}
	return stops
}

func TestABreakerMayDieAnywhere(t *testing.T) {
	t.Parallel()
	for _, beginning := range []string{"a stale lock", "a free lock"} {
		t.Run(beginning, func(t *testing.T) {
			t.Parallel()
			needTracing(t)
			twice := false
			for stop := 1; dieAt(t, beginning == "a stale lock", stop, &twice); stop += stride {
				requireFew(t, stop)
			}
		})
	}
}

// dieAt kills a breaker's process at a step of its Acquire and demands that Bob's succeeds after that. It reports whether there is
// such a step. What Dora left is broken twice only where it names her for the first time: each further time takes a second.
func dieAt(t *testing.T, isStale bool, stop int, twice *bool) bool {
	t.Helper()
	path, gone := newPath(t), 0
	did, read := "the lock was free", madeAside
	if isStale {
		path, gone = stale(t)
		did, read = "the lock's owner was killed", smallerGaps
	}
	dora := startStepped(t, changes, filepath.Dir(path), gone)
	last, killed := dora.KillAt(path, stop, hangs)
	if !killed {
		return false
	}
	did += fmt.Sprintf("; Dora called Acquire and was killed after her call %d, %s", stop, last.Call.Short(filepath.Dir(path)))
	left := filepath.Join(t.TempDir(), "left")
	lab.RequireSetUp(t, os.CopyFS(left, os.DirFS(filepath.Dir(path))))

	judged, found := dead(gone, dora.PID()), map[int]bool{}
	alive := judged.Alive
	judged.Alive = func(owner lockfiles.Owner) bool {
		found[owner.PID] = true
		return alive(owner)
	}
	requireAcquired(t, path, judged, lab.Lesson{
		Says:     "Acquire cannot get a lock after a crash in the middle of another Acquire",
		Did:      did + "; then Bob called Acquire, and his Alive called both dead",
		Expected: "Bob gets the lock",
		Means:    "the lock is taken for ever, by no process, until a person finds out which file to remove",
		Read:     read,
	})
	if len(found) > 1 && !*twice { // what Dora has left names her, beside the owner before her: who breaks that?
		*twice = true
		breakTwice(t, left, gone, dora.PID(), did)
	}
	return true
}

// breakTwice has Alice stand in her judgement of Dora, Bob stop at each of his calls, Alice go on to her end, and Bob go on. Each time
// they find a copy of what Dora has left. It begins with Bob's last call: what breaks a lock comes late in an Acquire.
func breakTwice(t *testing.T, left string, gone, dora int, did string) {
	t.Helper()
	dir := t.TempDir()
	bob := startStepped(t, calls, dir, gone, dora)
	copied := func(number int) (path string) {
		path = filepath.Join(dir, strconv.Itoa(number), "locks.json.lock")
		lab.RequireSetUp(t, os.CopyFS(filepath.Dir(path), os.DirFS(left)))
		return path
	}
	stops := 0
	bob.call(copied(0), func(stop int, _ string) { stops = stop })
	requireFew(t, stops)
	for at := stops; at >= 1; at -= stride {
		path := copied(at)
		l := lab.Lesson{
			Says: "Acquire does not return", Means: "two programs write the same file, each sure to be alone, and one of them loses its work",
			Did: did + fmt.Sprintf("; Alice's Alive was asked about Dora; before it returned false, Bob got as far as his call %d; "+
				"Alice went on to her end, then Bob", at),
			Read: smallerGaps,
		}
		alice := lab.Start(t, "break", path, strconv.Itoa(dora), strconv.Itoa(gone))
		alice.Reached("judging", l)
		var hers outcome
		his := bob.call(path, func(stop int, _ string) {
			if stop == at {
				alice.Continue()
				alice.Result(&hers, l)
			}
		})
		alice.Kill()
		l.Expected, l.Found = "one lock and one error", "two locks"
		lab.Require(t, !hers.Got || !his.Got, l.Say("Acquire gave one lock to two owners at once"))
	}
}

// twoGoroutines breaks the lock PATH of the process DEAD in two goroutines. Both have judged before either goes on, and the second one
// goes on a little later.
func twoGoroutines(w *lab.Worker) error {
	var judging, done sync.WaitGroup
	judging.Add(2)
	outcomes := make([]outcome, 2)
	for i := range outcomes {
		asked := false
		done.Go(func() {
			outcomes[i] = outcomeOf(lockfiles.Acquire(w.Arg(0), lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
				if !asked {
					asked = true
					judging.Done()
					judging.Wait()
					time.Sleep(time.Duration(i) * halfTheDelay) // decides only which schedule is tried
				}
				return owner.PID != w.Int(1)
			}}))
		})
	}
	done.Wait()
	return w.Result(outcomes)
}

// A call is delayed by two of these.
const halfTheDelay = 40 * time.Millisecond

// A lock of the kernel that belongs to a process, as those of fcntl do, excludes no goroutine of the same process, and a name made of the
// process id is not used once. Some calls are delayed, so that the second goroutine is in the middle of what the first one does.
func TestTwoGoroutinesBreakOneLock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, calls string }{
		{"each removal takes its time", trace.Removes},
		{"each rename takes its time", putsInPlace},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			delay := fmt.Sprint("inject=", c.calls, ":delay_enter=", 2*halfTheDelay.Microseconds())
			wrap, _ := lab.Strace(t, "-e", "trace="+c.calls, "-e", delay)
			path, gone := stale(t)
			l := lab.Lesson{
				Says: "Acquire gave one lock to two owners at once", Read: smallerGaps,
				Did: "a process with the lock was killed; two goroutines of one process called Acquire, and both found it dead; " +
					c.name,
				Expected: "one lock and one error", Found: "two locks",
				Means: "two parts of one program change locks.json, each sure to be alone",
			}
			process := lab.Launch(t, lab.Options{Wrap: wrap}, "two goroutines", path, strconv.Itoa(gone))
			var got []outcome
			process.Result(&got, l.Say("Acquire does not return"))
			lab.Require(t, !got[0].Got || !got[1].Got, l)
			l.Found = fmt.Sprintf("two errors: %v; %v", got[0].Call.Err, got[1].Call.Err)
			lab.Require(t, got[0].Got || got[1].Got, means(l, "Acquire gave a lock whose owner is dead to neither of two goroutines",
				"a process crash stops the workshop until a person removes the lock by hand"))
			refused := got[0].Call.Err
			if got[0].Got {
				refused = got[1].Call.Err
			}
			requireIs(t, refused, lockfiles.ErrLocked, means(l,
				"Acquire failed with another error than ErrLocked where another goroutine was faster",
				"the program gives up with a puzzling message, where it should try again later"))
		})
	}
}

// besides shows what is in the directory of a lock, apart from the lock itself.
func besides(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	lab.RequireSetUp(t, err)
	var names []string
	for _, entry := range entries {
		if entry.Name() != filepath.Base(path) {
			names = append(names, entry.Name())
		}
	}
	return strings.Join(names, " ")
}
