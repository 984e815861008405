package lab

import (
	"context"
	"encoding/json"
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
	"time"

	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/trace"
)

// A Rule says which system calls of a worker are shown, and which fail or kill it; see trace.Rule.
type Rule = trace.Rule

// A Call is one system call of a traced worker; see trace.Call.
type Call = trace.Call

// A Traced is a Process that runs under strace.
type Traced struct {
	*Process
	log string
}

// Trace runs the worker under strace with the rule. Where strace cannot be used, the test is skipped with the reason.
//
//	p := lab.Trace(t, lab.Rule{Calls: trace.Renames, Fail: syscall.EIO}, lab.Options{}, "write", path)
//	err := p.Wait()
//	for _, call := range p.Calls() { … }
//
// strace counts Rule.When for each thread by itself. A worker that locks its main goroutine to its thread (runtime.LockOSThread in
// TestMain) makes the count mean what it says.
func Trace(t testing.TB, r Rule, o Options, name string, args ...string) *Traced {
	t.Helper()
	needStrace(t)
	p := &Traced{log: filepath.Join(t.TempDir(), "strace.log")}
	arguments, err := r.Arguments(p.log)
	setUp(t, "tell strace what to do", err)
	o.Wrap = append(append([]string{"strace"}, arguments...), o.Wrap...)
	p.Process = Launch(t, o, name, args...)
	return p
}

// Calls returns the worker's calls, those of the lab's own protocol (on a pipe) among them. The worker must have come to its end.
func (p *Traced) Calls() []Call {
	p.t.Helper()
	text, err := os.ReadFile(p.log)
	setUp(p.t, "read strace's log", err)
	return trace.Parse(string(text))
}

// markPath begins the path that Mark asks for.
const markPath = "/the mark of a test: "

// Mark names in the trace what the worker does next, up to another Mark: it asks for a path that no file has.
func Mark(text string) { _, _ = os.Lstat(markPath + text) }

// Marked returns the worker's calls by the text of the Mark that stands before them. The rule must show the calls that name a file, such as
// %file.
func (p *Traced) Marked() map[string][]Call {
	p.t.Helper()
	calls, text, begun := map[string][]Call{}, "", false
	for _, call := range p.Calls() {
		next := slices.IndexFunc(call.Paths, func(path string) bool { return strings.HasPrefix(path, markPath) })
		switch {
		case next >= 0:
			text, begun = strings.TrimPrefix(call.Paths[next], markPath), true
		case begun:
			calls[text] = append(calls[text], call)
		}
	}
	return calls
}

// Injected returns the calls that the rule made fail.
func (p *Traced) Injected() (calls []Call) {
	p.t.Helper()
	for _, call := range p.Calls() {
		if call.Injected {
			calls = append(calls, call)
		}
	}
	return calls
}

// EachErrno runs a subtest for each error number: an error path that a contract names is asked with the usual one and with one that
// the code cannot have expected.
//
//	lab.EachErrno(t, func(t *testing.T, errno error) { … }, syscall.ENOSPC, syscall.EIO)
func EachErrno(t *testing.T, test func(t *testing.T, errno error), errnos ...error) {
	t.Helper()
	for _, errno := range errnos {
		t.Run(trace.ErrnoName(errno), func(t *testing.T) { test(t, errno) })
	}
}

// needStrace skips the test where strace cannot be used.
func needStrace(t testing.TB) {
	t.Helper()
	if light() {
		t.Skip("at light effort no worker is traced")
	}
	if reason := whyNoStrace(); reason != "" {
		t.Skip(reason)
	}
}

var whyNoStrace = sync.OnceValue(func() string {
	if runtime.GOOS != "linux" {
		return "strace, which shows and changes what a process asks of its system, is a Linux tool"
	}
	if _, err := exec.LookPath("strace"); err != nil {
		return "strace is not installed: this test needs it to see or change a system call (Debian: apt-get install strace)"
	}
	if out, err := exec.Command("strace", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		return fmt.Sprintf("strace may not trace here (%v: %s)", err, firstLines(string(out), 1))
	}
	return ""
})

// Steps is the body of a worker that Step drives: for each string that the test sends, it runs call and sends what call returns.
func Steps(w *Worker, call func(order string) any) error { return trace.Serve(w, call) }

// A Stop is a moment at which a stepped worker stands still.
type Stop struct {
	Number int  // counted from 1 for each order; a call that waits keeps the number of the next stop
	Call   Call // the system call that has just returned
	// Waits is set when the call has not returned because it waits, such as for a lock. The worker asks again, and stops again, until
	// the test lets it through.
	Waits bool
}

// A Stepper drives a worker one system call at a time.
type Stepper struct {
	*Process
	stepper *trace.Stepper
	within  []string // the directory, as the caller wrote it and as the system resolves it
}

// Step starts a worker whose body is Steps, to be stopped after each of its calls from the set that names dir or something below it.
// trace.Files is the usual set. Where strace cannot be used, the test is skipped with the reason.
func Step(t testing.TB, calls, dir, name string, args ...string) *Stepper {
	t.Helper()
	needStrace(t)
	s := &Stepper{Process: Start(t, name, args...), within: []string{dir}}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil && resolved != dir {
		s.within = append(s.within, resolved)
	}
	var thread int
	s.Process.Result(&thread)
	stepper, err := trace.Attach(context.WithoutCancel(t.Context()), s.PID(), thread, calls, filepath.Join(t.TempDir(), "strace.log"))
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	setUp(t, "attach strace to its worker", err)
	t.Cleanup(func() { s.Kill(); stepper.Close() })
	s.stepper = stepper
	return s
}

// Call sends the order, calls at whenever the worker stands still, decodes what the worker returns into result, and returns how many
// calls it made. at may look at files and act in the test's own process; it must not kill the worker (see KillAt).
func (s *Stepper) Call(order string, result any, at func(Stop), lesson ...Lesson) (stops int) {
	s.t.Helper()
	s.run(order, func(stop Stop) bool {
		if stops = stop.Number; stop.Waits {
			stops--
		}
		at(stop)
		return true
	}, lesson)
	var r struct {
		Value    json.RawMessage
		Panicked string
	}
	s.Process.Result(&r, lesson...)
	if r.Panicked != "" {
		s.expect(&process.Error{Text: r.Panicked, Panicked: true}, "to return", lesson)
	}
	setUp(s.t, "read its worker's result", json.Unmarshal(r.Value, result))
	return stops
}

// KillAt sends the order and kills the worker after its call of that number. It returns that stop, and false if the worker made fewer
// calls and returned.
func (s *Stepper) KillAt(order string, number int, lesson ...Lesson) (last Stop, killed bool) {
	s.t.Helper()
	s.run(order, func(stop Stop) bool {
		if last, killed = stop, stop.Number == number && !stop.Waits; killed {
			s.Kill()
		}
		return !killed
	}, lesson)
	return last, killed
}

// run steps through one order until at returns false, and reports whether the worker has returned.
func (s *Stepper) run(order string, at func(Stop) bool, lesson []Lesson) (returned bool) {
	s.t.Helper()
	s.Send(order)
	limit := process.Patience()
	deadline := time.Now().Add(limit)
	for number := 1; ; {
		stop, err := s.next(deadline, limit)
		s.expect(err, "to make its next call or to return", lesson)
		waits := stop.Call.Interrupted()
		if !stop.Returned && slices.ContainsFunc(s.within, stop.Call.Within) {
			if !at(Stop{Number: number, Call: stop.Call, Waits: waits}) {
				return false
			}
			if !waits {
				number++
			}
		}
		s.expect(s.stepper.Continue(), "to continue", lesson)
		if stop.Returned {
			return true
		}
		if !waits {
			deadline = time.Now().Add(limit)
		}
	}
}

// next waits for the next stop until the deadline, which lies limit after the last call that was no wait.
func (s *Stepper) next(deadline time.Time, limit time.Duration) (trace.Stop, error) {
	ctx, cancel := context.WithDeadline(s.t.Context(), deadline)
	defer cancel()
	stop, err := s.stepper.Next(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return stop, s.inner.NewStuck("make its next call or return", limit)
	case errors.Is(err, trace.ErrExited):
		return stop, s.inner.Wait(s.t.Context())
	}
	return stop, err
}
