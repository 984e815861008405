package flock_test

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	flock "example/turnstile/exercises/08_flock"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func init() {
	workers["interrupted"] = interrupted
	workers["update"] = update
	workers["by name"] = byName
}

// interrupted calls CALL for PATH, with what must come before it, and stops there. It does so in one thread, because strace counts a
// thread's calls.
func interrupted(w *lab.Worker) error {
	runtime.LockOSThread()
	d := &desk{path: w.Arg(0), held: map[string]*flock.Held{}}
	switch call := w.Arg(1); {
	case strings.Contains(call, "Upgrade"):
		if err := d.call(d.path, "RLock", "it"); err != nil {
			return err
		}
	case call == "Unlock":
		err := d.call(d.path, "Lock", "it")
		_, duplicated := lab.DuplicateDescriptors(d.path) // so that closing alone leaves the lock
		if err := errors.Join(err, duplicated); err != nil {
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
	for _, call := range []string{"Lock", "RLock", "TryLock", "TryRLock", "Upgrade", "TryUpgrade", "Unlock"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "stock.json.lock")
			when := "1..200"
			if strings.Contains(call, "Upgrade") || call == "Unlock" {
				when = "2..201"
			}
			wrap, _ := lab.Strace(t, "-e", "inject=flock:error=EINTR:when="+when)
			l := lab.Lesson{
				Says: call + " reported a signal as a failure", Read: refusals,
				Did:   call + "; no other owner had a lock; signals interrupted flock(2) 200 times (EINTR, injected by strace)",
				Means: "a program that resizes its window, or whose child ends, fails now and then, and no one can repeat it",
			}
			p := lab.Launch(t, lab.Options{Wrap: wrap}, "interrupted", path, call)
			if call == "Unlock" {
				l.Did = "Lock; the descriptor was duplicated, as for a child between fork and exec; Unlock; " +
					"signals interrupted its flock(2) 200 times (EINTR, injected by strace)"
			}
			p.Reached("holding", l)
			switch second := start(t, path); call {
			case "Unlock":
				l.Did += "; then another process called TryLock"
				second.Succeed("TryLock it", l.Say("Unlock left the lock to a duplicate of its descriptor after a signal"))
			case "Lock", "Upgrade":
				second.refused("TryRLock it", l.Say("%s went on without a lock after a signal", call))
			default:
				second.refused("TryLock it", l.Say("%s went on without a lock after a signal", call))
			}
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
	a.tell("Lock it", l.Say("Lock did not get a lock that was free"))
	b.Send("Lock second")
	b.WaitBlocked(l.Say("Lock does not wait in the kernel"))
	a.Begin("Upgrade it")
	lab.Require(t, b.Settle() != process.AtStep, l)
	lab.RequireNoError(t, a.Reply(l).Returned.Err, l)
}

func TestUnlockReportsWhatTheKernelRefuses(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"close", "unlock"} {
		t.Run(what, func(t *testing.T) {
			lab.EachErrno(t, func(t *testing.T, errno error) {
				l := lab.Lesson{
					Says: "Unlock did not report that the kernel could not close the file", Did: "Lock; Unlock; each close failed with " + errno.Error(),
					Means: "what the kernel could not do is never known", Read: refusals,
				}
				if what == "unlock" {
					l = l.Say("Unlock did not report that the kernel could not give the lock back")
					l.Did = "Lock; Unlock; flock(2) with LOCK_UN failed with " + errno.Error()
				}
				path := lab.Path(t, "stock.json.lock")
				held, err := flock.Lock(path)
				lab.RequireNoError(t, err, l)
				lab.RequireRefuse(t, lab.Refuse(what, errno, func() { err = held.Unlock() }))
				if what == "unlock" && err == nil {
					t.Skip(notRefused)
				}
				requireReason(t, err, errno, "Unlock", l)
				l.Means = "a mistake of the program goes unnoticed until it hits another owner"
				requireClosed(t, held.Unlock(), l.Say("Unlock did not report that there was nothing to unlock"))
				if open, err := lab.IsOpen(path); what == "unlock" && err == nil {
					l.Means = "the handle that stays open may keep the lock, and all others wait"
					lab.Require(t, !open, l.Say("Unlock left the file open when it failed"))
				}
			}, errnos(syscall.ENOSPC, syscall.EDQUOT)...)
		})
	}
}

// To the kernel the locks of fcntl(2) and of flock(2) have nothing to do with each other on a local file system.
func TestALockOfFcntlKeepsNoOneOut(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "stock.json.lock", "")
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	lab.RequireSetUp(t, err)
	defer file.Close()
	lab.RequireSetUp(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}))
	for _, call := range []string{"TryLock", "TryRLock"} {
		p := start(t, path)
		p.Succeed(call+" it", lab.Lesson{
			Says: call + " mistook a lock of fcntl(2) for an owner", Did: "a program locked the whole file with fcntl(2); " + call, Read: whoOwns,
			Means: "it waits for programs that do not wait for it, and a library that locks the file in its own way stops everyone",
		})
		p.get("Unlock it")
	}
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
		missed := false
		for call, do := range calls {
			path := stockFile(t, content)
			l := lab.Lesson{
				Says: call + " went on although the kernel had refused the lock", Did: call + "; flock(2) failed with " + errno.Error(), Read: refusals,
				Means: "it reads and writes beside every other program, without a lock",
			}
			without, with := false, false
			var err, failed error
			lab.Finishes(t, func() {
				failed = lab.Refuse("flock", errno, func() {
					err = do(path, func() error {
						held := isLocked(path + ".lock")
						without, with = without || !held, with || held
						return nil
					})
				})
			}, l.Say("%s does not return when the kernel refuses the lock", call))
			lab.RequireRefuse(t, failed)
			lab.Require(t, !without, l)
			if err == nil && with {
				missed = true
				continue
			}
			lab.RequireError(t, err, l)
			lab.RequireFile(t, path, content, l)
			l.Means = "no one can find out why the program does not work"
			requireReason(t, err, errno, call, l.Say("%s did not report why the kernel had refused the lock", call))
			l = l.Say("%s does not return any more, once the kernel has refused it the lock", call)
			l.Did += "; then it was called again, and nothing was refused"
			l.Means = "something inside the program stays locked, and only its end helps"
			lab.Finishes(t, func() { err = do(path, func() error { return nil }) }, l)
			lab.RequireNoError(t, err, l.Say("%s fails for ever, once the kernel has refused it the lock", call))
		}
		if missed {
			t.Skip(notRefused)
		}
	}, errnos()...)
	t.Run("whose file cannot be opened", noLockFile)
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
			if strings.Contains(hit[0].Args, "LOCK_UN") {
				l.Did = "Update; the kernel refused its Unlock, flock(2) with LOCK_UN, with " + errno.Error() + " (injected by strace)"
				l.Means = "a child that has a duplicate of the descriptor keeps the lock, and no one knows why all others wait"
				l = l.Say("Unlock did not report what the kernel had refused")
			} else {
				lab.RequireFile(t, path, content, l)
			}
			requireReason(t, err, errno, "Update", l)
			l.Means = "the handle that stays open may keep the lock, and all others wait"
			lab.Require(t, !open, l.Say("Unlock left the file open when it failed"))
		}, syscall.ENOLCK, syscall.EIO)
	})
}

// noLockFile has lock files that cannot be opened.
func noLockFile(t *testing.T) {
	t.Helper()
	t.Parallel()
	for _, c := range []struct {
		name, what string
		make       func(lock string) error
		want       error
	}{
		{"stock.json", "that the user may not open", func(lock string) error {
			return errors.Join(os.WriteFile(lock, nil, 0o600), os.Chmod(lock, 0))
		}, fs.ErrPermission},
		{"stock.json", "at whose path a directory is", func(lock string) error { return os.Mkdir(lock, 0o755) }, syscall.EISDIR},
		{"stock.json", "that is a symbolic link to itself", func(lock string) error { return os.Symlink(lock, lock) }, syscall.ELOOP},
		{strings.Repeat("s", 253), "whose name is too long for the system", func(string) error { return nil }, syscall.ENAMETOOLONG},
	} {
		for worker, call := range map[string]string{"view": "View", "take": "Update"} {
			path := filepath.Join(lab.SharedDir(t), c.name)
			lab.RequireSetUp(t, os.WriteFile(path, []byte(`{"bracket":1}`), 0o600))
			lab.RequireSetUp(t, errors.Join(os.Chmod(path, 0o666), c.make(path+".lock")))
			l := lab.Lesson{
				Says: call + " went on although its lock file could not be opened", Read: refusals,
				Did:      call + " of a stock that this user may read and write, with a lock file " + c.what,
				Expected: "an error", Found: "it called the function that it was given",
				Means: "it reads and writes beside every other program, without the lock that they have: it has locked another file, or none",
			}
			p := lab.Launch(t, lab.Options{Unprivileged: true}, worker, path)
			lab.Require(t, p.Settle() != process.AtStep, l)
			l.Expected, l.Found = "", ""
			err := p.Wait(l)
			lab.RequireError(t, err, l)
			lab.RequireFile(t, path, `{"bracket":1}`, l)
			l.Means = "no one can find out why the program does not work"
			lab.RequireErrorIs(t, err, c.want, l.Say("%s did not report why it could not open its lock file", call))
		}
	}
}

// isLocked reports whether an owner has a lock on the file. It asks in a thread of its own, to which nothing is refused.
func isLocked(path string) bool {
	locked := make(chan bool)
	go func() {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			locked <- false
			return
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		locked <- errors.Is(errors.Join(err, file.Close()), unix.EWOULDBLOCK)
	}()
	return <-locked
}

func TestUpdateAndViewReportEveryError(t *testing.T) {
	t.Parallel()
	for call, do := range calls {
		nothing := func(string) error { return nil }
		remove := func(path string) error { _ = os.Remove(path); return nil }
		for _, c := range []struct {
			what, when, did string
			before, inside  func(path string) error
			also            error
		}{
			{"write", "", "", nothing, nothing, nil},
			{"truncate", "", "", nothing, nothing, nil},
			{"close", "", "", nothing, nothing, nil},
			{"close", " after an error", "; the function that it called failed as well", nothing, func(string) error { return errTest }, errTest},
			{"close", " after a failed read", "; the stock did not exist", remove, nothing, fs.ErrNotExist},
			// Of an Update that has two locks, one after the other, the first may fail, and then there is no write.
			{"close", " after a failed write", "; the stock did not exist any more", nothing, remove, nil},
		} {
			what := c.what
			if call == "View" && (what != "close" || c.when == " after a failed write") {
				continue // it writes nothing
			}
			t.Run(call+"/"+what+c.when, func(t *testing.T) {
				t.Parallel()
				lab.EachErrno(t, func(t *testing.T, errno error) {
					path := stockFile(t, `{"bracket":1,"hinge":4}`)
					l := lab.Lesson{
						Says: call + " did not report what the kernel had refused", Read: refusals,
						Did:   call + "; each " + what + " of a file failed with " + errno.Error() + c.did,
						Means: "the program hands out a part that is still in the file, or goes on with a lock that was not given back",
					}
					var err, failed error
					lab.RequireSetUp(t, c.before(path))
					lab.Finishes(t, func() {
						failed = lab.Refuse(what, errno, func() { err = do(path, func() error { return c.inside(path) }) })
					}, l)
					lab.RequireRefuse(t, failed)
					lab.RequireErrorIs(t, err, errno, l)
					if c.also != nil {
						lab.RequireErrorIs(t, err, c.also, l.Say("%s reported only one of two errors", call))
					}
					if what != "close" { // then the file that holds the lock stays open
						start(t, path+".lock").Succeed("TryLock it", l.Say("%s kept its lock when it failed", call))
					}
				}, syscall.EIO, syscall.ENOSPC, syscall.EDQUOT)
			})
		}
	}
}

// The calls that name a file, as asked shows them.
const (
	openLock   = "open the lock file with O_RDWR|O_CREAT and 0600"
	readStock  = "open the stock for reading"
	writeStock = "open the stock for writing"
)

// byNames are calls, and what each may ask for by name, in this order, as a regular expression.
var byNames = []struct{ order, calls, shown string }{
	{"Lock it", openLock, ""},
	{"Upgrade it", "", ""},
	{"TryLock other", openLock, ""}, // which is refused
	{"Unlock it", "", ""},
	{"RLock it", openLock, ""},
	{"TryRLock other", openLock, ""},
	{"TryUpgrade it", "", ""}, // which is refused
	{"Upgrade other", "", ""},
	{"Unlock other", "", ""},
	{"TryLock it", openLock, ""},
	{"Unlock it", "", ""},
	{"View", openLock + ", " + readStock, ""},
	{
		"Update", openLock + ", " + readStock + "((, " + openLock + ")?, " + readStock + ")?, " + writeStock,
		openLock + ", " + readStock + " (both again if change was first called under a shared lock), " + writeStock,
	},
}

// byName makes these calls for the stock at PATH and its lock, with a mark before each.
func byName(w *lab.Worker) error {
	path := w.Arg(0)
	d := &desk{held: map[string]*flock.Held{}}
	var all error
	for n, c := range byNames {
		var err error
		call, name, _ := strings.Cut(c.order, " ")
		lab.Mark(fmt.Sprint(n))
		switch call {
		case "View", "Update":
			err = calls[call](path, func() error { return nil })
		default:
			if opens := c.calls != ""; opens || d.held[name] != nil {
				err = d.call(path+".lock", call, name)
			}
		}
		if !errors.Is(err, flock.ErrLocked) {
			all = errors.Join(all, err)
		}
	}
	lab.Mark("")
	return all
}

// asked shows what a call in the directory asks for.
func asked(c lab.Call, dir string) string {
	args := strings.NewReplacer("|O_CLOEXEC", "", "|O_LARGEFILE", "").Replace(c.Args)
	switch stock := filepath.Join(dir, "stock.json"); {
	case c.Name != "openat":
	case c.On(stock+".lock") && strings.Contains(args, ", O_RDWR|O_CREAT, 0600"):
		return openLock
	case c.On(stock) && strings.Contains(args, ", O_RDONLY"):
		return readStock
	case c.On(stock) && strings.HasSuffix(args, ", O_WRONLY"):
		return writeStock
	}
	return c.Short(dir)
}

// What is done by name beside the one open may hit another file by then, or one that is not the program's.
func TestNothingIsAskedForByNameButOneOpen(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(stockFile(t, `{"bracket":1}`))
	l := lab.Lesson{Did: "each function of the package, under strace", Means: "the program cannot work at all", Read: fix}
	p := lab.Trace(t, lab.Rule{Calls: "%file"}, lab.Options{Dir: dir}, "by name", "stock.json")
	lab.RequireNoError(t, p.Wait(l), l.Say("A function failed although nothing stood in its way"))
	marked := p.Marked()
	for n, c := range byNames {
		l.Means = "programs that agree on a lock file cannot share it, or another file is hit than the one that is locked"
		var found []string
		opens, ofLock := 0, 0
		for _, call := range marked[fmt.Sprint(n)] {
			if call.Within(dir) {
				found = append(found, asked(call, dir))
				if call.On(filepath.Join(dir, "stock.json.lock")) {
					ofLock++
				}
				if found[len(found)-1] == openLock {
					opens++
				}
			}
		}
		if strings.Contains(c.calls, readStock) && ofLock == opens && opens > 0 { // the lock file is as it must be
			l.Means = "what is found or done beside bins.Read and bins.Write may be out of date, or of another file, when these read or write"
		}
		call, _, _ := strings.Cut(c.order, " ")
		l.Did = call + ", under strace"
		l.Expected = cmp.Or(c.shown, c.calls, "no call that names a file")
		l.Found = cmp.Or(strings.Join(found, ", "), "no call that names a file")
		fits := regexp.MustCompile("^(" + strings.NewReplacer("|", `\|`).Replace(c.calls) + ")$").MatchString(strings.Join(found, ", "))
		lab.Require(t, fits, l.Say("%s asks for files by name otherwise than its doc comment says", call))
	}
}
