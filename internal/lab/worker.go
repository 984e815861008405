package lab

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example/turnstile/internal/lab/process"
)

// Options say how a worker is started; see process.Options.
type Options = process.Options

// A Process is a worker process that belongs to a test: whatever becomes of the test, the process is gone when it ends.
//
// Its methods fail the test when the worker does something else than the test's story says. Give them a Lesson where the
// code under test can be the reason; without one the message names only the worker and the step. A Process is for the
// test's own goroutine.
type Process struct {
	t     testing.TB
	inner *process.Process
}

// Start runs the worker of that name in a process of its own and returns once it has begun.
func Start(t testing.TB, name string, args ...string) *Process {
	t.Helper()
	return Launch(t, Options{}, name, args...)
}

// Launch is Start with options.
func Launch(t testing.TB, o Options, name string, args ...string) *Process {
	t.Helper()
	inner, err := process.Start(t.Context(), o, name, args...)
	if err != nil {
		Fail(t, Lesson{Says: "A worker process could not be started", Found: err.Error(), Means: machineTrouble})
	}
	t.Cleanup(inner.Kill)
	return &Process{t: t, inner: inner}
}

// Run starts a worker and waits for its end: another process that does one thing.
func Run(t testing.TB, name string, args ...string) error {
	t.Helper()
	return Start(t, name, args...).Wait()
}

// PID returns the worker's process id.
func (p *Process) PID() int { return p.inner.PID() }

// Reached waits until the worker stands at the named step.
func (p *Process) Reached(step string, lesson ...Lesson) {
	p.t.Helper()
	p.expect(p.inner.Reached(p.t.Context(), step), fmt.Sprintf("to reach the step %q", step), lesson)
}

// Continue lets a worker that stands at a step go on. It does not wait.
func (p *Process) Continue() {
	p.t.Helper()
	p.expect(p.inner.Continue(), "to go on", nil)
}

// Send gives a value to a worker that waits in Receive.
func (p *Process) Send(v any) {
	p.t.Helper()
	p.expect(p.inner.Send(v), "to take a value", nil)
}

// Result waits for the next value that the worker sends and decodes it into v.
func (p *Process) Result(v any, lesson ...Lesson) {
	p.t.Helper()
	p.expect(p.inner.NextResult(p.t.Context(), v), "to report a result", lesson)
}

// Wait waits until the worker's function has returned and returns its error: nil, an error that matches the same sentinels and
// error number as it did in the worker (see process.Error), or how the process died.
//
// A worker that does not come to its end fails the test.
func (p *Process) Wait(lesson ...Lesson) error {
	p.t.Helper()
	err := p.inner.Wait(p.t.Context())
	if !p.inner.Finished() {
		p.expect(err, "to finish", lesson)
	}
	return err
}

// WaitBlocked waits until the kernel says that the worker waits for a file lock, where the system tells (Linux); elsewhere
// it is StillWaiting. It fails the test if the worker does not wait, or waits in another way, such as polling.
func (p *Process) WaitBlocked(lesson ...Lesson) {
	p.t.Helper()
	p.expect(p.inner.Blocked(p.t.Context()), "to wait for the lock", lesson)
}

// BlockedOn counts the worker's threads that wait in the kernel for a lock on the file at path. It does not wait: see RequireWaiters.
// On a system that does not tell, the test is skipped.
func (p *Process) BlockedOn(path string) int {
	p.t.Helper()
	return Waiters(p.t, path, p)
}

// Waiters counts the threads of the crew that wait in the kernel for a lock on the file at path, whichever kind of lock that is. On a
// system that does not tell (any but Linux), the test is skipped.
func Waiters(t testing.TB, path string, crew ...*Process) int {
	t.Helper()
	sum := 0
	for _, p := range crew {
		count, err := p.inner.Waiters(path)
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system does not tell who waits for a lock: ", err)
		}
		setUp(t, "ask who waits for a lock", err)
		sum += count
	}
	return sum
}

// RequireWaiters waits until exactly want threads of the crew wait in the kernel for a lock on the file at path, and fails the test if
// that does not happen. Like Waiters, it skips the test where the system does not tell.
func RequireWaiters(t testing.TB, path string, want int, l Lesson, crew ...*Process) {
	t.Helper()
	count, limit := Waiters(t, path, crew...), process.Patience()
	for deadline := time.Now().Add(limit); count != want && time.Now().Before(deadline); count = Waiters(t, path, crew...) {
		time.Sleep(time.Millisecond) // decides only how soon it is seen: the kernel sends no message
	}
	if count != want {
		fill(&l, fmt.Sprintf("threads that wait in the kernel for the lock: %d", want), fmt.Sprintf("%d, after %v", count, limit))
		process.RanOut()
		Fail(t, l)
	}
}

// Alarm returns after what time a worker that has nothing to do wakes up by itself, because it has set a timer. It is 0 if there is none,
// and on systems other than Linux.
func (p *Process) Alarm() time.Duration { return p.inner.Alarm() }

// StillWaiting demands that the worker neither finishes nor reaches a step for a while. It is for answers that may poll.
func (p *Process) StillWaiting(lesson ...Lesson) {
	p.t.Helper()
	p.expect(p.inner.StillWaiting(p.t.Context()), "to wait", lesson)
}

// Settle waits until the worker can do no more by itself (it is blocked, waits, stands at a step or has finished) and says
// which. It judges nothing: the test goes on and looks at what the files hold in the end.
func (p *Process) Settle() process.State {
	p.t.Helper()
	state, err := p.inner.Settle(p.t.Context())
	p.expect(err, "to settle", nil)
	return state
}

// Begin sends the worker a value and waits until it can do no more by itself: Send and Settle.
func (p *Process) Begin(v any) process.State {
	p.t.Helper()
	p.Send(v)
	return p.Settle()
}

// Kill ends the worker as a crash would, and returns when it is gone.
func (p *Process) Kill() { p.inner.Kill() }

// Stop freezes the worker until Resume. On a system without that the test is skipped.
func (p *Process) Stop() {
	p.t.Helper()
	err := p.inner.Stop(p.t.Context())
	if errors.Is(err, errors.ErrUnsupported) {
		p.t.Skip("this system cannot freeze a process from outside: ", err)
	}
	p.expect(err, "to stand still", nil)
}

// Resume lets a stopped worker run again.
func (p *Process) Resume() {
	p.t.Helper()
	p.expect(p.inner.Resume(), "to run again", nil)
}

// expect fails the test if err is not nil, with the given lesson or one made from the expectation. What the lesson expected and found
// belongs to the case that the test did not get to judge, so it is replaced.
func (p *Process) expect(err error, expectation string, lesson []Lesson) {
	p.t.Helper()
	if err == nil {
		return
	}
	l := Lesson{Did: "a second process ran your code, step by step"}
	if len(lesson) > 0 {
		l = lesson[0]
	}
	if l.Says == "" {
		l.Says = fmt.Sprintf("The worker process %q did not do what the test expected", p.inner.Name())
	}
	l.Expected, l.Found = "the other process "+expectation, firstLines(err.Error(), 2)
	Fail(p.t, troubled(l, err))
}
