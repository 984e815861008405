//go:build linux

package fcntl_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	fcntl "example/turnstile/exercises/09_fcntl"
	"example/turnstile/exercises/09_fcntl/rows"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) {
	lab.Main(m, workers, fcntl.ErrLocked, fcntl.ErrRange, fcntl.ErrTooFew, rows.ErrNoRow, errTest, errNothing)
}

// workers of other files are added in their init.
var workers = lab.Workers{"owner": owner}

// Where the messages send the reader.
const (
	why        = `lessons/09_fcntl, "Why it happens"`
	fix        = `lessons/09_fcntl, "The fix"`
	ends       = `lessons/09_fcntl, "What ends a lock"`
	whichBytes = `lessons/09_fcntl, "Which bytes"`
	asking     = `lessons/09_fcntl, "Asking who has it"`
	openModes  = `lessons/09_fcntl, "Open modes"`
	deadlock   = `lessons/09_fcntl, "Deadlock"`
	seesWhom   = `lessons/09_fcntl, "Who sees whom"`
	refusals   = `lessons/09_fcntl, "When the kernel refuses"`
)

var (
	errTest    = errors.New("the test's own error")
	errNothing = errors.New("neither a lock nor an error was returned")
)

const (
	all   = fcntl.All
	three = "bracket                       1\nhinge                         4\nbolt                        100\n" // three rows
	odd   = "bracket 1                      \nhinge 4                        \nbolt 100                       \n" // as rows.Write writes none
)

func tableFile(t *testing.T) (path string) {
	t.Helper()
	return lab.WriteFile(t, "parts.table", three)
}

// A desk is a program at work with locks on one table. The locks have names.
type desk struct {
	path string
	held map[string]*fcntl.Held
	over *atomic.Int64 // calls in a goroutine that have returned
}

// owner is a program that works with the table at PATH.
func owner(w *lab.Worker) error { return lab.Obey(w, newDesk(w.Arg(0)).do) }

// do obeys "CALL NAME FIRST COUNT", where CALL is a function of the package that returns a lock, "Unlock NAME", and "Locked FIRST COUNT";
// "at PATH …" for another path, "go …" for a call in a goroutine that keeps the lock, "over" for how many of these have returned;
// "View", "Update", "Append" and "Move FROM TO"; "refuse ERRNO", from which on the kernel refuses all locks; "duplicate" and "leave" (its
// directory); and what other code of the program does with the table: "make" (one that may only be read), "read", "write", "link",
// "update ROW".
func (d *desk) do(order []string) (r lab.Reply) {
	switch order[0] {
	case "at":
		elsewhere := &desk{order[1], d.held, d.over}
		return elsewhere.do(order[2:])
	case "go":
		alone := newDesk(d.path)
		go func() {
			alone.do(order[1:])
			d.over.Add(1)
			<-make(chan bool) // it keeps the lock
			runtime.KeepAlive(alone)
		}()
	case "over":
		r.N = int(d.over.Load())
	case "refuse":
		r.Returned.Err = lab.RefuseAll(ofd, syscall.Errno(number(order[1])))
	case "duplicate":
		r.N, r.Returned.Err = lab.DuplicateDescriptors(d.path)
	case "make":
		r.Returned.Err = errors.Join(os.WriteFile(d.path, []byte(three), 0o400), os.Chmod(d.path, 0o444))
	case "read":
		_, r.Returned.Err = rows.Read(d.path, 2)
	case "write":
		r.Returned.Err = rows.Write(d.path, 2, rows.Row{Part: "bolt", Number: 100})
	case "link":
		r.Returned.Err = readLink(d.path)
	case "update":
		r.Returned.Err = fcntl.Update(d.path, number(order[1]), func(row rows.Row) (rows.Row, error) { return row, nil })
	case "View", "Update", "Append":
		r.Returned.Err = changes[order[0]](d.path, func() { r.N++ })
	case "Move":
		r.Returned.Err = fcntl.Move(d.path, number(order[1]), number(order[2]), 1)
	case "leave":
		r.Returned.Err = os.Chdir(os.TempDir())
	case "Locked":
		var locked bool
		locked, r.Returned.Err = fcntl.Locked(d.path, fcntl.Rows{First: number(order[1]), Count: number(order[2])})
		if locked {
			r.N = 1
		}
	case "Unlock":
		r.Returned.Err = d.held[order[1]].Unlock()
	default:
		r.Returned.Err = d.lock(order[0], order[1], fcntl.Rows{First: number(order[2]), Count: number(order[3])})
	}
	return r
}

func newDesk(path string) *desk { return &desk{path, map[string]*fcntl.Held{}, new(atomic.Int64)} }

// lock calls the function, and keeps the lock that it returns under the name.
func (d *desk) lock(call, name string, r fcntl.Rows) error {
	held, err := map[string]func(string, fcntl.Rows) (*fcntl.Held, error){
		"Lock": fcntl.Lock, "RLock": fcntl.RLock, "TryLock": fcntl.TryLock, "TryRLock": fcntl.TryRLock,
	}[call](d.path, r)
	if err == nil && held == nil {
		err = errNothing
	}
	if err == nil {
		d.held[name] = held
	}
	return err
}

func number(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		panic(err) // the test is wrong
	}
	return n
}

// readLink reads the file by another name of it.
func readLink(path string) error {
	link := path + ".link"
	if err := os.Link(path, link); err != nil {
		return err
	}
	_, err := os.ReadFile(link)
	return errors.Join(err, os.Remove(link))
}

// A program runs owner in a process of its own.
type program struct {
	lab.Program
	t *testing.T
}

func start(t *testing.T, path string) program { t.Helper(); return launch(t, lab.Options{}, path) }

func launch(t *testing.T, o lab.Options, path string) program {
	t.Helper()
	return program{lab.StartProgram(t, o, stuck, "owner", path), t}
}

// stuck is what a test says if an order waits that should not.
func stuck(order string, l lab.Lesson) lab.Lesson {
	return lab.Lesson{
		Says: callOf(order) + " waits for a lock, and should not", Did: l.Did,
		Expected: "it returns", Found: "the kernel says that it waits for a file lock",
		Means: "a Try waits, more rows are locked than were asked for, or an earlier lock was not given back: the others wait for ever",
		Read:  whichBytes,
	}
}

// tell is for an order that must succeed while goroutines of the program wait for a lock.
func (p program) tell(order string, l lab.Lesson) {
	p.t.Helper()
	lab.RequireNoError(p.t, p.Tell(order, l).Returned.Err, l)
}

// mustWait is the lesson for a call that does not wait in the kernel, whatever else it does.
func mustWait(l lab.Lesson, format string, args ...any) lab.Lesson {
	l = l.Say(format, args...)
	l.Means = "it goes on beside the owner, gives up, or asks again and again and comes too late"
	return l
}

// waits demands that so many of the program's goroutines wait for a lock on the file at path, and that so many calls of "go" have returned.
func (p program) waits(path string, want, over int, l lab.Lesson) {
	p.t.Helper()
	call, _, _ := strings.Cut(l.Says, " ")
	for end := time.Now().Add(process.Patience()); ; {
		returned, waiting := p.Tell("over", l).N, p.BlockedOn(path)
		if returned == over && waiting == want {
			return
		}
		l.Expected = fmt.Sprintf("%d calls wait in the kernel, and %d have returned", want, over)
		l.Found = fmt.Sprintf("%d wait, and %d have returned", waiting, returned)
		lab.Require(p.t, returned <= over, l)
		if waiting < want {
			l = mustWait(l, "%s does not wait in the kernel", call)
		} else if waiting > want {
			l = l.Say("%s waits for a lock, and should not", call)
			l.Means = "it was given back, or is not needed here: the program waits for an owner with whom it has nothing to do"
		}
		lab.Require(p.t, time.Now().Before(end), l)
		runtime.Gosched()
	}
}

// get takes a lock that is free. It is for the beginning of a story.
func (p program) get(order string) {
	p.t.Helper()
	call := callOf(order)
	p.Succeed(order, lab.Lesson{
		Says: call + " failed although no other owner was in the way", Did: call + "; no other owner had a lock on these rows",
		Means: "the program cannot work at all", Read: fix,
	})
}

// refused demands that the order, a Try, finds another owner.
func (p program) refused(order string, l lab.Lesson) {
	p.t.Helper()
	requireLocked(p.t, callOf(order), p.Do(order, l), l)
}

// requireHandles demands that the program has as many open handles as before.
func requireHandles(t *testing.T, p program, before int, l lab.Lesson) {
	t.Helper()
	handles := p.Handles()
	l.Expected, l.Found = fmt.Sprintf("%d open handles, as before", before), fmt.Sprintf("%d open handles", handles)
	l.Means = "the program runs out of handles"
	lab.Require(t, handles == before, l)
}

// requireLocked demands that the call has found another owner. The lesson is for a call that has the lock.
func requireLocked(t *testing.T, call string, err error, l lab.Lesson) {
	t.Helper()
	l.Expected = "an error that matches ErrLocked"
	if err != nil {
		l.Says, l.Means = call+" did not recognize another owner", "it failed for another reason, or reports a row in use as a failure"
	}
	lab.RequireErrorIs(t, err, fcntl.ErrLocked, l)
}

func requireClosed(t *testing.T, err error, l lab.Lesson) {
	t.Helper()
	l.Expected = "an error that matches fs.ErrClosed"
	lab.RequireErrorIs(t, err, fs.ErrClosed, l)
}

var calls = []string{"Lock", "RLock", "TryLock", "TryRLock"}

// callOf returns the function or the method of an order.
func callOf(order string) string {
	for _, word := range strings.Fields(order) {
		if slices.Contains(calls, word) || word == "Unlock" || word == "Locked" {
			return word
		}
	}
	return order
}

// lockedRow reports whether another owner would be refused an exclusive lock on so many rows from n on; 0 is all. The test asks the kernel.
func lockedRow(t *testing.T, path string, n, count int64) bool {
	t.Helper()
	file, err := os.Open(path)
	lab.RequireSetUp(t, err)
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: n * rows.Size, Len: count * rows.Size}
	lab.RequireSetUp(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock))
	return lock.Type != unix.F_UNLCK
}

// requireFree demands that no program has a lock on the table.
func requireFree(t *testing.T, path string, l lab.Lesson) {
	t.Helper()
	l.Expected, l.Found = "no lock", "a lock"
	lab.Require(t, !lockedRow(t, path, 0, 0), l)
}
