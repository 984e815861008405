package flock_test

import (
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"

	flock "example/turnstile/exercises/08_flock"
	"example/turnstile/exercises/08_flock/bins"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func init() {
	workers["interrupted"] = interrupted
	workers["update"] = update
}

// interrupted calls CALL for PATH, with what must come before it, and sends whether it has a lock then. It does so in one thread, because
// strace counts a thread's calls.
func interrupted(w *lab.Worker) error {
	runtime.LockOSThread()
	d := &desk{path: w.Arg(0), held: map[string]*flock.Held{}}
	if strings.Contains(w.Arg(1), "Upgrade") {
		if err := d.call(d.path, "RLock", "it"); err != nil {
			return err
		}
	}
	if err := d.call(d.path, w.Arg(1), "it"); err != nil {
		return err
	}
	w.Reached("holding")
	return nil
}

func TestASignalDoesNotEndTheWait(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Lock", "RLock", "TryLock", "TryRLock", "Upgrade", "TryUpgrade"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "stock.json.lock")
			when := "1..3"
			if strings.Contains(call, "Upgrade") {
				when = "2..4"
			}
			wrap, _ := lab.Strace(t, "-e", "inject=flock:error=EINTR:when="+when)
			l := lab.Lesson{
				Says: call + " reported a signal as a failure", Read: refusals,
				Did:   call + "; no other owner had a lock; signals interrupted flock(2) three times (EINTR, injected by strace)",
				Means: "a program that resizes its window, or whose child ends, fails now and then, and no one can repeat it",
			}
			p := lab.Launch(t, lab.Options{Wrap: wrap}, "interrupted", path, call)
			p.Reached("holding", l)
			second := "TryLock"
			if call == "Lock" || call == "Upgrade" {
				second = "TryRLock"
			}
			start(t, path).refused(second+" it", says(l, "%s went on without a lock after a signal", call))
			p.Continue()
			lab.RequireNoError(t, p.Wait(l), l)
		})
	}
}

// Each call of flock(2) returns late: if one gives the lock up, the next in line has it before the program can ask for it again.
func TestUpgradeOfAnExclusiveLockLetsNoOtherIn(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "stock.json.lock")
	wrap, _ := lab.Strace(t, "-e", "inject=flock:delay_exit=300000")
	a, b := launch(t, lab.Options{Wrap: wrap}, path), start(t, path)
	l := lab.Lesson{
		Says: "Upgrade of an exclusive lock gave it to another process that waited for it", Read: conversion,
		Did:   "Lock; another process waited in Lock; Upgrade (each flock(2) of the first process returned 0.3 s late)",
		Means: "what was read under the exclusive lock is out of date",
	}
	a.tell("Lock it", says(l, "Lock did not get a lock that was free"))
	b.Send("Lock second")
	b.WaitBlocked(says(l, "Lock does not wait in the kernel"))
	a.Begin("Upgrade it")
	lab.Require(t, b.Settle() != process.AtStep, l)
	lab.RequireNoError(t, a.end(l).Returned.Err, l)
}

func TestUnlockReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		l := lab.Lesson{
			Says: "Unlock did not report that the kernel could not close the file", Did: "Lock; Unlock; each close failed with " + errno.Error(),
			Means: "what the kernel could not do is never known", Read: refusals,
		}
		held, err := flock.Lock(lab.Path(t, "stock.json.lock"))
		lab.RequireNoError(t, err, l)
		requireRefuse(t, lab.Refuse("close", errno, func() { err = held.Unlock() }))
		lab.RequireErrorIs(t, err, errno, l)
		requireClosed(t, held.Unlock(), says(l, "Unlock did not report that there was nothing to unlock"))
	}, syscall.EIO, syscall.ENOSPC)
}

func requireRefuse(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	requireTool(t, err)
}

// update takes a bracket from the stock at PATH, in one thread, and sends whether the lock file is open then.
func update(w *lab.Worker) error {
	runtime.LockOSThread()
	err := flock.Update(w.Arg(0), takeOne)
	open, _ := lab.IsOpen(w.Arg(0) + ".lock") // a file that does not exist is not open
	return errors.Join(err, w.Result(open))
}

func TestUpdateAndViewDoNotGoOnWithoutTheLock(t *testing.T) {
	t.Parallel()
	const content = `{"bracket":1}`
	lab.EachErrno(t, func(t *testing.T, errno error) {
		for call, do := range calls {
			path := stockFile(t, content)
			l := lab.Lesson{
				Says: call + " went on although the kernel had refused the lock", Did: call + "; flock(2) failed with " + errno.Error(), Read: refusals,
				Means: "it reads and writes beside every other program, without a lock",
			}
			ran := false
			var err error
			var failed error
			lab.Finishes(t, func() {
				failed = lab.Refuse("flock", errno, func() { err = do(path, func() { ran = true }) })
			}, says(l, "%s does not return when the kernel refuses the lock", call))
			requireRefuse(t, failed)
			lab.RequireErrorIs(t, err, errno, l)
			lab.Require(t, !ran, l)
			lab.RequireFile(t, path, content, l)
		}
	}, syscall.ENOLCK, syscall.ENOSYS, syscall.EIO)
	t.Run("at the second of its locks", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := stockFile(t, content)
			l := lab.Lesson{
				Says: "Update went on although the kernel had refused the lock", Read: refusals,
				Did:   "Update; the second call of flock(2) failed with " + errno.Error() + " (injected by strace)",
				Means: "it writes without an exclusive lock, beside every other program",
			}
			p := lab.Trace(t, lab.Rule{Calls: "flock", Fail: errno, When: 2}, lab.Options{}, "update", path)
			var open bool
			p.Result(&open, l)
			err := p.Wait(l)
			hit := p.Injected()
			if len(hit) == 0 {
				return // there is no second lock
			}
			lab.RequireError(t, err, l)
			if !strings.Contains(hit[0].Args, "LOCK_UN") {
				lab.RequireFile(t, path, content, l)
			}
			l.Means = "the handle that stays open may keep the lock, and all others wait"
			lab.Require(t, !open, says(l, "Unlock left the file open when it failed"))
		}, syscall.ENOLCK, syscall.EIO)
	})
}

// calls run View and Update, with a function that is called inside.
var calls = map[string]func(path string, inside func()) error{
	"View": func(path string, inside func()) error {
		return flock.View(path, func(bins.Stock) error { inside(); return nil })
	},
	"Update": func(path string, inside func()) error {
		return flock.Update(path, func(stock bins.Stock) (bool, error) { inside(); return takeOne(stock) })
	},
}

func TestUpdateAndViewReportEveryError(t *testing.T) {
	t.Parallel()
	for call, do := range calls {
		for _, what := range []string{"write", "truncate", "close"} {
			if call == "View" && what != "close" {
				continue // it writes nothing
			}
			t.Run(call+"/"+what, func(t *testing.T) {
				t.Parallel()
				lab.EachErrno(t, func(t *testing.T, errno error) {
					path := stockFile(t, `{"bracket":1,"hinge":4}`)
					l := lab.Lesson{
						Says: call + " did not report what the kernel had refused", Did: call + "; each " + what + " of a file failed with " + errno.Error(),
						Means: "the program hands out a part that is still in the file, or goes on with a lock that was not given back", Read: refusals,
					}
					var err, failed error
					lab.Finishes(t, func() { failed = lab.Refuse(what, errno, func() { err = do(path, func() {}) }) }, l)
					requireRefuse(t, failed)
					lab.RequireErrorIs(t, err, errno, l)
					if what != "close" { // then the file that holds the lock stays open
						start(t, path+".lock").succeed("TryLock it", says(l, "%s kept its lock when it failed", call))
					}
				}, syscall.EIO, syscall.ENOSPC, syscall.EDQUOT)
			})
		}
	}
}
