package lockedfile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func init() { workers["call"] = call }

// call calls CALL for PATH, and stands at "holding" while it has the file. It sends whether its function was called or it had a file,
// whether the file was open afterwards, and whether the error told the path.
func call(w *lab.Worker) (err error) {
	runtime.LockOSThread()
	path, had := w.Arg(1), false
	use := func(*lockedfile.File) error { had = true; w.Reached("holding"); return nil }
	switch w.Arg(0) {
	case "OpenFile r":
		err = hold(lockedfile.OpenFile(context.Background(), path, os.O_RDONLY, 0))(use)
	case "OpenFile r+":
		err = hold(lockedfile.OpenFile(context.Background(), path, os.O_RDWR, 0))(use)
	case "OpenFile w":
		err = hold(lockedfile.OpenFile(context.Background(), path, os.O_WRONLY|os.O_TRUNC, 0))(use)
	case "TryOpenFile w":
		err = hold(lockedfile.TryOpenFile(path, os.O_WRONLY|os.O_TRUNC, 0))(use)
	case "TryOpenFile r":
		err = hold(lockedfile.TryOpenFile(path, os.O_RDONLY, 0))(use)
	case "With":
		err = lockedfile.With(context.Background(), path, os.O_RDWR, 0, use)
	case "Edit":
		err = lockedfile.Edit(context.Background(), path, func([]byte) ([]byte, error) { return []byte("{}"), use(nil) })
	}
	open, _ := lab.IsOpen(path)
	return errors.Join(err, w.Result([]bool{had, open, !errors.Is(named(err, path), errUnnamed)}))
}

func TestASignalDoesNotEndTheWait(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"OpenFile r+", "OpenFile r", "TryOpenFile w", "Edit"} {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.json", document)
			wrap, _ := lab.Strace(t, "-e", "inject=flock:error=EINTR:when=1..3")
			l := lab.Lesson{
				Says: c + " reported a signal as a failure", Read: refusals,
				Did:   c + "; no other owner had a lock; signals interrupted flock(2) three times (EINTR, injected by strace)",
				Means: "a program that resizes its window, or whose child ends, fails now and then, and no one can repeat it",
			}
			other := start(t, path)
			undisturbed := lab.Start(t, "call", c, path)
			alone := lab.Lesson{Did: c + "; no other owner had a lock", Means: "another program goes in beside it", Read: fix}
			undisturbed.Reached("holding", alone.Say("%s failed although nothing stood in its way", c))
			other.refused("TryOpenFile it r+", alone.Say("%s does not have the lock while its caller works with the file", c))
			undisturbed.Kill()
			p := lab.Launch(t, lab.Options{Wrap: wrap}, "call", c, path)
			p.Reached("holding", l)
			other.refused("TryOpenFile it r+", l.Say("%s went on without a lock after a signal", c))
			p.Continue()
			var state []bool
			p.Result(&state, l)
			lab.RequireNoError(t, p.Wait(l), l)
		})
	}
}

func TestNoneGoesOnWithoutTheLock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call  string
		errno syscall.Errno
		also  error
	}{
		{"OpenFile r+", syscall.ENOLCK, syscall.ENOLCK},
		{"OpenFile r", syscall.ENOSYS, errors.ErrUnsupported},
		{"OpenFile r", syscall.EIO, syscall.EIO},
		{"OpenFile w", syscall.ENOSYS, errors.ErrUnsupported},
		{"TryOpenFile w", syscall.EIO, syscall.EIO},
		{"TryOpenFile r", syscall.ENOLCK, syscall.ENOLCK},
		{"With", syscall.ENOSYS, errors.ErrUnsupported},
		{"Edit", syscall.EIO, syscall.EIO},
		{"OpenFile w", syscall.EACCES, fs.ErrPermission},
	} {
		t.Run(c.call+" "+c.errno.Error(), func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.json", document)
			l := lab.Lesson{
				Says:  c.call + " went on although the kernel had refused the lock",
				Did:   c.call + "; flock(2) failed with " + c.errno.Error() + " (injected by strace)",
				Means: "it reads and writes beside every other program, without a lock", Read: refusals,
			}
			p := lab.Trace(t, lab.Rule{Calls: "flock", Fail: c.errno}, lab.Options{}, "call", c.call, path)
			if p.Settle() == process.AtStep {
				lab.Fail(t, l)
			}
			var state []bool
			p.Result(&state, l)
			err := p.Wait(l)
			lab.RequireError(t, err, l)
			l.Means = "the caller cannot tell a file system without locks from a disk that fails"
			lab.RequireErrorIs(t, err, c.errno, l.Say("%s did not report why it failed", c.call))
			lab.RequireErrorIs(t, err, c.also, l.Say("%s did not report why it failed", c.call))
			l.Means = "the document of another owner is gone"
			lab.RequireFile(t, path, document, l.Say("%s emptied the file although it had no lock", c.call))
			l.Found, l.Means = err.Error(), "the caller waits for an owner who does not exist"
			lab.Require(t, !errors.Is(err, lockedfile.ErrLocked), l.Say("%s reported another owner, and there is none", c.call))
			l.Means = "with each call that fails the program has one descriptor less, until it can open nothing"
			lab.Require(t, !state[1], l.Say("%s left the file open when it failed", c.call))
			l.Means = "of a hundred files, no one knows which one could not be locked"
			l.Expected = "an error in which errors.As finds a *fs.PathError with the path"
			lab.Require(t, state[2], l.Say("%s returned an error that does not tell the path", c.call))
		})
	}
	t.Run("every error for busy", everyErrorForBusy)
	t.Run("a truncate that the kernel refuses", aRefusedTruncate)
	t.Run("a read that the kernel refuses", aRefusedRead)
}

// An owner that gives its lock back by other means than LOCK_UN is not asked.
func TestCloseReportsAnUnlockThatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"OpenFile r+", "With", "Edit"} {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.json", document)
			reporter := c
			if c == "OpenFile r+" {
				reporter = "Close"
			}
			l := lab.Lesson{
				Says:  reporter + " did not report that the kernel had refused to give the lock back",
				Did:   c + "; the second flock(2), LOCK_UN, failed with EIO (injected by strace)",
				Means: "another program may find the file locked, and nothing tells why", Read: refusals,
			}
			p := lab.Trace(t, lab.Rule{Calls: "flock", Fail: syscall.EIO, When: 2}, lab.Options{}, "call", c, path)
			early := l.Say("%s made a second flock(2) before its caller had the file", c)
			early.Did = c + "; its second flock(2) failed with EIO (injected by strace)"
			early.Expected = "one flock(2), which takes the lock for as long as the caller works with the file"
			early.Means = "what it takes and gives back before is no protection: another owner can come in between"
			p.Reached("holding", early)
			p.Continue()
			var state []bool
			p.Result(&state, l)
			err := p.Wait(l)
			for _, call := range p.Injected() {
				if strings.Contains(call.Args, "LOCK_UN") {
					lab.RequireErrorIs(t, err, syscall.EIO, l)
				}
			}
			l.Means = "with each such Close the program has one descriptor less, and the file stays locked"
			lab.Require(t, !state[1], l.Say("Close left the file open when the kernel refused to give the lock back"))
		})
	}
}

// A file on a server may be busy with another error number than one on a disk.
func everyErrorForBusy(t *testing.T) {
	t.Parallel()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		path := lab.WriteFile(t, "checkouts.json", document)
		l := lab.Lesson{
			Says: "TryOpenFile did not report another owner", Did: "TryOpenFile; flock(2) with LOCK_NB failed with " + errno.Error(),
			Means: "the program reports a broken disk where it has only to wait", Read: refusals,
		}
		var err error
		lab.RequireRefuse(t, lab.Refuse("flock", errno, func() { _, err = lockedfile.TryOpenFile(path, os.O_RDWR|os.O_TRUNC, 0) }))
		requireLocked(t, err, l)
		requireNamed(t, named(err, path), "TryOpenFile", l)
		lab.RequireFile(t, path, document, l.Say("TryOpenFile emptied the file although another owner had it"))
	}, syscall.EAGAIN, syscall.EACCES)
}

func aRefusedTruncate(t *testing.T) {
	t.Parallel()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		path := lab.WriteFile(t, "checkouts.json", document)
		for name, open := range map[string]func() (*lockedfile.File, error){
			"OpenFile": func() (*lockedfile.File, error) {
				return lockedfile.OpenFile(context.Background(), path, os.O_RDWR|os.O_TRUNC, 0)
			},
			"TryOpenFile": func() (*lockedfile.File, error) { return lockedfile.TryOpenFile(path, os.O_RDWR|os.O_TRUNC, 0) },
		} {
			l := lab.Lesson{
				Says: name + " did not report the refused truncate",
				Did:  name + " with O_TRUNC; each truncate failed with " + errno.Error(), Read: refusals,
				Means: "the caller believes that the file is empty: a tail of the old document may be left behind the new one",
			}
			var refused error
			lab.RequireRefuse(t, lab.Refuse("truncate", errno, func() { _, refused = open() }))
			lab.RequireErrorIs(t, refused, errno, l)
			lab.RequireFile(t, path, document, l.Say("%s changed the file although it failed", name))
			again, err := lockedfile.TryOpenFile(path, os.O_RDWR, 0)
			l.Means = "the caller has no File to close: the file stays locked until the program ends"
			lab.RequireNoError(t, err, l.Say("%s kept its lock when it failed", name))
			lab.RequireNoError(t, again.Close(), l)
			open, err := lab.IsOpen(path)
			lab.RequireSetUp(t, err)
			l.Means = "with each call that fails the program has one descriptor less, until it can open nothing"
			lab.Require(t, !open, l.Say("%s left the file open when it failed", name))
			requireNamed(t, named(refused, path), name, l)
		}
	}, syscall.EIO, syscall.EPERM)
}

// The second read is the one with which Edit finds the end of the file, if it reads in this way.
func aRefusedRead(t *testing.T) {
	t.Parallel()
	for _, nth := range []int{1, 2} {
		t.Run(fmt.Sprint("number ", nth), func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.json", document)
			l := lab.Lesson{
				Says: "Edit called change although it could not read the file", Read: editing,
				Did:   fmt.Sprintf("Edit; its read number %d of the file failed with EIO (injected by strace)", nth),
				Means: "change gets a part of the document, and the rest of it is cut off",
			}
			p := lab.Trace(t, lab.Rule{Calls: "read,pread64,readv,preadv", Paths: []string{path}, Fail: syscall.EIO, When: nth},
				lab.Options{}, "call", "Edit", path)
			called := p.Settle() == process.AtStep
			if called {
				p.Reached("holding", l)
				p.Continue()
			}
			var state []bool
			p.Result(&state, l)
			err := p.Wait(l)
			if len(p.Injected()) == 0 {
				return // it has read all at once
			}
			lab.Require(t, !called, l)
			lab.RequireErrorIs(t, err, syscall.EIO, l.Say("Edit did not report that it could not read the file"))
			lab.RequireFile(t, path, document, l)
		})
	}
}
