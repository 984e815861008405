package lab

import (
	"errors"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"

	"example/turnstile/internal/lab/process"
)

// A Reply is what a Program answers to an order: what a call returned, and a number or a text for orders that ask for one.
type Reply struct {
	Returned Returned
	N        int
	Text     string
}

// Obey is a worker that obeys one order of its Program after another, and lives on in between: do gets the words of each. Three orders it
// obeys by itself: "collect" collects the garbage, "handles" counts the open handles, and "child" starts a program that runs on, and
// answers with its number. It collects no garbage on other occasions, so that a handle that is left open stays open.
func Obey(w *Worker, do func(words []string) Reply) error {
	debug.SetGCPercent(-1)
	if r, w, err := os.Pipe(); err == nil { // the first file that is opened opens two handles of Go's runtime as well
		_ = errors.Join(r.Close(), w.Close())
	}
	w.Reached("done")
	for {
		var order string
		if err := w.Receive(&order); err != nil {
			return err
		}
		var r Reply
		switch order {
		case "collect":
			CollectGarbage()
		case "handles":
			r.N, r.Returned.Err = OpenHandles()
		case "child":
			r.N, r.Returned.Err = child()
		default:
			r = do(strings.Fields(order))
		}
		if err := w.Result(r); err != nil {
			return err
		}
		w.Reached("done")
	}
}

func child() (pid int, err error) {
	command := exec.Command("sleep", "600")
	if err := command.Start(); err != nil {
		return 0, err
	}
	return command.Process.Pid, nil
}

// A Program is a process in which Obey runs.
type Program struct {
	*Process
	t     testing.TB
	stuck func(order string, l Lesson) Lesson
}

// StartProgram launches the worker, which calls Obey, and waits until it takes orders. If an order waits for a file lock and should not,
// Ask reports what stuck returns for it and for the lesson that Ask was given.
func StartProgram(t testing.TB, o Options, stuck func(order string, l Lesson) Lesson, worker string, args ...string) Program {
	t.Helper()
	p := Program{Launch(t, o, worker, args...), t, stuck}
	p.Reached("done")
	p.Continue()
	return p
}

// Reply waits until the order that was sent is obeyed.
func (p Program) Reply(l Lesson) (r Reply) {
	p.t.Helper()
	p.Reached("done", l)
	p.Process.Result(&r, l)
	p.Continue()
	return r
}

// Ask is for an order that need not wait, because no other owner stands in its way, or because it does not wait.
func (p Program) Ask(order string, l Lesson) Reply {
	p.t.Helper()
	if p.Begin(order) == process.Blocked {
		Fail(p.t, p.stuck(order, l))
	}
	return p.Reply(l)
}

// Do is Ask for an order of which the error counts.
func (p Program) Do(order string, l Lesson) error {
	p.t.Helper()
	return p.Ask(order, l).Returned.Err
}

// Succeed is Do for an order that must succeed.
func (p Program) Succeed(order string, l Lesson) {
	p.t.Helper()
	RequireNoError(p.t, p.Do(order, l), l)
}

// Tell is Ask while other calls of the program wait for a lock, or have left one in the kernel.
func (p Program) Tell(order string, l Lesson) Reply {
	p.t.Helper()
	p.Send(order)
	return p.Reply(l)
}

// Handles counts the program's open handles.
func (p Program) Handles() int {
	p.t.Helper()
	r := p.Tell("handles", Lesson{Says: "The test could not count handles"})
	RequireSetUp(p.t, r.Returned.Err)
	return r.N
}
