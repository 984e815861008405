//go:build linux

package fcntl_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	fcntl "example/turnstile/exercises/09_fcntl"
	"example/turnstile/exercises/09_fcntl/rows"
	"example/turnstile/internal/lab"
)

func init() { workers["interrupted"], workers["steps"], workers["lose"] = interrupted, steps, lose }

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

// A reason is what the kernel gives for a refused lock, and what an error must match besides.
type reason struct {
	name  string
	errno error
	also  error
}

var reasons = []reason{
	{"ENOLCK", syscall.ENOLCK, syscall.ENOLCK},
	{"ENOSYS", syscall.ENOSYS, errors.ErrUnsupported},
	{"EOPNOTSUPP", syscall.EOPNOTSUPP, errors.ErrUnsupported},
	{"EIO", syscall.EIO, syscall.EIO},
	{"EINVAL", syscall.EINVAL, syscall.EINVAL}, // Linux before 3.15, which has no such locks
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
			l.Expected, l.Found = "", ""
			for _, target := range []error{reason.errno, reason.also} {
				lab.RequireErrorIs(t, err, target, says(l, "%s did not report why it failed", call))
			}
			lab.RequireEqual(t, before, p.Handles(), says(l, "%s left the file open when it failed", call))
			p.Succeed("TryLock it 0 -1", says(l, "%s failed and kept a lock", call))
			p.Succeed("Unlock it", l)
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
			lab.RequireRefuse(t, lab.Refuse(what, errno, func() { err = held.Unlock() }))
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
			lab.RequireErrorIs(t, err, errno, l)
			lab.Require(t, !ran, l)
			lab.RequireFile(t, path, three, l)
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

// lose makes the change CALL to the table at PATH, and closes its lock's descriptor meanwhile, so that the kernel cannot give the lock back.
func lose(w *lab.Worker) error {
	var failed error
	err := changes[w.Arg(1)](w.Arg(0), func() {
		var found []int
		if found, failed = lab.OpenDescriptors(w.Arg(0)); failed == nil {
			for _, descriptor := range found {
				failed = errors.Join(failed, unix.Close(descriptor))
			}
		}
	})
	if failed != nil {
		return failed
	}
	return w.Result(lab.Returned{Err: err})
}

func TestTheTableReportsEveryError(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"View", "Update"} {
		t.Run(call+"/unlock", func(t *testing.T) {
			t.Parallel()
			l := lab.Lesson{
				Says: call + " did not report that its lock could not be given back", Read: refusals,
				Did: call + "; meanwhile the lock's descriptor was closed (EBADF)", Means: "what the kernel could not do is never known",
			}
			var r lab.Returned
			lab.Start(t, "lose", tableFile(t), call).Result(&r, l)
			lab.RequireErrorIs(t, r.Err, syscall.EBADF, l)
		})
	}
	for call, do := range changes {
		for _, what := range []string{"write", "close"} {
			if call == "View" && what == "write" {
				continue
			}
			t.Run(call+"/"+what, func(t *testing.T) {
				t.Parallel()
				lab.EachErrno(t, func(t *testing.T, errno error) {
					path := tableFile(t)
					l := lab.Lesson{
						Says:  call + " did not report what the kernel had refused",
						Did:   call + "; each " + what + " of a file failed with " + errno.Error(),
						Means: "the program hands out a part that is still in the table, or goes on with a lock that was not given back",
						Read:  refusals,
					}
					var err, failed error
					lab.Finishes(t, func() { failed = lab.Refuse(what, errno, func() { err = do(path, func() {}) }) }, l)
					lab.RequireRefuse(t, failed)
					lab.RequireErrorIs(t, err, errno, l)
					if what == "write" { // otherwise the file that holds the lock stays open
						lab.RequireFile(t, path, three, says(l, "%s changed the table although it failed", call))
						requireFree(t, path, says(l, "%s kept its lock when it failed", call))
					}
				}, syscall.EIO, syscall.ENOSPC)
			})
		}
	}
}
