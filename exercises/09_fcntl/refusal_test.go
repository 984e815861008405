//go:build linux

package fcntl_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	fcntl "example/turnstile/exercises/09_fcntl"
	"example/turnstile/exercises/09_fcntl/rows"
	"example/turnstile/internal/lab"
)

func init() { workers["interrupted"], workers["steps"] = interrupted, steps }

// refused obeys the order in words while the kernel refuses every open file description lock with the error number.
func (d *desk) refused(errno string, words []string) (r lab.Reply) {
	number := map[string]syscall.Errno{
		"ENOLCK": syscall.ENOLCK, "ENOSYS": syscall.ENOSYS, "EOPNOTSUPP": syscall.EOPNOTSUPP, "EIO": syscall.EIO, "EINVAL": syscall.EINVAL,
		"EAGAIN": syscall.EAGAIN, "EACCES": syscall.EACCES,
	}[errno]
	if err := lab.Refuse(ofd, number, func() { r = d.do(words) }); err != nil {
		r.Returned.Err, r.N = err, cannotRefuse
	}
	return r
}

const (
	ofd          = "open file description lock"
	cannotRefuse = -1
)

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
}

func TestARefusedLockIsNotALock(t *testing.T) {
	t.Parallel()
	p := start(t, tableFile(t))
	before := p.Handles()
	for _, call := range append(calls, "Locked") {
		order := call + " it 0 1"
		if call == "Locked" {
			order = "Locked 0 1"
		}
		for _, reason := range reasons {
			l := lab.Lesson{
				Says: call + " returned no error although the kernel had refused the lock", Read: refusals,
				Did:   call + "; no other owner had a lock; fcntl(2) failed with " + reason.name,
				Means: "the program goes on without a lock, or with one of another kind, which ends when any handle of the file is closed",
			}
			r := p.Ask("refused "+reason.name+" "+order, l)
			if r.N == cannotRefuse {
				t.Skip(r.Returned.Err)
			}
			err := r.Returned.Err
			lab.RequireError(t, err, l)
			l.Means = "the program waits for another owner, who does not exist, and never says what is wrong"
			l.Expected, l.Found = "an error that does not match ErrLocked", err.Error()
			lab.Require(t, !errors.Is(err, fcntl.ErrLocked), says(l, "%s reported another owner, and there is none", call))
			l.Expected, l.Found, l.Means = "", "", "no one can tell what to do about it"
			lab.RequireErrorIs(t, err, reason.errno, says(l, "%s did not report why it failed", call))
			unsupported := reason.errno.Is(errors.ErrUnsupported)
			l.Expected = fmt.Sprintf("errors.Is(err, errors.ErrUnsupported) is %t", unsupported)
			l.Found = fmt.Sprintf("it is %t, for %q", !unsupported, err)
			l.Means = "the caller takes a lock that failed for one that does not exist here, or the other way round"
			l.Says = call + " did not match errors.ErrUnsupported as its reason does"
			lab.Require(t, errors.Is(err, errors.ErrUnsupported) == unsupported, l)
			l.Expected, l.Found = "", ""
			requireHandles(t, p, before, says(l, "%s left the file open when it failed", call))
			l.Means = "the others wait for an owner that does not know of its lock"
			p.Succeed("TryLock it 0 -1", says(l, "%s failed and kept a lock", call))
			p.Succeed("Unlock it", says(l, "Unlock failed"))
		}
	}
	for _, call := range []string{"TryLock", "TryRLock"} {
		for _, errno := range []string{"EAGAIN", "EACCES"} {
			l := lab.Lesson{
				Says:  call + " did not recognize another owner",
				Did:   call + "; fcntl(2) failed with " + errno + ", which POSIX allows where another owner is in the way",
				Means: "a row that is in use for a moment is reported as a failure", Read: refusals,
			}
			p.refused("refused "+errno+" "+call+" it 0 1", l)
		}
	}
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
			start(t, path).refused(second+" it 0 1", says(l, "%s went on without a lock after a signal", call))
			p.Continue()
			lab.RequireNoError(t, p.Wait(l), l)
		})
	}
}

// The process stands still after each fcntl(2) on the table: if Locked takes a lock to find out, another owner meets it there.
func TestLockedTakesNoLock(t *testing.T) {
	t.Parallel()
	path := tableFile(t)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	lab.RequireSetUp(t, err)
	defer file.Close()
	l := lab.Lesson{
		Says: "Locked kept another program out while it asked", Read: asking,
		Did:   "Locked of row 0, which was free; after each fcntl(2) of it another program asked whether it could lock the row",
		Means: "a program that only asks makes the others believe that a row is taken",
	}
	s := lab.Step(t, "fcntl", filepath.Dir(path), "steps", path)
	var answer lab.Returned
	s.Call("Locked 0 1", &answer, func(stop lab.Stop) {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Len: rows.Size}
		lab.RequireSetUp(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock))
		l.Expected, l.Found = "no lock", "a lock, after "+stop.Call.Short(filepath.Dir(path))
		lab.Require(t, lock.Type == unix.F_UNLCK, l)
	}, l)
	lab.RequireNoError(t, answer.Err, says(l, "Locked failed"))
}

// steps obeys orders about the table at PATH, and is stopped at its calls.
func steps(w *lab.Worker) error {
	d := newDesk(w.Arg(0))
	return lab.Steps(w, func(order string) any {
		if change, ok := changes[order]; ok {
			return lab.Returned{Err: change(d.path, func() {})}
		}
		return d.do(strings.Fields(order)).Returned
	})
}

func TestUnlockReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"close", ofd} {
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := tableFile(t)
			l := lab.Lesson{
				Says:  "Unlock did not report what the kernel had refused",
				Did:   "Lock; Unlock; each " + what + " failed with " + errno.Error(),
				Means: "what the kernel could not do is never known", Read: refusals,
			}
			held, err := fcntl.Lock(path, fcntl.Rows{First: 0, Count: 1})
			lab.RequireNoError(t, err, l)
			var failed error
			lab.Finishes(t, func() {
				failed = lab.Refuse(what, errno, func() { err = held.Unlock() })
			}, says(l, "Unlock does not return when the kernel refuses"))
			lab.RequireRefuse(t, failed)
			lab.RequireErrorIs(t, err, errno, l)
			requireClosed(t, held.Unlock(), says(l, "Unlock did not report that there was nothing to unlock"))
			if what == ofd { // a child of another test may have a copy of the descriptor, and the lock, until its exec: so look for the file
				open, err := lab.IsOpen(path)
				lab.RequireSetUp(t, err)
				l := says(l, "Unlock left the file open, and its lock, when it failed")
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
	for call, do := range changes {
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := tableFile(t)
			l := lab.Lesson{
				Says:  call + " went on although the kernel had refused the lock",
				Did:   call + "; fcntl(2) failed with " + errno.Error(),
				Read:  refusals,
				Means: "it reads and writes beside every other program, without a lock",
			}
			ran := false
			var err, failed error
			lab.Finishes(t, func() {
				failed = lab.Refuse(ofd, errno, func() { err = do(path, func() { ran = true }) })
			}, says(l, "%s does not return when the kernel refuses the lock", call))
			lab.RequireRefuse(t, failed)
			l.Expected, l.Found = "it does not call the caller's function", "it called it"
			lab.Require(t, !ran, l)
			l.Expected, l.Found = "", ""
			lab.RequireFile(t, path, three, l)
			lab.RequireError(t, err, says(l, "%s returned no error although the kernel had refused the lock", call))
			l.Means = "no one can tell what to do about it"
			lab.RequireErrorIs(t, err, errno, says(l, "%s did not report why the kernel had refused the lock", call))
		}, syscall.ENOLCK, syscall.ENOSYS, syscall.EIO)
	}
}

// The process stands still after each of its writes.
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
			Did:   call + "; after each write another program asked whether it could lock the rows",
			Read:  why,
			Means: "another program reads, between this one's read and its write, what is about to be replaced",
		}
		writes := 0
		var answer lab.Returned
		s.Call(call, &answer, func(lab.Stop) {
			for _, n := range written {
				lock := unix.Flock_t{Type: unix.F_RDLCK, Start: n * rows.Size, Len: rows.Size}
				lab.RequireSetUp(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock))
				lab.Require(t, lock.Type == unix.F_WRLCK, l)
			}
			writes++
		}, l)
		lab.RequireNoError(t, answer.Err, says(l, "%s failed", call))
		lab.Require(t, writes > 0, says(l, "%s wrote nothing", call))
	}
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
			lab.RequireNoFile(t, path, says(l, "%s created the table", call))
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
			lab.RequireFile(t, path, three[:70], says(l, "%s changed a table that is damaged", call))
			lab.RequireError(t, err, l)
			requireFree(t, path, says(l, "%s kept its lock when it failed", call))
		})
		t.Run(call+"/each call", func(t *testing.T) { t.Parallel(); eachCallFails(t, call, do) })
		if call != "View" {
			t.Run(call+"/write", func(t *testing.T) { t.Parallel(); writeFails(t, call, do) })
		}
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
		lab.RequireErrorIs(t, err, syscall.EIO, lab.Lesson{
			Says:  call + " did not report what the kernel had refused",
			Did:   fmt.Sprintf("%s made these calls: %s; number %d, %s(2), failed with EIO", call, strings.Join(names, ", "), made+1, name),
			Means: "the program goes on with a table that was not read or written, or with a lock that was not given back",
			Read:  refusals,
		})
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
		lab.RequireFile(t, path, three, says(l, "%s changed the table although it failed", call))
		requireFree(t, path, says(l, "%s kept its lock when it failed", call))
	}, syscall.EIO, syscall.ENOSPC)
}
