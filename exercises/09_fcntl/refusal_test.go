//go:build linux

package fcntl_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	fcntl "example/turnstile/exercises/09_fcntl"
	"example/turnstile/exercises/09_fcntl/rows"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

func init() {
	workers["interrupted"], workers["steps"], workers["each"] = interrupted, steps, each
}

const ofd = "open file description lock"

// A reason is what the kernel gives for a refused lock.
type reason struct {
	name  string
	errno syscall.Errno
}

// Of these, Go takes ENOSYS and EOPNOTSUPP for errors.ErrUnsupported.
var reasons = []reason{
	{"ENOLCK", syscall.ENOLCK},
	{"ENOSYS", syscall.ENOSYS},
	{"EOPNOTSUPP", syscall.EOPNOTSUPP},
	{"EIO", syscall.EIO},
	{"EINVAL", syscall.EINVAL}, // Linux before 3.15, which has no such locks, or a bad range
	{"EPERM", syscall.EPERM},   // a policy of this machine; like EACCES, it matches fs.ErrPermission
}

func TestARefusedLockIsNotALock(t *testing.T) {
	t.Parallel()
	for _, reason := range reasons {
		path := tableFile(t)
		p := start(t, path)
		p.refuse(reason.errno)
		before := p.Handles()
		for _, call := range append(calls, "Locked") {
			order := call + " it 0 1"
			if call == "Locked" {
				order = "Locked 0 1"
			}
			l := lab.Lesson{
				Says: call + " returned no error although the kernel had refused the lock", Read: refusals,
				Did:   call + "; no other owner had a lock; the kernel refused each OFD lock with " + reason.name,
				Means: "the program goes on without a lock, or with one of another kind, which ends when any handle of the file is closed",
			}
			if call == "Locked" {
				l.Says = "Locked returned an answer although the kernel had given none"
				l.Means = "people are told that a row is free, and no one knows"
			}
			err := p.Do(order, l)
			lab.RequireError(t, err, l)
			requireNotLocked(t, call, err, l)
			l.Means = "no one can tell what to do about it"
			lab.RequireErrorIs(t, err, reason.errno, l.Say("%s did not report why it failed", call))
			unsupported := reason.errno.Is(errors.ErrUnsupported)
			l.Expected = fmt.Sprintf("errors.Is(err, errors.ErrUnsupported) is %t", unsupported)
			l.Found = fmt.Sprintf("it is %t, for %q", !unsupported, err)
			l.Means = "the caller mistakes a lock that failed for one that does not exist on this system"
			l.Says = call + " matched errors.ErrUnsupported, and its reason does not"
			if unsupported {
				l.Means = "the caller mistakes a lock that does not exist on this system for one that failed"
				l.Says = call + " did not match errors.ErrUnsupported, and its reason does"
			}
			lab.Require(t, errors.Is(err, errors.ErrUnsupported) == unsupported, l)
			l.Expected, l.Found = "", ""
			requireHandles(t, p, before, l.Say("%s left the file open when it failed", call))
			l.Means = "the others wait for an owner that does not know of its lock"
			requireFree(t, path, l.Say("%s failed and kept a lock", call))
		}
	}
	for _, reason := range []reason{{"EAGAIN", syscall.EAGAIN}, {"EACCES", syscall.EACCES}} {
		p := start(t, tableFile(t))
		p.refuse(reason.errno)
		for _, call := range []string{"TryLock", "TryRLock"} {
			l := lab.Lesson{
				Says:  call + " returned no error although another owner was in the way",
				Did:   call + "; fcntl(2) failed with " + reason.name + ", which POSIX allows where another owner is in the way",
				Means: "two owners are inside at once", Read: refusals,
			}
			p.refused(call+" it 0 1", l)
		}
		for _, call := range []string{"Lock", "RLock"} { // where no other owner is in the way: it would wait for one
			l := lab.Lesson{
				Says: call + " did not report why it failed", Did: call + "; fcntl(2), asked to wait, failed with " + reason.name,
				Means: "no one can tell what to do about it", Read: refusals,
			}
			err := p.Do(call+" it 0 1", l)
			lab.RequireErrorIs(t, err, reason.errno, l)
			requireNotLocked(t, call, err, l)
		}
	}
}

// refuse has the kernel refuse all open file description locks of the program, and their questions, in all its threads.
func (p program) refuse(errno syscall.Errno) {
	p.t.Helper()
	lab.RequireRefuse(p.t, p.Do(fmt.Sprintf("refuse %d", errno), lab.Lesson{}))
}

// requireNotLocked demands that the error of a call that found no other owner does not report one.
func requireNotLocked(t *testing.T, call string, err error, l lab.Lesson) {
	t.Helper()
	l.Means = "the program waits for another owner, who does not exist, and never says what is wrong"
	l.Expected, l.Found = "an error that does not match ErrLocked", err.Error()
	lab.Require(t, !errors.Is(err, fcntl.ErrLocked), l.Say("%s reported another owner, and there is none", call))
}

// eachAsks are orders to a desk, and what each asks of the kernel about the table. Another program has row 9.
var eachAsks = []struct{ order, calls string }{
	{"Lock it 0 1", "open O_RDWR, lock and wait"},
	{"Unlock it", "unlock, close"},
	{"RLock it 1 1", "open O_RDONLY, lock and wait"},
	{"Unlock it", "unlock, close"},
	{"TryLock it 2 1", "open O_RDWR, lock"},
	{"Unlock it", "unlock, close"},
	{"TryRLock it 3 1", "open O_RDONLY, lock"},
	{"Unlock it", "unlock, close"},
	{"TryLock other 9 1", "open O_RDWR, lock, close"},
	{"TryRLock other 9 1", "open O_RDONLY, lock, close"},
	{"Locked 9 1", "open O_RDONLY, ask, close"},
}

// each obeys these orders about the table at PATH, twice, with a mark before each.
func each(w *lab.Worker) error {
	d := newDesk(w.Arg(0))
	var all error
	for n, e := range append(eachAsks, eachAsks...) {
		lab.Mark(fmt.Sprint(n))
		if words := strings.Fields(e.order); words[0] != "Unlock" || d.held[words[1]] != nil {
			all = errors.Join(all, d.do(words).Returned.Err)
		}
		if strings.HasPrefix(e.order, "Unlock") {
			clear(d.held)
		}
	}
	return all
}

// asked shows what a call asks of the kernel about the table, or nothing.
func asked(c lab.Call) string {
	switch {
	case c.Interrupted() || c.Errno == "EINTR": // it is made again
		return ""
	case c.Name == "openat":
		return "open " + regexp.MustCompile("O_(RDONLY|WRONLY|RDWR|PATH)").FindString(c.Args)
	case c.Name != "fcntl":
		return c.Name
	}
	for _, command := range [][2]string{{"GETLK", "ask"}, {"F_UNLCK", "unlock"}, {"SETLKW", "lock and wait"}, {"SETLK", "lock"}} {
		if strings.Contains(c.Args, command[0]) {
			return command[1]
		}
	}
	return ""
}

func TestEachCallOpensTheTableOnceAndAsksOnce(t *testing.T) {
	t.Parallel()
	t.Run("if the kernel has what it asks for", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		dir := filepath.Dir(path)
		l := lab.Lesson{
			Did: "Lock, RLock, TryLock and TryRLock, Unlock of each, and Locked, under strace", Read: refusals,
			Means: "who may only read is refused, a second open finds another file, or others meet a lock that no one asked for",
		}
		start(t, path).get("Lock it 9 1")
		p := lab.Trace(t, lab.Rule{Calls: trace.Files + ",fcntl,close"}, lab.Options{}, "each", path)
		lab.RequireErrorIs(t, p.Wait(l), fcntl.ErrLocked, l.Say("TryLock did not find another owner"))
		marked := p.Marked()
		for n, e := range append(eachAsks, eachAsks...) {
			var found []string
			for _, c := range marked[fmt.Sprint(n)] {
				what := asked(c)
				again := what == "unlock" && len(found) > 0 && found[len(found)-1] == what // in parts, perhaps
				if what != "" && c.Within(dir) && !again {
					found = append(found, what)
				}
			}
			l.Expected, l.Found = e.calls, strings.Join(found, ", ")
			lab.Require(t, l.Expected == l.Found, l.Say("%s makes other system calls than its doc comment says", callOf(e.order)))
		}
	})
	t.Run("if the kernel refuses", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		l := lab.Lesson{
			Says: "Lock asks again after the kernel has refused", Read: refusals,
			Did:   "Lock, RLock, TryLock and TryRLock, Locked and again the two Trys; each fcntl(2) on the table failed with ENOLCK",
			Means: "the caller waits, is told nothing, and cannot decide by itself whether to try again",
		}
		p := lab.Trace(t, lab.Rule{Calls: "fcntl", Paths: []string{path}, Fail: syscall.ENOLCK}, lab.Options{}, "each", path)
		lab.RequireErrorIs(t, p.Wait(l), syscall.ENOLCK, l.Say("Lock did not report why it failed"))
		var expected, found []string
		for _, e := range append(eachAsks, eachAsks...) {
			for what := range strings.SplitSeq(e.calls, ", ") {
				if strings.HasPrefix(what, "lock") || what == "ask" {
					expected = append(expected, what)
				}
			}
		}
		for _, c := range p.Calls() {
			if what := asked(c); what != "" {
				found = append(found, what)
			}
		}
		l.Expected, l.Found = strings.Join(expected, ", "), strings.Join(found, ", ")
		lab.Require(t, l.Expected == l.Found, l)
	})
}

// interrupted calls CALL for row 0 of PATH, and stands at "holding" if it has the lock.
func interrupted(w *lab.Worker) error {
	runtime.LockOSThread() // strace counts a thread's calls
	d := newDesk(w.Arg(0))
	if err := d.lock(w.Arg(1), "it", fcntl.Rows{First: 0, Count: 1}); err != nil {
		return err
	}
	w.Reached("holding")
	return nil
}

func TestASignalDoesNotEndTheWait(t *testing.T) {
	t.Parallel()
	for _, call := range calls {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			path := tableFile(t)
			wrap, _ := lab.Strace(t, "-P", path, "-e", "inject=fcntl:error=EINTR:when=1..6") // calls that have to do with the table
			l := lab.Lesson{
				Says: call + " reported a signal as a failure", Read: refusals,
				Did:   call + "; no other owner had a lock; signals interrupted fcntl(2) several times (EINTR, injected by strace)",
				Means: "a program that resizes its window, or whose child ends, fails now and then, and no one can repeat it",
			}
			p := lab.Launch(t, lab.Options{Wrap: wrap}, "interrupted", path, call)
			p.Reached("holding", l)
			second := "TryLock"
			if !strings.HasSuffix(call, "RLock") {
				second = "TryRLock"
			}
			start(t, path).refused(second+" it 0 1", l.Say("%s went on without a lock after a signal", call))
			p.Continue()
			lab.RequireNoError(t, p.Wait(l), l)
		})
	}
}

func TestUnlockReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"close", ofd} {
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := tableFile(t)
			l := lab.Lesson{
				Says:  "Unlock returned no error that wraps the kernel's",
				Did:   "Lock; then Unlock, while the kernel refused each " + what + " with " + errno.Error(),
				Means: "either it does not ask for this, which leaves the lock to a duplicate, or it hides that it was refused", Read: refusals,
			}
			held, err := fcntl.Lock(path, fcntl.Rows{First: 0, Count: 1})
			lab.RequireNoError(t, err, l)
			var failed error
			lab.Finishes(t, func() {
				failed = lab.Refuse(what, errno, func() { err = held.Unlock() })
			}, l.Say("Unlock does not return when the kernel refuses"))
			lab.RequireRefuse(t, failed)
			lab.RequireErrorIs(t, err, errno, l)
			requireClosed(t, held.Unlock(), l.Say("Unlock did not report that there was nothing to unlock"))
			if what == ofd { // a child of another test may have a copy of the descriptor, and the lock, until its exec: so look for the file
				open, err := lab.IsOpen(path)
				lab.RequireSetUp(t, err)
				l := l.Say("Unlock left the file open, and its lock, when it failed")
				l.Expected, l.Found = "the file is closed", "it is open"
				lab.Require(t, !open, l)
			}
		}, syscall.EIO, syscall.ENOLCK)
	}
}

// changes run View, Update, Append and Move of three, with what is called inside.
var changes = map[string]func(path string, inside func()) error{
	"View": func(path string, inside func()) error {
		return fcntl.View(path, func([]rows.Row) error { inside(); return nil })
	},
	"Update": func(path string, inside func()) error {
		return fcntl.Update(path, 0, func(row rows.Row) (rows.Row, error) { inside(); row.Number--; return row, nil })
	},
	"Append": func(path string, _ func()) error {
		_, err := fcntl.Append(path, rows.Row{Part: "nut", Number: 1})
		return err
	},
	"Move": func(path string, _ func()) error { return fcntl.Move(path, 1, 0, 2) },
}

func TestTheTableIsNotTouchedWithoutTheLock(t *testing.T) {
	t.Parallel()
	for _, reason := range []reason{{"ENOLCK", syscall.ENOLCK}, {"ENOSYS", syscall.ENOSYS}, {"EIO", syscall.EIO}} {
		path := lab.WriteFile(t, "parts.table", odd)
		p := start(t, path)
		p.refuse(reason.errno)
		for _, order := range []string{"View", "Update", "Append", "Move 1 0"} {
			call, _, _ := strings.Cut(order, " ")
			l := lab.Lesson{
				Says:  call + " went on although the kernel had refused the lock",
				Did:   call + "; the kernel refused each OFD lock with " + reason.name,
				Read:  refusals,
				Means: "it reads and writes beside every other program, without a lock",
			}
			r := p.Ask(order, l)
			l.Expected, l.Found = "it does not call the caller's function", "it called it"
			lab.Require(t, r.N == 0, l)
			l.Expected, l.Found = "", ""
			lab.RequireFile(t, path, odd, l)
			lab.RequireError(t, r.Returned.Err, l.Say("%s returned no error although the kernel had refused the lock", call))
			l.Means = "no one can tell what to do about it"
			lab.RequireErrorIs(t, r.Returned.Err, reason.errno, l.Say("%s did not report why the kernel had refused the lock", call))
		}
	}
}

// steps obeys orders about the table at PATH, and is stopped at its calls.
func steps(w *lab.Worker) error {
	d := newDesk(w.Arg(0))
	return lab.Steps(w, func(order string) any {
		if order == "Move" {
			order += " 1 0"
		}
		return d.do(strings.Fields(order)).Returned
	})
}

// The process stands still after each of its writes. From the first one on each row is locked until it has been written: a View, Update or
// Move waits for what is not written yet.
func TestTheTableIsWrittenUnderTheLock(t *testing.T) {
	t.Parallel()
	path := tableFile(t)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	lab.RequireSetUp(t, err)
	defer file.Close()
	s := lab.Step(t, "pwrite64,write", filepath.Dir(path), "steps", path)
	for call, written := range map[string][]int64{"Update": {0}, "Move": {0, 1}, "Append": {3}} {
		l := lab.Lesson{
			Says:  call + " gave its lock back before it had written",
			Did:   call + "; after each write another program asked whether it could lock the rows that were not yet written before",
			Read:  why,
			Means: "another program reads, between this one's read and its write, what is about to be replaced",
		}
		writes := 0
		first := rowsOf(t, path, written)
		last := first
		var answer lab.Returned
		s.Call(call, &answer, func(lab.Stop) {
			writes++
			now := rowsOf(t, path, written)
			for i, n := range written {
				if now[i] != first[i] && now[i] == last[i] {
					continue // an earlier write's: whoever takes it finds what Move leaves there
				}
				lock := unix.Flock_t{Type: unix.F_RDLCK, Start: n * rows.Size, Len: rows.Size}
				lab.RequireSetUp(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock))
				l := l
				l.Expected, l.Found = fmt.Sprintf("row %d is locked, before and after write %d", n, writes), "it is free after it"
				if now[i] == last[i] {
					l.Expected = fmt.Sprintf("row %d, which is written later, is locked after write %d", n, writes)
				}
				lab.Require(t, lock.Type == unix.F_WRLCK, l)
			}
			last = now
		}, l)
		lab.RequireNoError(t, answer.Err, l.Say("%s failed", call))
		lab.Require(t, writes > 0, l.Say("%s wrote nothing", call))
	}
}

// rowsOf returns these rows of the table as the file holds them, or "" for one that it does not have.
func rowsOf(t *testing.T, path string, numbers []int64) (texts []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	lab.RequireSetUp(t, err)
	for _, n := range numbers {
		start := min(int(n)*rows.Size, len(text))
		texts = append(texts, string(text[start:min(start+rows.Size, len(text))]))
	}
	return texts
}

func TestTheTableReportsEveryError(t *testing.T) {
	t.Parallel()
	for call, do := range changes {
		t.Run(call+"/missing", func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "parts.table")
			l := lab.Lesson{
				Says: call + " did not report that there is no table", Did: call + " of a table that does not exist", Read: openModes,
				Means: "a mistyped path becomes a table of its own",
			}
			err := do(path, func() {})
			lab.RequireNoFile(t, path, l.Say("%s created the table", call))
			lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
		})
		t.Run(call+"/damaged", func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "parts.table", three[:70])
			l := lab.Lesson{
				Says: call + " did not report that the table is damaged", Did: call + " of a table that ends within a row", Read: refusals,
				Means: "rows are gone, and no one knows",
			}
			err := do(path, func() {})
			lab.RequireFile(t, path, three[:70], l.Say("%s changed a table that is damaged", call))
			lab.RequireError(t, err, l)
			requireFree(t, path, l.Say("%s kept its lock when it failed", call))
		})
		t.Run(call+"/each call", func(t *testing.T) { t.Parallel(); eachCallFails(t, call, do) })
		if call != "View" {
			t.Run(call+"/write", func(t *testing.T) { t.Parallel(); writeFails(t, call, do) })
		}
	}
	for call, failing := range twoErrors {
		t.Run(call+"/two errors", func(t *testing.T) { t.Parallel(); bothAreReported(t, call, failing.want, failing.do) })
	}
}

// twoErrors are calls that fail although the kernel refuses nothing.
var twoErrors = map[string]struct {
	want error
	do   func(path string) error
}{
	"View": {errTest, func(path string) error { return fcntl.View(path, func([]rows.Row) error { return errTest }) }},
	"Update": {errTest, func(path string) error {
		return fcntl.Update(path, 0, func(row rows.Row) (rows.Row, error) { return row, errTest })
	}},
	"Move": {fcntl.ErrTooFew, func(path string) error { return fcntl.Move(path, 1, 0, 5) }},
}

// bothAreReported has the kernel refuse the last close of a function that fails anyway: the one of its last Unlock.
func bothAreReported(t *testing.T, call string, want error, do func(path string) error) {
	t.Helper()
	path := tableFile(t)
	names, failed := lab.RefuseOne(1<<30, syscall.EIO, func() { _ = do(path) }) // none is refused
	lab.RequireRefuse(t, failed)
	last := len(names) - 1
	if last < 0 || names[last] != "close" {
		t.Skip("the last call that can be refused is not the close of an Unlock")
	}
	var err error
	_, failed = lab.RefuseOne(last, syscall.EIO, func() { err = do(path) })
	lab.RequireRefuse(t, failed)
	for _, one := range []error{want, syscall.EIO} {
		lab.RequireErrorIs(t, err, one, lab.Lesson{
			Says:  call + " returned one error, and there were two",
			Did:   fmt.Sprintf("%s, which fails with %q; its last close(2) failed with EIO", call, want),
			Means: "a lock that was not given back hides why the call has failed, or the other way round",
			Read:  refusals,
		})
	}
}

// eachCallFails has the kernel refuse each open, write and close of a function in turn: those of package rows, and those of the lock.
func eachCallFails(t *testing.T, call string, do func(path string, inside func()) error) {
	t.Helper()
	path := tableFile(t)
	names, failed := lab.RefuseOne(1<<30, syscall.EIO, func() { _ = do(path, func() {}) }) // none is refused
	lab.RequireRefuse(t, failed)
	for made, name := range names {
		if !slices.Contains([]string{"openat", "write", "pwrite64", "close"}, name) {
			continue
		}
		var err error
		path := tableFile(t)
		_, failed := lab.RefuseOne(made, syscall.EIO, func() { err = do(path, func() {}) })
		lab.RequireRefuse(t, failed)
		l := lab.Lesson{
			Says:  call + " did not report what the kernel had refused",
			Did:   fmt.Sprintf("%s made these calls: %s; number %d, %s(2), failed with EIO", call, strings.Join(names, ", "), made+1, name),
			Means: "the program goes on with a table that was not read or written, or with a lock that was not given back",
			Read:  refusals,
		}
		lab.RequireErrorIs(t, err, syscall.EIO, l)
		l.Means = "every other program waits for one that is no longer inside"
		requireFree(t, path, l.Say("%s kept a lock when it failed", call))
	}
}

func writeFails(t *testing.T, call string, do func(path string, inside func()) error) {
	t.Helper()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		path := tableFile(t)
		l := lab.Lesson{
			Says:  call + " did not report what the kernel had refused",
			Did:   call + "; each write of a file failed with " + errno.Error(),
			Means: "the program hands out a part that is still in the table",
			Read:  refusals,
		}
		var err, failed error
		lab.Finishes(t, func() { failed = lab.Refuse("write", errno, func() { err = do(path, func() {}) }) }, l)
		lab.RequireRefuse(t, failed)
		lab.RequireErrorIs(t, err, errno, l)
		lab.RequireFile(t, path, three, l.Say("%s changed the table although it failed", call))
		requireFree(t, path, l.Say("%s kept its lock when it failed", call))
	}, syscall.EIO, syscall.ENOSPC)
}
