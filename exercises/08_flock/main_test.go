//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	flock "example/turnstile/exercises/08_flock"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) { lab.Main(m, workers, flock.ErrLocked, errTest, errNothing) }

// workers of files with build tags are added in their init.
var workers = lab.Workers{
	"owner": owner, "take": take, "again": again, "view": view, "inner": inner, "crowd": crowd, "nested": nested, "beside": beside,
	"moved": moved,
}

// Where the messages send the reader.
const (
	why        = `lessons/08_flock, "Why it happens"`
	fix        = `lessons/08_flock, "The fix"`
	whoOwns    = `lessons/08_flock, "Who owns a lock"`
	collected  = `lessons/08_flock, "The file that nothing refers to"`
	children   = `lessons/08_flock, "Children"`
	givingBack = `lessons/08_flock, "Giving it back"`
	conversion = `lessons/08_flock, "Changing the mode"`
	refusals   = `lessons/08_flock, "When the kernel refuses"`
	modes      = `lessons/08_flock, "Shared, exclusive, and asking once"`
)

var (
	errTest    = errors.New("the test's own error")
	errNothing = errors.New("neither a lock nor an error was returned")
)

// A desk is a program at work with locks on one file. The locks have names.
type desk struct {
	path string
	held map[string]*flock.Held
	ran  chan error
	got  atomic.Int32 // how many calls of "go" have returned without an error
}

// owner is a program that locks the file at PATH.
func owner(w *lab.Worker) error {
	d := &desk{path: w.Arg(0), held: map[string]*flock.Held{}}
	return lab.Obey(w, d.do)
}

// do obeys "CALL NAME", where CALL is a function or a method of the package, "at PATH CALL NAME" for another path,
// "go CALL NAME" for a call in a goroutine that keeps the lock, "has-got" (how many of these have one), "refused ERRNO CALL NAME" for one
// whose lock the kernel refuses, "duplicate", "open-and-close", "is-open" (1 if the file is), "run" (another program, in a goroutine),
// "has-run" (1 if it has), "by-turns" (see byTurns) and "leave DIRECTORY" (for that one).
func (d *desk) do(order []string) (r lab.Reply) {
	switch order[0] {
	case "at":
		r.Returned.Err = d.call(order[1], order[2], order[3])
	case "go":
		alone := &desk{path: d.path, held: maps.Clone(d.held)}
		go func() {
			if err := alone.call(d.path, order[1], order[2]); err == nil {
				d.got.Add(1)
				select {} // it keeps the lock
			}
		}()
	case "has-got":
		r.N = int(d.got.Load())
	case "refused":
		return d.refused(order[1], order[2:])
	case "duplicate":
		r.N, r.Returned.Err = lab.DuplicateDescriptors(d.path)
	case "open-and-close":
		r.Returned.Err = openAndClose(d.path)
	case "is-open":
		var open bool
		if open, r.Returned.Err = lab.IsOpen(d.path); open {
			r.N = 1
		}
	case "run":
		d.ran = make(chan error, 1)
		go func() { d.ran <- exec.Command("true").Run() }()
	case "has-run":
		select {
		case r.Returned.Err = <-d.ran:
			r.N = 1
		default:
		}
	case "by-turns":
		r.N, r.Returned.Err = byTurns(d.path)
	case "leave":
		r.Returned.Err = os.Chdir(order[1])
	default:
		r.Returned.Err = d.call(d.path, order[0], order[1])
	}
	return r
}

// call calls the function or the method, and keeps the lock that it returns under the name.
func (d *desk) call(path, call, name string) error {
	functions := map[string]func(path string) (*flock.Held, error){
		"Lock": flock.Lock, "RLock": flock.RLock, "TryLock": flock.TryLock, "TryRLock": flock.TryRLock,
	}
	if function, ok := functions[call]; ok {
		held, err := function(path)
		if err == nil && held == nil {
			err = errNothing
		}
		if err == nil {
			d.held[name] = held
		}
		return err
	}
	held := d.held[name]
	return map[string]func() error{"Upgrade": held.Upgrade, "TryUpgrade": held.TryUpgrade, "Unlock": held.Unlock}[call]()
}

// byTurns has eight goroutines, each of which locks and unlocks a file of its own. It returns how many of the locks that they kept did not
// keep others out after garbage had been collected.
func byTurns(path string) (lost int, err error) {
	desks := make([]*desk, 8)
	failures := make([]error, len(desks))
	for n := range desks {
		desks[n] = &desk{path: fmt.Sprint(path, n), held: map[string]*flock.Held{}}
	}
	for range 3 {
		var all sync.WaitGroup
		for n, d := range desks {
			all.Go(func() {
				for range 5 {
					if d.held["it"] != nil {
						failures[n] = errors.Join(failures[n], d.call(d.path, "Unlock", "it"))
					}
					failures[n] = errors.Join(failures[n], d.call(d.path, "Lock", "it"))
				}
			})
		}
		all.Wait()
		lab.CollectGarbage()
		for _, d := range desks {
			switch refused := d.call(d.path, "TryRLock", "other"); {
			case refused == nil:
				lost++
			case !errors.Is(refused, flock.ErrLocked):
				err = errors.Join(err, refused)
			}
		}
		if err = errors.Join(append(failures, err)...); lost > 0 || err != nil {
			break
		}
	}
	runtime.KeepAlive(desks)
	return lost, err
}

// openAndClose does what a library does that looks at the file.
func openAndClose(path string) error {
	if _, err := os.ReadFile(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// old makes the file at path one of 1970 that other users may read and write, and returns what demands that a call left it as it is.
func old(t *testing.T, path string) (untouched func(call string, l lab.Lesson)) {
	t.Helper()
	lab.RequireSetUp(t, errors.Join(os.Chmod(path, 0o666), os.Chtimes(path, time.Unix(0, 0), time.Unix(0, 0))))
	text, err := os.ReadFile(path)
	lab.RequireSetUp(t, err)
	before, err := os.Stat(path)
	lab.RequireSetUp(t, err)
	return func(call string, l lab.Lesson) {
		t.Helper()
		name := " " + filepath.Base(path)
		l.Did += fmt.Sprintf("; until then%s was a file of 1970 with %q in it, and mode 0666", name, text)
		l.Means = "others wait on a file without a name, while the next one creates another and locks that (lesson 07)"
		after, err := os.Stat(path)
		lab.RequireNoError(t, err, l.Say("%s removed%s", call, name))
		lab.Require(t, os.SameFile(before, after), l.Say("%s replaced%s", call, name))
		l = l.Say("%s changed%s", call, name)
		l.Means = "what others have written there is gone: the owner's name, or a document"
		lab.RequireFile(t, path, string(text), l)
		l.Means = "other users may open the file than before"
		lab.RequireEqual(t, before.Mode().String(), after.Mode().String(), l)
		l.Means = "make, a backup, or whatever else compares times finds a change where there is none"
		lab.RequireEqual(t, before.ModTime().String(), after.ModTime().String(), l)
	}
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
	if !slices.Contains(strings.FieldsFunc(l.Did, func(r rune) bool { return !unicode.IsLetter(r) }), callOf(order)) {
		l.Did += "; then " + callOf(order)
	}
	return lab.Lesson{
		Says: callOf(order) + " waits for a lock, and should not", Did: l.Did,
		Expected: "it returns", Found: "the kernel says that it waits for a file lock",
		Means: "either a Try waits, or an earlier lock was not given back: everyone who needs it waits for ever", Read: modes,
	}
}

// tell is for an order that must succeed while goroutines of the program wait for a lock.
func (p program) tell(order string, l lab.Lesson) {
	p.t.Helper()
	lab.RequireNoError(p.t, p.Tell(order, l).Returned.Err, l)
}

// runsMeanwhile demands that the program can start another one while a goroutine waits in the call.
func (p program) runsMeanwhile(call string, l lab.Lesson) {
	p.t.Helper()
	l = l.Say("%s keeps the process from starting a program while it waits", call)
	l.Did += ", and waited; another goroutine ran another program"
	l.Expected, l.Found = "the program has run", fmt.Sprintf("it has not, after %v", process.Patience())
	l.Means, l.Read = "one goroutine that waits for a lock stops what all others do", children
	p.tell("run", l)
	lab.Require(p.t, p.becomes(1, "has-run", l), l)
}

// becomes reports whether the answer to the order comes to be n.
func (p program) becomes(n int, order string, l lab.Lesson) bool {
	p.t.Helper()
	for end := time.Now().Add(process.Patience()); time.Now().Before(end); {
		r := p.Tell(order, l)
		lab.RequireSetUp(p.t, r.Returned.Err)
		if r.N == n {
			return true
		}
	}
	return false
}

// take is get for one or two calls, such as "RLock and Upgrade", of the lock with that name.
func (p program) take(calls, name string) {
	p.t.Helper()
	for _, call := range strings.Split(calls, " and ") {
		p.get(call + " " + name)
	}
}

// get takes a lock that is free. It is for the beginning of a story.
func (p program) get(order string) {
	p.t.Helper()
	call := callOf(order)
	p.Succeed(order, lab.Lesson{
		Says: call + " did not get a lock that was free", Did: call + "; no other owner had a lock that stands in its way",
		Means: "the program cannot work at all", Read: fix,
	})
}

// refused demands that the order, a Try, finds another owner.
func (p program) refused(order string, l lab.Lesson) {
	p.t.Helper()
	requireLocked(p.t, p.Do(order, l), l)
}

func requireLocked(t *testing.T, err error, l lab.Lesson) {
	t.Helper()
	if l.Expected = "an error that matches ErrLocked"; err != nil {
		l.Means = "the caller cannot tell another owner from a failure"
	}
	lab.RequireErrorIs(t, err, flock.ErrLocked, l)
}

func requireClosed(t *testing.T, err error, l lab.Lesson) {
	t.Helper()
	l.Expected = "an error that matches fs.ErrClosed"
	lab.RequireErrorIs(t, err, fs.ErrClosed, l)
}

// child starts a program that runs on, until the test ends.
func (p program) child(l lab.Lesson) (pid int) {
	p.t.Helper()
	child := p.Tell("child", l)
	lab.RequireSetUp(p.t, child.Returned.Err)
	p.t.Cleanup(func() {
		if p, err := os.FindProcess(child.N); err == nil {
			_ = p.Kill()
		}
	})
	return child.N
}

// callOf returns the function or the method of an order.
func callOf(order string) string {
	for _, word := range strings.Fields(order) {
		switch word {
		case "Lock", "RLock", "TryLock", "TryRLock", "Upgrade", "TryUpgrade", "Unlock":
			return word
		}
	}
	return order
}
