package contention_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example/turnstile/exercises/11_locked_file/filelock"
	contention "example/turnstile/exercises/12_contention"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func init() {
	workers["strained"] = strained
	workers["without locks"] = withoutLocks
	workers["refusing"] = refusing
	workers["ending"] = ending
}

// strained calls Lock for PATH, and lives on.
func strained(w *lab.Worker) error {
	held, err := contention.Lock(context.Background(), w.Arg(0))
	if err == nil && held == nil {
		err = errNothing
	}
	if err := w.Result(lab.Returned{Err: err}); err != nil {
		return err
	}
	w.Reached("done")
	return nil
}

// withoutLocks calls Lock or RLock for PATH, in a process to which the kernel refuses locks with ERRNO.
func withoutLocks(w *lab.Worker) error {
	refused := lab.RefuseAll("flock", syscall.Errno(w.Int(2)))
	if err := w.Result(lab.Returned{Err: refused}); err != nil || refused != nil {
		return err
	}
	calls := map[string]*call{}
	return w.Result(lab.Returned{Err: obey([]string{w.Arg(1), "it"}, w.Arg(0), calls)})
}

// refusing obeys
//
//	Lock PATH MADE ERRNO, RLock …    the call that comes after MADE others is refused with ERRNO; Text names all. MADE -1 means each close
//	                                 of the turnstile; N is how many were refused
//	Lock PATH MADE ERRNO late, …     with a context that ends when it waits
//
// and gives back what it gets.
func refusing(w *lab.Worker) error {
	return lab.Obey(w, func(words []string) (r lab.Reply) {
		made, err := strconv.Atoi(words[2])
		errno, wrong := strconv.Atoi(words[3])
		if r.Returned.Err = errors.Join(err, wrong); r.Returned.Err != nil {
			return r
		}
		ctx := context.Background()
		if len(words) > 4 {
			late, stop := context.WithTimeout(ctx, time.Second) // for one that does not wait in the kernel
			defer stop()
			ctx = late
			go whenItWaits(ctx, stop)
		}
		var held *contention.Held
		var names []string
		err = lab.RefuseWhere(func() { held, r.Returned.Err = locks[words[0]](ctx, words[1]) }, func(name, path string) error {
			names = append(names, name)
			if len(names) == made+1 || (made < 0 && name == "close" && path == words[1]+".next") {
				r.N++
				return syscall.Errno(errno)
			}
			return nil
		})
		switch {
		case err != nil:
			r.Returned.Err = err
		case r.Returned.Err == nil && held == nil:
			r.Returned.Err = errNothing
		case r.Returned.Err == nil:
			_ = held.Unlock()
		}
		r.Text = strings.Join(names, " ")
		return r
	})
}

// whenItWaits calls stop when this process waits for a lock: a waiter has a row with "->" and its process (proc_locks(5)).
func whenItWaits(ctx context.Context, stop func()) {
	waiter := regexp.MustCompile(fmt.Sprintf(`-> FLOCK +ADVISORY +[A-Z]+ +%d `, os.Getpid()))
	for ctx.Err() == nil {
		if locks, err := os.ReadFile("/proc/locks"); err == nil && waiter.Match(locks) {
			stop()
		}
		time.Sleep(time.Millisecond)
	}
}

func TestLockDoesNotGoOnWithoutTheKernel(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "it works without the lock, or out of turn, beside programs that keep to it", Read: turnstile}
	t.Run("for the line", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			number, _ := errors.AsType[syscall.Errno](errno)
			for _, lock := range []string{"Lock", "RLock"} {
				l := l.Say("%s went on although the kernel had refused it a lock", lock)
				l.Did = lock + "; flock(2) failed with " + errno.Error()
				p := lab.Start(t, "without locks", lab.Path(t, "stock.json.lock"), lock, strconv.Itoa(int(number)))
				var refused, r lab.Returned
				p.Result(&refused)
				lab.RequireRefuse(t, refused.Err)
				p.Result(&r, l)
				lab.RequireErrorIs(t, r.Err, errno, l)
			}
		}, syscall.ENOLCK, syscall.ENOSYS, syscall.EIO)
	})
	t.Run("for one of the files", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "stock.json.lock", "")
		for _, file := range append(linesOf(t, path), path) {
			name := filepath.Base(file)
			for errno, number := range map[string]error{"ENOLCK": syscall.ENOLCK, "EOPNOTSUPP": syscall.EOPNOTSUPP} {
				l := l.Say("Lock went on although the kernel had refused it the lock on %s", name)
				l.Did = "Lock; the lock on " + name + " failed with " + errno + " (injected by strace)"
				wrap, log := lab.Strace(t, "-P", file, "-e", "inject=flock,fcntl:error="+errno)
				p := lab.Launch(t, lab.Options{Wrap: wrap}, "strained", path)
				var r lab.Returned
				p.Result(&r, l)
				lab.Require(t, !errors.Is(r.Err, errNothing), l.Say("Lock returned neither a lock nor an error"))
				lab.RequireErrorIs(t, r.Err, number, l)
				text, err := os.ReadFile(log)
				lab.RequireSetUp(t, err)
				calls := bytes.Count(text, []byte("LOCK_EX"))
				again := l.Say("Lock asked again for what the kernel had refused")
				again.Means = "a caller that could do something about it waits, and may wait for ever"
				again.Expected, again.Found = "one call of flock for "+name, fmt.Sprintf("%d calls", calls)
				lab.Require(t, calls == 1, again)
				l.Did += "; then another process called Lock"
				other := start(t, path)
				other.Succeed("Lock it", l.Say("Lock left something locked when it failed"))
				other.free("it")
			}
		}
	})
	t.Run("for a handle", func(t *testing.T) {
		t.Parallel()
		path, p := several(t, 1)
		p[0].get("Lock it")
		for more := 0; !waitsWith(t, start(t, path), more); more++ {
		}
	})
}

// waitsWith reports whether a Lock waits in the kernel, for a lock that another process has, when its process may have no more handles than
// it has and some more. It demands that the Lock reports EMFILE otherwise, be it for a file or for the wait.
func waitsWith(t *testing.T, p program, more int) bool {
	t.Helper()
	l := lab.Lesson{
		Says:     "Lock did not report that the process may open no more files",
		Did:      "another process had the lock; Lock, in a process that had no handle left for one of the files, or to wait with",
		Expected: "an error that matches EMFILE", Found: "Lock has neither returned nor waited in the kernel",
		Means: "the caller waits, or is told to give it more time, and more time does not help", Read: turnstile,
	}
	before := p.Handles()
	lab.RequireNoError(t, p.tell(fmt.Sprintf("few it %d", before+more), l), l)
	lab.RequireNoError(t, p.tell("start Lock it", l), l)
	for began, limit := time.Now(), process.Patience(); time.Since(began) < limit; {
		if p.Settle() == process.Blocked {
			lab.RequireNoError(t, p.tell("cancel it", l), l)
			lab.RequireErrorIs(t, p.ends("it", l), context.Canceled, l)
			return true
		}
		if p.Tell("over it", l).N == 1 {
			l.Found = ""
			lab.RequireErrorIs(t, p.tell("end it", l), syscall.EMFILE, l)
			requireHandles(t, before, p.Handles(), l.Say("Lock left a file open when it failed"))
			return false
		}
	}
	lab.Fail(t, l)
	return false
}

func TestLockRemovesNothing(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Says: "Lock or Unlock removed or renamed a file of the line", Did: "Lock and Unlock", Read: turnstile}
	path := lab.Path(t, "stock.json.lock")
	requireNoRemoval(t, removedBy(t, path, func() { lockAndUnlock(t, path, l) }), l)

	l = l.Say("Lock removed or renamed a file of the line when it failed")
	l.Did = "a directory was in the place of a file of the line; Lock"
	for _, file := range linesOf(t, path) {
		lab.RequireSetUp(t, errors.Join(os.Remove(path), os.Remove(file), os.Mkdir(file, 0o700)))
		removed := removedBy(t, path, func() { lab.Finishes(t, func() { _, _ = contention.Lock(t.Context(), path) }, l) })
		requireNoRemoval(t, removed, l)
		lab.RequireSetUp(t, errors.Join(os.Remove(file), os.WriteFile(path, nil, 0o600)))
	}

	l.Did = "an owner had the lock, and there was no file of the line yet; Lock, whose context ended while it waited"
	path = lab.WriteFile(t, "stock.json.lock", "")
	defer lockedByOther(t, path)()
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	var err error
	removed := removedBy(t, path, func() { lab.Finishes(t, func() { _, err = contention.Lock(ctx, path) }, l) })
	lab.RequireErrorIs(t, err, context.DeadlineExceeded, l.Say("Lock did not report that its context has ended"))
	requireNoRemoval(t, removed, l)
}

// removedBy returns which of the lock file and its turnstile have lost their names, for a moment or for ever, while call ran.
func removedBy(t *testing.T, path string, call func()) (names []string) {
	t.Helper()
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	lab.RequireSetUp(t, err)
	defer func() { _ = unix.Close(watch) }()
	_, err = unix.InotifyAddWatch(watch, filepath.Dir(path), unix.IN_DELETE|unix.IN_MOVED_FROM)
	lab.RequireSetUp(t, err)
	call()
	events := make([]byte, 1<<16)
	n, err := unix.Read(watch, events)
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	lab.RequireSetUp(t, err)
	for _, name := range []string{filepath.Base(path), filepath.Base(path) + ".next"} {
		if bytes.Contains(events[:n], []byte("\x00"+name+"\x00")) {
			names = append(names, name)
		}
	}
	return names
}

func requireNoRemoval(t *testing.T, removed []string, l lab.Lesson) {
	t.Helper()
	l.Expected, l.Found = "both files stay", strings.Join(removed, " and ")+" lost its name, for a moment or for ever"
	l.Means = "another program may have opened the file meanwhile: it waits for one that no one else finds"
	lab.Require(t, len(removed) == 0, l)
}

func TestUnlockReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	requireGivenBack(t)
	for call, what := range map[string]string{"close": "close the file", "unlock": "give the lock back"} {
		t.Run(call, func(t *testing.T) {
			lab.EachErrno(t, func(t *testing.T, errno error) {
				l := lab.Lesson{
					Says: "Unlock did not report that the kernel could not " + what, Did: "Lock; Unlock; each " + call + " failed with " + errno.Error(),
					Means: "what the kernel could not do is never known", Read: turnstile,
				}
				path := lab.Path(t, "stock.json.lock")
				held, err := contention.Lock(t.Context(), path)
				lab.RequireNoError(t, err, l)
				lab.RequireNotNil(t, held, "Lock", l)
				refused := lab.Refuse(call, errno, func() { err = held.Unlock() })
				if errors.Is(refused, errors.ErrUnsupported) {
					lab.RequireNoError(t, held.Unlock(), l.Say("Unlock failed"))
				}
				lab.RequireRefuse(t, refused)
				lab.RequireErrorIs(t, err, errno, l)
				if call == "unlock" {
					l := l.Say("Unlock did not close the file when the kernel could not give the lock back")
					l.Expected, l.Found = "the lock ends with the file", "the file is locked, although Unlock has returned "+err.Error()
					l.Means = "no one else gets the lock until the program ends"
					lab.Require(t, becomesFree(path), l)
				}
				requireClosed(t, held.Unlock(), l.Say("Unlock did not report that there was nothing to unlock"))
			}, syscall.EIO, syscall.EACCES)
		})
	}
}

// requireGivenBack demands that a lock ends with its Unlock. Between fork and exec a child has a duplicate of each open file, so a lock
// that is only closed lasts until then; here the test has the duplicate.
func requireGivenBack(t *testing.T) {
	t.Helper()
	path := lab.Path(t, "stock.json.lock")
	l := lab.Lesson{
		Says: "Unlock did not give the lock back", Did: "Lock; a duplicate of the open file was made, as for a child; Unlock",
		Expected: "another owner can lock the file", Found: "it is locked: a close alone ends the lock when the last duplicate is closed",
		Means: "now and then the next one does not get the lock, as long as a program is being started", Read: fix,
	}
	held, err := contention.Lock(t.Context(), path)
	lab.RequireNoError(t, err, l.Say("Lock failed"))
	lab.RequireNotNil(t, held, "Lock", l)
	info, err := os.Stat(path)
	lab.RequireSetUp(t, err)
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	lab.RequireSetUp(t, err)
	for _, name := range descriptors {
		number, err := strconv.Atoi(filepath.Base(name))
		if open, wrong := os.Stat(name); err != nil || wrong != nil || !os.SameFile(open, info) {
			continue
		}
		duplicate, err := unix.FcntlInt(uintptr(number), unix.F_DUPFD_CLOEXEC, 0)
		lab.RequireSetUp(t, err)
		defer func() { _ = unix.Close(duplicate) }()
	}
	lab.RequireNoError(t, held.Unlock(), l.Say("Unlock failed"))
	lab.Require(t, isFree(path), l)
}

const unclosed = "all others wait until this program ends: a close that fails does not end the lock, as an Unlock before it does"

// What the kernel may refuse to a Lock, and what becomes of it if the caller does not know.
var refusable = map[string]struct{ what, means string }{
	"openat":     {"open a file", "it has done without a file, or has tried again, and might have to do so for ever"},
	"linkat":     {"create a file", "it has done without a file, or has tried again, and might have to do so for ever"},
	"fstat":      {"examine a file", "it has guessed something of it, or has used a call that drops errors, as os.OpenRoot does"},
	"newfstatat": {"examine a file", "it has guessed the file's mode, or the place of its line, or has asked again for another answer"},
	"fchmod":     {"set the mode of a file", "others who may lock the file may never stand in line for it"},
	"fchmodat":   {"set the mode of a file", "others who may lock the file may never stand in line for it"},
	"umask":      {"change the process's umask", "for that moment, all its goroutines create files that others may read or write"},
	"close":      {"close a file", "what it was may stay locked for all others, and the one who could know is not told"},
}

// Each system call of a Lock is refused once: the next one, such as that of a second try, is not.
func TestLockReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	all := []syscall.Errno{syscall.EIO, syscall.EPERM, syscall.EMFILE, syscall.ENAMETOOLONG}
	for name, c := range map[string]struct {
		mode   fs.FileMode
		late   bool // another owner has the lock until the context ends
		errnos []syscall.Errno
	}{
		"Lock":                                {0, false, all},
		"Lock of a file for all":              {0o666, false, all},
		"RLock of a file for all":             {0o666, false, all},
		"Lock of a file that another one has": {0o600, true, all[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lock := strings.Fields(name)[0]
			p, other := program{lab.StartProgram(t, lab.Options{}, stuck, "refusing"), t}, start(t, "")
			for _, errno := range c.errnos {
				for made := 0; ; made++ {
					path := lab.Path(t, "stock.json.lock")
					if c.mode != 0 {
						lab.RequireSetUp(t, errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, c.mode)))
					}
					if !oneRefused(t, p, other, lock, path, made, errno, c.late) {
						break
					}
				}
			}
			if c.late {
				requireTurnstileReported(t, p, lock)
			}
		})
	}
	for name, lock := range locks {
		t.Run("each close of a "+name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "stock.json.lock", "")
			l := lab.Lesson{
				Says: name + " did not report that the kernel could not close a file", Did: name + "; each close failed with EIO",
				Means: refusable["close"].means, Read: turnstile,
			}
			var err error
			lab.RequireRefuse(t, lab.Refuse("close", syscall.EIO, func() { _, err = lock(t.Context(), path) }))
			lab.RequireErrorIs(t, err, syscall.EIO, l)
			l.Means = unclosed
			lab.Require(t, becomesFree(path) && becomesFree(path+".next"), l.Say("%s left something locked when it failed", name))
		})
	}
}

// A context may end between any two system calls.
func TestNothingIsLeftWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	requireNoPolling(t)
	for _, name := range []string{"Lock", "RLock", "Transfer"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, other := program{lab.StartProgram(t, lab.Options{}, stuck, "ending"), t}, start(t, "")
			for made, over := 0, false; !over; made++ {
				path := shelves(t, 2)
				l := lab.Lesson{
					Says: name + " left something locked when its context ended", Read: giveUp,
					Did:   fmt.Sprintf("%s; before its system call number %d the context ended; then another process called Lock", name, made+1),
					Means: "the caller has an error, and no lock to give back: all others wait until this program ends",
				}
				before := p.Handles()
				r := p.Tell(fmt.Sprintf("%s %s %s %d", name, path[0], path[1], made), l)
				if errors.Is(r.Returned.Err, errors.ErrUnsupported) {
					t.Skip(r.Returned.Err)
				}
				over = r.N <= made // and the context has not ended
				if r.Returned.Err != nil {
					lab.RequireErrorIs(t, r.Returned.Err, context.Canceled, l.Say("%s did not report that its context has ended", name))
				}
				for _, path := range path {
					lab.RequireNoError(t, other.tell("start Lock it "+path+".lock", l), l)
					other.endsWell("it", l)
					other.free("it")
				}
				requireHandles(t, before, p.handlesBecome(before), l.Say("%s left a file open when its context ended", name))
			}
		})
	}
}

// ending obeys
//
//	Lock A B MADE, RLock …, Transfer …    of the shelf A, or from A to B; its context ends before the call that comes after MADE others
//
// and gives back what it gets. N is the number of all calls.
func ending(w *lab.Worker) error {
	return lab.Obey(w, func(words []string) (r lab.Reply) {
		made, err := strconv.Atoi(words[3])
		ctx, stop := context.WithCancelCause(context.Background())
		defer stop(nil)
		err = errors.Join(err, lab.Watch(func() {
			if words[0] == "Transfer" {
				r.Returned.Err = contention.Transfer(ctx, words[1], words[2], takeOne)
				return
			}
			held, wrong := locks[words[0]](ctx, words[1]+".lock")
			if r.Returned.Err = wrong; wrong == nil && held != nil {
				_ = held.Unlock()
			}
		}, func(string) {
			if r.N == made {
				stop(errCause)
			}
			r.N++
		}))
		if err != nil {
			r.Returned.Err = err
		}
		return r
	})
}

// oneRefused demands what holds when the kernel has refused a Lock the call that comes after made others. It returns false if there are no
// more of them.
func oneRefused(t *testing.T, p, other program, lock, path string, made int, errno syscall.Errno, late bool) bool {
	t.Helper()
	l := lab.Lesson{Says: lock + " failed", Did: lock, Read: turnstile}
	before, widest := p.Handles(), fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		widest = info.Mode()
	}
	order := fmt.Sprintf("%s %s %d %d", lock, path, made, errno)
	release := func() {}
	if late {
		l.Did += ", whose context ended while another owner had the lock"
		order += " late"
		release = lockedByOther(t, path)
	}
	var r lab.Reply
	removed := removedBy(t, path, func() { r = p.Tell(order, l) })
	release()
	if errors.Is(r.Returned.Err, errors.ErrUnsupported) {
		t.Skip(r.Returned.Err)
	}
	calls := strings.Fields(r.Text)
	if made >= len(calls) {
		if !late {
			lab.RequireNoError(t, r.Returned.Err, l)
		}
		return false
	}
	l.Did = fmt.Sprintf("%s; its system call number %d was %s, and failed with %v", l.Did, made+1, calls[made], errno)
	for _, file := range []string{path, path + ".next"} {
		l := l.Say("Lock created %s for more users than it is for", filepath.Base(file))
		info, err := os.Stat(file)
		l.Expected, l.Found = "at no moment more than "+widest.String(), "the file, as the failure has left it"
		if err == nil {
			l.Found = info.Mode().String()
		}
		l.Means = "every user who opens the file in that moment can keep all others out for ever"
		lab.Require(t, err != nil || info.Mode()&^widest == 0, l)
	}
	if c, ok := refusable[calls[made]]; ok {
		l.Means = c.means
		if r.Returned.Err != nil && strings.Contains(r.Returned.Err.Error(), errno.Error()) {
			l.Means = unmatched
		}
		lab.RequireErrorIs(t, r.Returned.Err, errno, l.Say("%s did not report why the kernel could not %s", lock, c.what))
	}
	requireNoRemoval(t, removed, l.Say("%s removed or renamed a file of the line when it failed", lock))
	l.Means = "all others wait until this program ends"
	if calls[made] == "close" {
		l.Means = unclosed
	}
	l.Did += "; then another process called Lock"
	left := l.Say("%s left something locked when it failed", lock)
	if late { // the wait that was left may have the lock for a moment
		lab.RequireNoError(t, other.tell("start Lock it "+path, left), left)
		other.endsWell("it", left)
	} else {
		other.Succeed("Lock it "+path, left)
	}
	other.free("it")
	if calls[made] != "close" && !late { // the kernel did not close a file; or the wait that was left still has one open
		requireHandles(t, before, p.Handles(), l.Say("%s left a file open when it failed", lock))
	}
	return true
}

// requireTurnstileReported is about a call that has two errors: its context ended while it waited, and the turnstile could not be closed.
func requireTurnstileReported(t *testing.T, p program, lock string) {
	t.Helper()
	path := lab.WriteFile(t, "stock.json.lock", "")
	release := lockedByOther(t, path)
	defer release()
	l := lab.Lesson{
		Says: lock + " did not report why the kernel could not close a file", Means: unclosed, Read: turnstile,
		Did: lock + ", whose context ended while another owner had the lock; each close of the turnstile failed with EIO",
	}
	if r := p.Tell(fmt.Sprintf("%s %s -1 %d late", lock, path, syscall.EIO), l); r.N > 0 { // or it closes it in another thread
		lab.RequireErrorIs(t, r.Returned.Err, syscall.EIO, l)
	}
}

// lockedByOther locks the file, for an owner that keeps the lock until release.
func lockedByOther(t *testing.T, path string) (release func()) {
	t.Helper()
	owner, err := os.OpenFile(path, os.O_RDWR, 0)
	lab.RequireSetUp(t, err)
	handle, err := filelock.New(owner)
	lab.RequireSetUp(t, err)
	lab.RequireSetUp(t, handle.TryLock(filelock.Exclusive))
	return func() { _ = errors.Join(handle.Unlock(), owner.Close()) }
}
