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
	"example/turnstile/lessons/lab"
)

// Here a process that calls Acquire is stopped after each of its system calls that take a path, with the help of strace, and
// others act at that moment. No step of an answer is named: whatever calls it makes, it is stopped between them.

func init() { workers["step"] = step }

// step calls Acquire for each path that it is sent, on which the process DEAD may have left its lock. The name of the thread
// says how many of them have returned, and that is no call about a file.
func step(w *lab.Worker) error {
	runtime.LockOSThread()
	// A kernel without Yama knows no such option, and needs none.
	if err := unix.Prctl(unix.PR_SET_PTRACER, unix.PR_SET_PTRACER_ANY, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("let strace trace this process: %w", err)
	}
	if err := w.Result(unix.Gettid()); err != nil {
		return err
	}
	for calls := 1; ; calls++ {
		var path string
		if err := w.Receive(&path); err != nil {
			return err
		}
		lock, err := lockfiles.Acquire(path, dead(w.Int(0)))
		name := append([]byte(returned(calls)), 0)
		if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
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
	calls   int
}

func startStepped(t *testing.T, dead int) *stepped {
	t.Helper()
	_, log := lab.Strace(t) // only to skip where strace cannot be used
	process := lab.Start(t, "step", strconv.Itoa(dead))
	var thread int
	process.Result(&thread)
	strace := exec.Command("strace", "-p", strconv.Itoa(thread), "-o", log, "-e", "trace=%file", "-e", "inject=%file:signal=SIGSTOP")
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
	return &stepped{t: t, process: process, thread: fmt.Sprintf("/proc/%d/task/%d", process.PID(), thread)}
}

func requireTool(t *testing.T, err error) {
	t.Helper()
	lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not use strace"})
}

// acquire has the process call Acquire, and calls at each time it is stopped, with a number from 1. It returns what became of it.
func (s *stepped) acquire(path string, at func(stop int)) outcome {
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

// waitStopped waits until the process stands still, or its Acquire has returned.
func (s *stepped) waitStopped() bool {
	s.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Microsecond) {
		name, err := os.ReadFile(s.thread + "/comm")
		requireTool(s.t, err)
		if strings.TrimSpace(string(name)) == returned(s.calls) {
			return false
		}
		if isStopped(s.process.PID()) {
			return true
		}
	}
	lab.Fail(s.t, lab.Lesson{
		Says: "Acquire does not come back", Did: "Acquire ran step by step beside nobody else", Means: "the program hangs behind a lock, and says nothing", Read: twoBreakers,
	})
	return false
}

// isStopped reports whether every thread of a process stands still; one that strace follows alone may do so for a moment.
func isStopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // the thread is gone
		}
		state := bytes.TrimSpace(text[bytes.LastIndexByte(text, ')')+1:]) // "number (name) state …"
		if !bytes.HasPrefix(state, []byte("T")) && !bytes.HasPrefix(state, []byte("t")) {
			return false
		}
	}
	return len(threads) > 0
}

func TestABreakerMayBeStoppedAnywhere(t *testing.T) {
	t.Parallel()
	for _, beginning := range []string{"a stale lock", "a free lock"} {
		t.Run(beginning, func(t *testing.T) {
			t.Parallel()
			const moments, apart = 25, 2 // how many stops are tried, and how many of Alice's calls lie between Bob and Carol at most
			var paths []string
			folder := t.TempDir()
			for i := range moments * (apart + 1) {
				paths = append(paths, filepath.Join(folder, fmt.Sprint(i)+".lock"))
			}
			gone := 0
			if beginning == "a stale lock" {
				gone = abandon(t, paths...)
			}
			alice := startStepped(t, gone)
			stops := moments
			for bob := 1; bob <= min(stops, moments); bob++ {
				for carol := bob; carol <= min(stops, bob+apart); carol++ {
					stops = playThree(t, alice, paths[0], gone, bob, carol)
					paths = paths[1:]
				}
			}
		})
	}
}

// playThree lets Bob call Acquire after Alice's call number bob about a file, and Carol after number carol. It returns how often Alice
// was stopped.
func playThree(t *testing.T, alice *stepped, path string, gone, bob, carol int) (stops int) {
	t.Helper()
	l := lab.Lesson{
		Says:     "Acquire gave one lock to two owners at once",
		Did:      fmt.Sprintf("Alice's Acquire was stopped after its call %d about a file, and Bob called Acquire; after her call %d, Carol did; then Alice went on", bob, carol),
		Expected: "one of the three got the lock",
		Means:    "two programs write the same file, each sure to be alone, and one of them loses its work",
		Read:     twoBreakers,
	}
	var owners []string
	other := func(name string) {
		if lock, _ := acquire(t, path, dead(gone), l); lock != nil {
			owners = append(owners, name)
		}
	}
	got := alice.acquire(path, func(stop int) {
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
	}
	l.Found = strings.Join(owners, " and ") + " got it"
	lab.Require(t, len(owners) < 2, l)
	l.Found = "nobody got it; Alice was told: " + got.Error
	lab.Require(t, len(owners) == 1, says(l, "Acquire gave a lock without an owner to nobody"))
	return stops
}

func TestABreakerMayDieAnywhere(t *testing.T) {
	t.Parallel()
	for _, beginning := range []string{"a stale lock", "a free lock"} {
		t.Run(beginning, func(t *testing.T) {
			t.Parallel()
			for stop := 1; dieAt(t, beginning == "a stale lock", stop); stop++ {
			}
		})
	}
}

// dieAt kills Alice's process at a step of its Acquire and demands that Bob's goes well after that. It reports whether there is such
// a step.
func dieAt(t *testing.T, isStale bool, stop int) bool {
	t.Helper()
	path, gone := filepath.Join(t.TempDir(), "locks.json.lock"), 0
	did := "nobody had the lock"
	if isStale {
		path, gone = stale(t)
		did = "the lock's owner was killed"
	}
	alice := startStepped(t, gone)
	stops := alice.diesAt(path, stop)
	if stops < stop {
		return false
	}
	judged := lockfiles.Options{Alive: func(owner lockfiles.Owner) bool { return owner.PID != gone && owner.PID != alice.process.PID() }}
	requireAcquired(t, path, judged, lab.Lesson{
		Says:     "After a crash in the middle of Acquire, nobody can acquire the lock",
		Did:      fmt.Sprintf("%s; Alice called Acquire and was killed after her call %d about a file; then Bob called Acquire, and Alive said that both are dead", did, stop),
		Expected: "Bob gets the lock",
		Means:    "the lock is taken for ever, by nobody, until a person finds out which file to remove",
		Read:     namesAndSteps,
	})
	return true
}

// diesAt is acquire, but that the process is killed at a stop, if it comes to that.
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
