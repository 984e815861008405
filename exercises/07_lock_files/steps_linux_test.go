package lockfiles_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
)

// Here a process that calls Acquire or Release is stopped, with the help of strace, after each of its system calls that take a
// path or a kernel's lock, and others act at that moment. No step of an answer is named: whatever calls it makes, it is stopped
// between them.
const traced = "%file,flock,getdents64"

func init() { workers["step"] = step }

// step calls Acquire for each path that it is sent, on which the processes DEAD… may have left a lock, and Release when it is sent
// the path of a lock that it has. When the call has returned, the name of the thread says so and the process stops once more, by itself: so
// it stands still each time that there is something to see, and nobody has to look again and again.
func step(w *lab.Worker) error {
	runtime.LockOSThread()
	// A kernel without Yama knows no such option, and needs none.
	if err := unix.Prctl(unix.PR_SET_PTRACER, unix.PR_SET_PTRACER_ANY, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("let strace trace this process: %w", err)
	}
	if err := w.Result(unix.Gettid()); err != nil {
		return err
	}
	locks := map[string]*lockfiles.Lock{}
	for calls := 1; ; calls++ {
		var path string
		if err := w.Receive(&path); err != nil {
			return err
		}
		var err error
		lock := locks[path]
		if lock != nil {
			err = lock.Release()
		} else if lock, err = lockfiles.Acquire(path, dead(numbers(w, 0)...)); err == nil {
			locks[path] = lock
		}
		name := append([]byte(returned(calls)), 0)
		if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
			return err
		}
		if err := unix.Kill(unix.Getpid(), unix.SIGSTOP); err != nil {
			return err
		}
		if err := w.Result(outcomeOf(lock, err)); err != nil {
			return err
		}
	}
}

func returned(calls int) string { return fmt.Sprint("returned ", calls) }

// A stepped process calls Acquire step by step.
type stepped struct {
	t       *testing.T
	process *lab.Process
	thread  string // its folder in /proc
	log     string // of strace
	calls   int
}

func startStepped(t *testing.T, dead ...int) *stepped {
	t.Helper()
	_, log := lab.Strace(t) // only to skip where strace cannot be used
	var arguments []string
	for _, number := range dead {
		arguments = append(arguments, strconv.Itoa(number))
	}
	process := lab.Start(t, "step", arguments...)
	var thread int
	process.Result(&thread)
	strace := exec.Command("strace", "-p", strconv.Itoa(thread), "-o", log, "-e", "trace="+traced, "-e", "inject="+traced+":signal=SIGSTOP")
	said, err := strace.StderrPipe()
	requireTool(t, err)
	requireTool(t, strace.Start())
	t.Cleanup(func() {
		_ = strace.Process.Kill()
		_ = strace.Wait()
	})
	text := make([]byte, 512)
	n, err := io.ReadAtLeast(said, text, 1)
	requireTool(t, err)
	if !strings.Contains(string(text[:n]), "attached") {
		t.Skipf("strace may not trace another process here: %s", bytes.TrimSpace(text[:n]))
	}
	return &stepped{t: t, process: process, log: log, thread: fmt.Sprintf("/proc/%d/task/%d", process.PID(), thread)}
}

func requireTool(t *testing.T, err error) {
	t.Helper()
	lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not use strace"})
}

// lastCall returns the call after which the process stands still, as strace has written it down, with path shown as its name only.
func (s *stepped) lastCall(path string) string {
	text, _ := os.ReadFile(s.log)
	call := ""
	for line := range strings.Lines(string(text)) {
		if before, _, isCall := strings.Cut(line, " = "); isCall {
			call = before
		}
	}
	call = strings.ReplaceAll(strings.ReplaceAll(call, "AT_FDCWD, ", ""), filepath.Dir(path)+"/", "")
	return strings.TrimSpace(call)
}

// call has the process call Acquire, or Release if it has the lock, and calls at each time it is stopped, with a number from 1. It returns what became of it.
func (s *stepped) call(path string, at func(stop int)) outcome {
	s.t.Helper()
	s.calls++
	s.process.Send(path)
	for stop := 1; s.waitStopped(); stop++ {
		at(stop)
		requireTool(s.t, unix.Kill(s.process.PID(), unix.SIGCONT))
	}
	var o outcome
	s.process.Result(&o)
	return o
}

// waitStopped waits until the process stands still in the middle of its call, or the call has returned.
func (s *stepped) waitStopped() bool {
	s.t.Helper()
	stopped := make(chan error, 1)
	go func() { stopped <- waitForStop(s.process.PID()) }()
	select {
	case err := <-stopped:
		requireTool(s.t, err)
	case <-time.After(15 * time.Second):
		lab.Fail(s.t, lab.Lesson{
			Says: "Acquire does not come back", Did: "Acquire ran step by step beside nobody else", Means: "the program hangs behind a lock, and says nothing", Read: twoBreakers,
		})
	}
	name, err := os.ReadFile(s.thread + "/comm")
	requireTool(s.t, err)
	if strings.TrimSpace(string(name)) != returned(s.calls) {
		return true
	}
	requireTool(s.t, unix.Kill(s.process.PID(), unix.SIGCONT))
	return false
}

// waitForStop waits until every thread of a child process stands still, or the process is gone. It leaves the news for whoever
// waits for the process itself.
func waitForStop(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// moments is how many stops of one Acquire are tried. A longer one fails the test, for what it does then is not known.
const moments = 100

// stride is 1, so that every stop is tried; at light effort it leaves most of them out.
var stride = moments / lab.Rounds(moments)

func requireFew(t *testing.T, stops int) {
	t.Helper()
	l := lab.Lesson{
		Says: "Acquire makes more calls than this test can try", Did: "Acquire was stopped after each of its calls about files and locks",
		Means: "nobody has looked at what happens between the later ones", Read: namesAndSteps,
	}
	l.Expected, l.Found = fmt.Sprintf("%d calls at most", moments), fmt.Sprintf("%d calls", stops)
	lab.Require(t, stops <= moments, l)
}

func TestABreakerMayBeStoppedAnywhere(t *testing.T) {
	t.Parallel()
	for _, beginning := range []string{"a stale lock", "a free lock"} {
		t.Run(beginning, func(t *testing.T) {
			t.Parallel()
			const apart = 2 // how many of Alice's calls lie between Bob and Carol at most
			var paths []string
			folder := t.TempDir()
			for i := range moments * (apart + 1) {
				paths = append(paths, filepath.Join(folder, fmt.Sprint(i)+".lock"))
			}
			gone, read := 0, madeAside
			if beginning == "a stale lock" {
				gone, read = abandon(t, paths...), twoBreakers
			}
			alice := startStepped(t, gone)
			stops := moments
			for bob := 1; bob <= stops; bob += stride {
				for carol := bob; carol <= min(stops, bob+apart); carol++ {
					stops = playThree(t, alice, paths[0], gone, bob, carol, read)
					requireFew(t, stops)
					paths = paths[1:]
				}
			}
		})
	}
	t.Run("while somebody puts a file at the path", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		alice := startStepped(t)
		for at, stops := 1, 1; at <= stops; at += stride {
			path := filepath.Join(folder, fmt.Sprint(at)+".lock")
			notes := lab.WriteFile(t, "notes", "mine")
			put := false
			var after string
			stops = 0
			o := alice.call(path, func(stop int) {
				stops = stop
				if stop == at {
					after, put = alice.lastCall(path), os.Link(notes, path) == nil // which takes no name that is taken
				}
			})
			requireFew(t, stops)
			if !put {
				continue
			}
			l := lab.Lesson{
				Did:   fmt.Sprintf("nobody had the lock; Alice's Acquire was stopped after its call %d, %s; then somebody else made a file at the path; Alice went on", at, after),
				Means: "a file that is no lock, and that somebody needs, is gone", Read: namesAndSteps,
			}
			lab.RequireFile(t, path, "mine", says(l, "Acquire took away a file that is no lock of its own"))
			l.Expected, l.Found = "an error", "the lock"
			lab.Require(t, !o.Got, says(l, "Acquire gave a lock where somebody's file stands"))
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
	other := func(name string) {
		after = append(after, alice.lastCall(path))
		if lock, err := acquire(t, path, dead(gone), l); lock != nil {
			owners = append(owners, name)
		} else if !errors.Is(err, lockfiles.ErrLocked) {
			refused = append(refused, fmt.Sprint(name, " was told: ", err))
		}
	}
	got := alice.call(path, func(stop int) {
		stops = stop
		if stop == bob {
			other("Bob")
		}
		if stop == carol {
			other("Carol")
		}
	})
	if got.Got {
		owners = append(owners, "Alice")
	} else if !got.Locked {
		refused = append(refused, "Alice was told: "+got.Error)
	}
	if len(after) < 2 {
		return stops // Alice made fewer calls
	}
	l.Did = fmt.Sprintf("Alice's Acquire was stopped after its call %d, %s, and Bob called Acquire; after her call %d, %s, Carol did; then Alice went on",
		bob, after[0], carol, after[1])
	l.Found = strings.Join(owners, " and ") + " got it"
	lab.Require(t, len(owners) < 2, l)
	short := strings.NewReplacer(filepath.Dir(path)+"/", "")
	l.Found = short.Replace("nobody got it; Alice was told: " + got.Error)
	l.Means = "the lock is free, and everybody is sent away"
	lab.Require(t, len(owners) == 1, says(l, "Acquire gave a lock without an owner to nobody"))
	l.Expected, l.Found = "whoever did not get the lock is told an error that matches ErrLocked", short.Replace(strings.Join(refused, "; "))
	l.Means = "the program gives up with a puzzling message, where it should try again later"
	lab.Require(t, len(refused) == 0, says(l, "Acquire failed with another error than ErrLocked where somebody was faster"))
	return stops
}

func TestReleaseMayBeStoppedAnywhere(t *testing.T) {
	t.Parallel()
	for _, judged := range []string{"released", "lost"} {
		t.Run(judged, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			alice := startStepped(t)
			for at, stops := 1, 1; at <= stops; at += stride {
				stops = playRelease(t, alice, filepath.Join(folder, fmt.Sprint(at)+".lock"), at, judged == "lost")
				requireFew(t, stops)
			}
		})
	}
}

// playRelease lets Bob call Acquire after Alice's call number at of her Release, and Carol when both have come back. If it is to be
// lost, Bob's Alive judges Alice dead, wrongly. It returns how often Alice was stopped.
func playRelease(t *testing.T, alice *stepped, path string, at int, lost bool) (stops int) {
	t.Helper()
	l := lab.Lesson{Did: "a process called Acquire, and nobody else had the lock", Means: "nobody can take a part out", Read: theRelease}
	got := alice.call(path, func(int) {})
	l.Expected, l.Found = "the lock", got.Error
	lab.Require(t, got.Got, says(l, "Acquire did not take a free lock"))
	l.Expected, l.Found = "", ""

	var bob *lockfiles.Lock
	var errBob error
	asked := false
	released := alice.call(path, func(stop int) {
		if stops = stop; stop != at {
			return
		}
		l.Did = fmt.Sprintf("Alice's Release was stopped after its call %d, %s; then Bob called Acquire; then Alice went on, and Carol called Acquire", at, alice.lastCall(path))
		bob, errBob = acquire(t, path, lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
			hers := owner.Token == got.Owner.Token
			asked = asked || hers
			return !hers || !lost
		}}, l)
	})
	if stops < at {
		return stops
	}
	l.Means = "the program gives up with a puzzling message, where it should try again later"
	if bob == nil {
		lab.RequireErrorIs(t, errBob, lockfiles.ErrLocked, says(l, "Acquire failed with another error than ErrLocked beside a Release"))
	}
	carol, errCarol := acquire(t, path, lockfiles.Options{}, l)
	if bob == nil {
		l.Means = "the lock is free, and everybody is sent away"
		lab.RequireNoError(t, errCarol, says(l, "Acquire did not take a lock that was released"))
		lab.RequireNoError(t, carol.Release(), says(l, "Release failed although the lock was held"))
		return stops
	}
	l.Means = "Bob is at work, his lock is gone, and Carol walks in: one of them loses his work"
	lab.RequireErrorIs(t, errCarol, lockfiles.ErrLocked, says(l, "Release gave back a lock that belongs to somebody else"))
	lab.RequireNoError(t, bob.Release(), says(l, "Release took away a lock that belongs to somebody else"))
	l.Means = "Alice saved her list after the lock was lost, perhaps over Bob's, and is never told"
	l.Expected, l.Found = "an error that matches ErrLost", "no error"
	if released.Error != "" {
		l.Found = released.Error
	}
	lab.Require(t, !lost || !asked || released.Lost, says(l, "Release did not say that the lock was lost"))
	return stops
}

func TestABreakerMayDieAnywhere(t *testing.T) {
	t.Parallel()
	for _, beginning := range []string{"a stale lock", "a free lock"} {
		t.Run(beginning, func(t *testing.T) {
			t.Parallel()
			for stop := 1; dieAt(t, beginning == "a stale lock", stop); stop += stride {
				requireFew(t, stop)
			}
		})
	}
}

// dieAt kills a breaker's process at a step of its Acquire and demands that Bob's goes well after that. It reports whether there is
// such a step.
func dieAt(t *testing.T, isStale bool, stop int) bool {
	t.Helper()
	path, gone := filepath.Join(t.TempDir(), "locks.json.lock"), 0
	did, read := "nobody had the lock", madeAside
	if isStale {
		path, gone = stale(t)
		did, read = "the lock's owner was killed", twoBreakers
	}
	first := startStepped(t, gone)
	if first.diesAt(path, stop) < stop {
		return false
	}
	did += fmt.Sprintf("; Dora called Acquire and was killed after her call %d, %s", stop, first.lastCall(path))
	left := filepath.Join(t.TempDir(), "left")
	requireTool(t, os.CopyFS(left, os.DirFS(filepath.Dir(path))))

	judged, found := dead(gone, first.process.PID()), map[int]bool{}
	alive := judged.Alive
	judged.Alive = func(owner lockfiles.Owner) bool {
		found[owner.PID] = true
		return alive(owner)
	}
	requireAcquired(t, path, judged, lab.Lesson{
		Says:     "After a crash in the middle of Acquire, nobody can acquire the lock",
		Did:      did + "; then Bob called Acquire, and Alive said that both are dead",
		Expected: "Bob gets the lock",
		Means:    "the lock is taken for ever, by nobody, until a person finds out which file to remove",
		Read:     read,
	})
	if len(found) > 1 { // what Dora has left names her, beside the owner before her: who breaks that?
		breakTwice(t, left, gone, first.process.PID(), did)
	}
	return true
}

// breakTwice has Alice stand in her judgement of Dora, Bob stop at each of his calls, Alice go on to her end, and Bob go on. Each time
// they find a copy of what Dora has left.
func breakTwice(t *testing.T, left string, gone, dora int, did string) {
	t.Helper()
	bob := startStepped(t, gone, dora)
	for at, stops := 1, 1; at <= stops; at += stride {
		path := filepath.Join(t.TempDir(), "copy", "locks.json.lock")
		requireTool(t, os.CopyFS(filepath.Dir(path), os.DirFS(left)))
		l := lab.Lesson{
			Says: "Acquire does not come back", Means: "two programs write the same file, each sure to be alone, and one of them loses its work",
			Did: did + fmt.Sprintf("; Alice was asked whether Dora is alive; before she said no, Bob got as far as his call %d; Alice went on to her end, then Bob", at), Read: twoBreakers,
		}
		alice := lab.Start(t, "break", path, strconv.Itoa(dora), strconv.Itoa(gone))
		alice.Reached("judging", l)
		stops = 0
		var hers outcome
		his := bob.call(path, func(stop int) {
			if stops = stop; stop == at {
				alice.Continue()
				alice.Result(&hers, l)
			}
		})
		requireFew(t, stops)
		if stops < at {
			alice.Kill()
			return
		}
		l.Expected, l.Found = "one lock and one error", "two locks"
		lab.Require(t, !hers.Got || !his.Got, says(l, "Acquire gave one lock to two owners at once"))
	}
}

// diesAt is call, but that the process is killed at a stop, if it comes to that.
func (s *stepped) diesAt(path string, last int) (stops int) {
	s.t.Helper()
	s.calls++
	s.process.Send(path)
	for s.waitStopped() {
		stops++
		if stops == last {
			s.process.Kill()
			return stops
		}
		requireTool(s.t, unix.Kill(s.process.PID(), unix.SIGCONT))
	}
	return stops
}
