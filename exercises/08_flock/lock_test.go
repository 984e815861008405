//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	flock "example/turnstile/exercises/08_flock"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// A pair is two calls for one file, by two owners.
type pair struct {
	first, second string
	together      bool // both may have their lock
}

var pairs = []pair{
	{"Lock", "TryLock", false},
	{"Lock", "TryRLock", false},
	{"RLock", "TryLock", false},
	{"RLock", "TryRLock", true},
	{"TryLock", "TryLock", false},
	{"TryLock", "TryRLock", false},
	{"TryRLock", "TryLock", false},
	{"TryRLock", "TryRLock", true},
}

func TestLockKeepsOthersOut(t *testing.T) {
	t.Parallel()
	t.Run("in another process", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		tryPairs(t, start(t, path), start(t, path), "", "in another process")
	})
	t.Run("in the same process", func(t *testing.T) {
		t.Parallel()
		p := start(t, lab.Path(t, "stock.json.lock"))
		tryPairs(t, p, p, "", "in the same process")
	})
	t.Run("a program that calls flock(2) itself", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "stock.json.lock", "")
		p := start(t, path)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		lab.RequireSetUp(t, err)
		defer file.Close()
		l := lab.Lesson{
			Says: "Lock does not keep out a program that calls flock(2)", Read: modes, Expected: "EWOULDBLOCK",
			Did:   "Lock; then another program called flock(2) with LOCK_SH|LOCK_NB for the same file",
			Means: "the lock is of another kind: programs in other languages, and the flock command, go in",
		}
		p.get("Lock it")
		lab.RequireErrorIs(t, unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK, l)
		p.get("Unlock it")
		lab.RequireSetUp(t, unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB))
		l.Did = "another program called flock(2) with LOCK_EX; then TryRLock"
		p.refused("TryRLock it", l.Say("TryRLock does not see the lock of a program that calls flock(2)"))
	})
	t.Run("under another name of the file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "stock.json.lock", "")
		elsewhere := links(t, path)
		p := start(t, path)
		tryPairs(t, p, p, "at "+elsewhere+"/link ", "through a symbolic link")
		tryPairs(t, p, p, "at "+elsewhere+"/inner/../stock.json.lock ", "through a symbolic link to a directory, and ..")
	})
	t.Run("without waiting a moment", tryTakesNoTime)
	t.Run("but not out of another file of the same name", func(t *testing.T) {
		t.Parallel()
		p := launch(t, lab.Options{Dir: t.TempDir()}, "stock.json.lock")
		l := lab.Lesson{
			Says: "TryLock mistook another file for one that the program has locked", Read: whoOwns,
			Did:   "Lock of a relative path; the program changed its directory; TryLock of the same relative path, which means another file now",
			Means: "a table of paths, not the kernel, decides who gets the lock: a file that is free counts as locked",
		}
		p.get("Lock it")
		lab.RequireSetUp(t, p.Do("leave "+t.TempDir(), l))
		p.Succeed("TryLock other", l)
	})
}

// tryTakesNoTime has a clock that moves only when all goroutines sleep.
func tryTakesNoTime(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := lab.WriteFile(t, "stock.json.lock", "")
	other, err := os.OpenFile(path, os.O_RDWR, 0)
	lab.RequireSetUp(t, err)
	defer other.Close()
	defer time.AfterFunc(process.Patience(), func() { _ = unix.Flock(int(other.Fd()), unix.LOCK_UN) }).Stop() // ends a Try that waits
	try := func(f func(string) (*flock.Held, error)) func() error {
		return func() error { _, err := f(path); return err }
	}
	for _, c := range []struct {
		call, did string
		others    int
		do        func() error
	}{
		{"TryLock", "TryLock beside another owner", unix.LOCK_EX, try(flock.TryLock)},
		{"TryRLock", "TryRLock beside an exclusive lock", unix.LOCK_EX, try(flock.TryRLock)},
		{"TryUpgrade", "RLock beside another reader, and TryUpgrade", unix.LOCK_SH, func() error {
			held, err := flock.RLock(path)
			if err == nil {
				err = held.TryUpgrade()
			}
			return err
		}},
	} {
		lab.RequireSetUp(t, unix.Flock(int(other.Fd()), c.others))
		synctest.Test(t, func(t *testing.T) {
			l := lab.Lesson{
				Says: c.call + " did not report another owner", Did: c.did + " (on testing/synctest's clock)", Read: modes,
				Means: "a program that has other work to do stands still, and gets a lock that another owner had when it asked",
			}
			begin := time.Now()
			requireLocked(t, c.do(), l)
			l.Expected, l.Found = "0s", time.Since(begin).String()
			lab.Require(t, l.Found == l.Expected, l.Say("%s waited before it reported another owner", c.call))
		})
	}
}

// links returns a directory in which link leads to the file at path, and inner to a directory beside it, so that inner/.. is where the
// file is.
func links(t *testing.T, path string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	inner := filepath.Join(filepath.Dir(path), "inner")
	lab.RequireSetUp(t, errors.Join(
		os.Mkdir(inner, 0o755), os.Symlink(path, filepath.Join(dir, "link")), os.Symlink(inner, filepath.Join(dir, "inner")),
	))
	return dir
}

func tryPairs(t *testing.T, a, b program, prefix, where string) {
	t.Helper()
	for _, c := range pairs {
		l := lab.Lesson{Did: c.first + "; then " + c.second + " " + where, Read: modes}
		a.get(c.first + " first")
		err := b.Do(prefix+c.second+" second", l)
		if c.together {
			l.Says, l.Means = c.first+" kept a second shared lock out", "readers wait for one another, although none of them changes anything"
			lab.RequireNoError(t, err, l)
			b.Succeed("Unlock second", l)
		} else {
			l.Says, l.Means = c.first+" did not keep "+c.second+" out", "two owners are inside at once, and one of them writes: an update is lost"
			requireLocked(t, err, l)
		}
		a.Succeed("Unlock first", l.Say("Unlock failed"))
	}
}

func TestLockWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, second, third string }{
		{"Lock", "Lock", "TryRLock"},
		{"Lock", "RLock", "TryLock"},
		{"RLock", "Lock", "TryRLock"},
	} {
		t.Run(c.second+" for "+c.first, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "stock.json.lock")
			a, b := start(t, path), start(t, path)
			l := lab.Lesson{
				Says: c.second + " does not wait in the kernel", Did: "a process had a lock from " + c.first + "; another one called " + c.second,
				Means: "it goes in beside the owner, gives up, or asks again and again and comes too late", Read: modes,
			}
			a.get(c.first + " first")
			b.Send(c.second + " second")
			b.WaitBlocked(l)
			l.Did += "; then the first called Unlock"
			a.Succeed("Unlock first", l.Say("Unlock failed"))
			l.Says, l.Means = c.second+" did not get the lock after it had waited for it", "the program gives up although the lock is free"
			lab.RequireNoError(t, b.Reply(l).Returned.Err, l)
			l.Did += "; then the first called " + c.third
			l.Says, l.Means = c.second+" returned no error, and has no lock", "it goes in, and so does the next one"
			a.refused(c.third+" third", l)
		})
	}
	t.Run("two goroutines of one process", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		p := start(t, path)
		l := lab.Lesson{
			Says: "Lock does not wait for another goroutine", Did: "a goroutine had a lock from Lock; two others of the same process called Lock",
			Means: "both are inside at once: to the kernel they are one owner", Read: whoOwns,
		}
		p.get("Lock first")
		p.tell("go Lock second", l)
		p.tell("go Lock third", l)
		lab.RequireWaiters(t, path, 2, l, p.Process)
		p.runsMeanwhile("Lock", l)
		p.tell("Unlock first", l)
		l.Did += "; then the first called Unlock"
		lab.RequireWaiters(t, path, 1, l, p.Process)
	})
	t.Run("for the file that it has opened", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says: "Lock opened another file after it had waited", Read: whoOwns,
			Did:   "Lock; another process waited in Lock; the file was removed; Unlock; then TryLock of the path, where there was no file",
			Means: "what a Held has locked depends on what others did with the name meanwhile",
		}
		a.get("Lock it")
		b.Send("Lock second")
		b.WaitBlocked(l.Say("Lock does not wait in the kernel"))
		lab.RequireSetUp(t, os.Remove(path))
		a.Succeed("Unlock it", l)
		lab.RequireNoError(t, b.Reply(l).Returned.Err, l.Say("Lock did not get the lock for which it had waited"))
		a.Succeed("TryLock it", l)
	})
	t.Run("a writer, and no reader for it", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		p := start(t, path)
		l := lab.Lesson{
			Says: "Lock does not wait in the kernel", Did: "a goroutine had a lock from RLock; another one of the same process called Lock",
			Means: "it goes in beside the reader, or waits for something inside the process, where no other program sees it", Read: whoOwns,
		}
		p.get("RLock first")
		p.tell("go Lock second", l)
		lab.RequireWaiters(t, path, 1, l, p.Process)
		for _, call := range []string{"RLock", "TryRLock"} {
			l := l.Say("%s waits for a goroutine that has no lock yet", call)
			l.Did += "; then a third called " + call
			l.Means = "no owner has an exclusive lock, and yet a reader is kept out; one that calls another reader waits for itself"
			p.tell(call+" third", l)
			p.tell("Unlock third", l)
		}
	})
}

func TestLockLastsUntilUnlock(t *testing.T) {
	t.Parallel()
	lost := lab.Lesson{Means: "another program goes in, and neither is told", Read: collected}
	t.Run("while garbage is collected", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		for _, call := range []string{"Lock", "RLock", "TryLock", "TryRLock", "RLock and Upgrade", "RLock and TryUpgrade"} {
			l := lost.Say("The Held from %s lost its lock to the garbage collector", call)
			l.Did = call + "; the program kept the Held, and collected garbage; then another process called TryLock"
			a.take(call, "it")
			a.Succeed("collect", l)
			b.refused("TryLock second", l)
			a.Succeed("Unlock it", l.Say("Unlock failed after garbage had been collected"))
		}
	})
	t.Run("while goroutines lock and unlock other files", func(t *testing.T) {
		t.Parallel()
		l := lost.Say("A Held lost its lock to the garbage collector, when goroutines had locked and unlocked other files at the same time")
		l.Did = "eight goroutines, each with a file of its own: Unlock and Lock, 5 times (each close returned 1 ms late); " +
			"the program kept each last Held, and collected garbage; then TryRLock of each file; all of this at most 3 times"
		wrap, _ := lab.Strace(t, "-e", "inject=close:delay_exit=1000") // a number is free, and given away, before close returns
		r := launch(t, lab.Options{Wrap: wrap}, lab.Path(t, "stock.json.lock")).Tell("by-turns", l)
		l.Expected, l.Found = "no file that another owner can lock", fmt.Sprintf("%d of 8 files", r.N)
		lab.Require(t, r.N == 0, l)
		l.Expected, l.Found = "", ""
		l.Means = "the program knows its file by something that another lock has taken over"
		lab.RequireNoError(t, r.Returned.Err, l.Say("A call failed when goroutines locked and unlocked other files at the same time"))
	})
	t.Run("while the program opens and closes the file", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		l := lost.Say("Lock lost its lock when the program closed another handle of the file")
		l.Did, l.Read = "Lock; then the program read the same file; then another process called TryLock", whoOwns
		a.get("Lock it")
		lab.RequireSetUp(t, a.Do("open-and-close", l))
		b.refused("TryLock second", l)
	})
	t.Run("while other owners come and go", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		l := lost.Say("RLock lost its lock when another owner gave its own back")
		l.Did, l.Read = "RLock twice in one program; a TryLock there failed; Unlock of the second; then another process called TryLock", whoOwns
		a.get("RLock it")
		a.get("RLock other")
		a.refused("TryLock third", l.Say("RLock did not keep TryLock out"))
		a.Succeed("Unlock other", l)
		b.refused("TryLock second", l)
		collect := func(l lab.Lesson) {
			l = l.Say("A Held lost its lock to the garbage collector, when other owners had come and gone")
			l.Did, l.Read = strings.Replace(l.Did, "; then another", "; the program collected garbage; then another", 1), collected
			a.Succeed("collect", l)
			b.refused("TryLock second", l)
		}
		collect(l)
		a.get("RLock other")
		a.Succeed("Unlock it", l)
		l.Did = "RLock twice in one program; Unlock of the first; then another process called TryLock"
		collect(l)
		a.Succeed("Unlock other", l)
		a.get("RLock it")
		l.Says = "TryLock took another owner's lock away when it failed"
		l.Did = "Lock; TryLock and TryRLock in the same program failed; then another process called TryRLock"
		a.Succeed("Unlock it", l)
		a.get("Lock it")
		a.refused("TryLock third", l)
		a.refused("TryRLock third", l)
		b.refused("TryRLock second", l)
		collect(l)
	})
}

func TestLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, call string
		child      bool
		did        string
	}{
		{"that is killed", "Lock", false, ", and was killed"},
		{"even if a child of it lives", "Lock", true, ", started a program that runs on, and was killed"},
		{"even if a child of a reader lives", "RLock", true, ", started a program that runs on, and was killed"},
		{"even if a child lives that began after TryLock", "TryLock", true, ", started a program that runs on, and was killed"},
		{"even if a child lives that began after TryRLock", "TryRLock", true, ", started a program that runs on, and was killed"},
		{"even if a child lives that began after Upgrade", "RLock and Upgrade", true, ", started a program that runs on, and was killed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "stock.json.lock")
			a, b := start(t, path), start(t, path)
			l := lab.Lesson{
				Says: c.call + " kept the others out after its process had ended", Read: children,
				Did:   "a process had a lock from " + c.call + c.did + "; then another one called TryLock",
				Means: "the lock belongs to a program that does not know of it: all others wait until that one ends",
			}
			a.take(c.call, "it")
			if c.child {
				a.child(l)
			}
			a.Kill()
			b.Succeed("TryLock second", l)
		})
	}
	t.Run("even if a child starts while the file is opened", childMeanwhile)
}

// childMeanwhile starts a program as soon as Lock has opened its file, 0.3 s before Lock can do more, such as set close-on-exec.
func childMeanwhile(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := lab.WriteFile(t, "stock.json.lock", "")
	wrap, _ := lab.Strace(t, "-P", path, "-e", "inject=openat:delay_exit=300000")
	p := launch(t, lab.Options{Wrap: wrap}, path)
	l := lab.Lesson{
		Says: "Lock let a child inherit the file", Read: children,
		Did:   "Lock; as soon as it had opened the file, another goroutine started a program (open(2) returned 0.3 s late)",
		Means: "if the process ends, its lock lives on in a program that does not know of it, and all others wait",
	}
	p.tell("go Lock it", l)
	lab.Require(t, p.becomes(1, "is-open", l), l.Say("Lock did not open its file"))
	child := p.child(l)
	descriptors, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", child))
	lab.RequireSetUp(t, err)
	lab.RequireEqual(t, true, len(descriptors) > 0, l.Say("The test could not see which files a child has"))
	file, err := os.Stat(path)
	lab.RequireSetUp(t, err)
	l.Expected, l.Found = "the child does not have it", "the child has it open"
	for _, descriptor := range descriptors {
		if info, err := os.Stat(descriptor); err == nil {
			lab.Require(t, !os.SameFile(file, info), l)
		}
	}
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	kept := lab.Lesson{Means: "everyone who needs the lock waits for an owner that is no longer inside", Read: givingBack}
	t.Run("closes the file", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		b.get("RLock other")
		before := a.Handles()
		l := lab.Lesson{
			Says: "Unlock left the file open", Did: "RLock, Unlock, TryRLock and Unlock, 20 times",
			Means: "the program runs out of handles", Read: givingBack,
		}
		for range 20 {
			a.get("RLock it")
			a.Succeed("Unlock it", l)
			a.get("TryRLock it")
			a.Succeed("Unlock it", l)
		}
		lab.RequireEqual(t, before, a.Handles(), l)
		b.get("Upgrade other")
		for _, call := range []string{"TryLock", "TryRLock"} {
			l := l.Say("%s left the file open when it failed", call)
			l.Did = "another process had a lock; " + call + ", 20 times"
			for range 20 {
				a.refused(call+" it", l)
			}
			lab.RequireEqual(t, before, a.Handles(), l)
		}
	})
	t.Run("while a child has a duplicate of the descriptor", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		l := kept.Say("Unlock left the lock to a duplicate of its descriptor")
		for _, call := range []string{"Lock", "RLock", "TryLock", "TryRLock", "RLock and Upgrade"} {
			l.Did = call + "; the descriptor was duplicated, as for a child between fork and exec; Unlock; then another process called TryLock"
			a.take(call, "it")
			lab.RequireSetUp(t, a.Do("duplicate", l))
			a.Succeed("Unlock it", l)
			b.Succeed("TryLock second", l)
			b.get("Unlock second")
		}
		l = l.Say("Upgrade left the lock to a duplicate of its descriptor when it failed")
		l.Did = "RLock; the descriptor was duplicated; Upgrade, which the kernel refused; then another process called TryLock"
		a.get("RLock it")
		lab.RequireSetUp(t, a.Do("duplicate", l))
		if r := a.Ask("refused ENOLCK Upgrade it", l); r.N == cannotRefuse {
			return
		} else if r.Returned.Err == nil { // no error, and Unlock must give the lock back: that no lock is reported is another test's
			a.Succeed("Unlock it", l)
		}
		b.Succeed("TryLock second", l)
	})
	t.Run("a second time", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says:  "Unlock did not report that there was nothing to unlock",
			Means: "a mistake of the program goes unnoticed until it hits another owner", Read: givingBack,
		}
		for _, call := range []string{"Lock", "RLock", "TryLock", "TryRLock", "RLock and Upgrade"} {
			l.Did = call + ", Unlock and Unlock again"
			a.take(call, "it")
			a.Succeed("Unlock it", l)
			requireClosed(t, a.Do("Unlock it", l), l)
		}
		l.Says, l.Means = "Unlock took away a lock that it had not given", "two owners are inside at once"
		l.Did = "Lock and Unlock; Lock again in the same program; then a second Unlock of the first; then another process called TryLock"
		a.get("Lock next")
		requireClosed(t, a.Do("Unlock it", l), l)
		b.refused("TryLock second", l)
		a.Succeed("Unlock next", l)
		b.Succeed("TryLock second", l.Say("Unlock gave nothing back"))
	})
}

func TestLockCreatesTheFileAndChangesNothing(t *testing.T) {
	t.Parallel()
	t.Run("a file that does not exist", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct{ call, umask, where, mode string }{
			{"Lock", "0000", "", "-rw-------"},
			{"RLock", "0000", "", "-rw-------"},
			{"TryLock", "0000", "", "-rw-------"},
			{"TryRLock", "0022", ", through a symbolic link to it", "-rw-------"},
			{"Lock", "0277", "", "-r--------"},
		} {
			path := lab.Path(t, "stock.json.lock")
			name := path
			if c.where != "" {
				name = filepath.Join(t.TempDir(), "link")
				lab.RequireSetUp(t, os.Symlink(path, name))
			}
			p := launch(t, lab.Options{Umask: c.umask}, name)
			l := lab.Lesson{
				Says: c.call + " of a file that did not exist failed", Did: c.call + " of a file that did not exist" + c.where,
				Means: "the first program that needs the lock does not get it", Read: fix,
			}
			p.Succeed(c.call+" it", l)
			p.get("Unlock it")
			l = l.Say("Unlock removed the file")
			l.Did += ", and Unlock; the umask was " + c.umask
			l.Means = "others wait on a file without a name, while the next one creates another and locks that (lesson 07)"
			if c.where != "" {
				l.Says = c.call + " did not create the file to which the link leads"
				l.Means = "a program that uses the name of the file itself locks another one"
			}
			info, err := os.Stat(path)
			lab.RequireNoError(t, err, l)
			l.Says = c.call + " created the file with another mode than 0600 less the umask"
			l.Means = "any user who may open the file can keep the others out"
			lab.RequireEqual(t, c.mode, info.Mode().String(), l)
		}
	})
	t.Run("a file that no one has locked for a day", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		l := lab.Lesson{
			Says: "Lock failed although no one had the lock", Did: "Lock, Unlock; then a day went by (of testing/synctest's clock)", Read: fix,
			Means: "others wait on a file without a name, while the next one creates another and locks that (lesson 07)",
		}
		synctest.Test(t, func(t *testing.T) {
			held, err := flock.Lock(path)
			lab.RequireNoError(t, err, l)
			lab.RequireNoError(t, held.Unlock(), l.Say("Unlock failed"))
			time.Sleep(24 * time.Hour)
		})
		_, err := os.Stat(path)
		lab.RequireNoError(t, err, l.Say("the file was removed when it had not been used for a while"))
	})
	t.Run("a file that exists", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "notes.txt", "do not touch\n")
		untouched := old(t, path)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Did:   "Lock, RLock, Upgrade and Unlock of a file that existed, and a TryLock that failed",
			Means: "the next program that lists the directory, or copies it, finds a file that it does not know", Read: fix,
		}
		alone := func(l lab.Lesson) {
			entries, err := os.ReadDir(filepath.Dir(path))
			lab.RequireSetUp(t, err)
			var names []string
			for _, entry := range entries {
				names = append(names, entry.Name())
			}
			lab.RequireEqual(t, filepath.Base(path), strings.Join(names, " "), l)
		}
		for _, call := range []string{"Lock", "RLock"} {
			a.Succeed(call+" it", lab.Lesson{
				Says: call + " failed with a file that existed", Did: call + " of a file that all users may read and write", Read: fix,
				Means: "programs that share a lock file cannot work",
			})
			b.Do("TryLock other", lab.Lesson{}) //nolint:errcheck // that it is refused is another test's
			alone(lab.Lesson{
				Says: call + " left another file in the directory", Read: fix,
				Did:   call + " of a file that was alone in its directory; then the directory was listed",
				Means: "the next program that lists the directory, or copies it, finds a file that it does not know",
			})
			a.get("Unlock it")
		}
		a.get("RLock it")
		a.get("Upgrade it")
		a.get("Unlock it")
		alone(l.Say("Upgrade left another file in the directory"))
		untouched("Lock", l)
	})
}
