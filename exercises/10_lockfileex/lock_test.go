package lockfileex_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	lockfileex "example/turnstile/exercises/10_lockfileex"
	"example/turnstile/exercises/10_lockfileex/winfile"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestALockKeepsOtherHandlesOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, called string }{
		{"of an empty file", "", "an empty file"},
		{"of a file with a job in it", "1 bracket\n", "a file of 10 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := file(t, c.content)
			a, b := openHandle(t, path), openHandle(t, path)
			l := lab.Lesson{Means: "two programs are inside at once, and one of them overwrites what the other wrote", Read: why}
			for _, verb := range []string{"Lock", "TryLock"} {
				l := l.Say("%s let a second handle in", verb)
				l.Did = verb + " of " + c.called + "; then TryLock and TryRLock with another handle"
				a.get(verb)
				b.refused("TryLock", l)
				b.refused("TryRLock", l)
				a.unlock(l)
				b.takes("TryLock", l.Say("Unlock did not give the lock back"))
			}
			for _, verb := range []string{"RLock", "TryRLock"} {
				l := l.Say("%s let a writer in", verb)
				l.Did = verb + " of " + c.called + "; then TryLock with another handle"
				a.get(verb)
				b.refused("TryLock", l)
				b.takes("TryRLock", l.Say("%s kept a reader out", verb))
				b.refused("TryLock", l)
				a.unlock(l)
				b.takes("TryLock", l.Say("Unlock did not give the lock back"))
			}
		})
	}
	for how, flag := range map[string]int{"for reading alone": os.O_RDONLY, "for writing alone": os.O_WRONLY} {
		t.Run("with a handle "+how, func(t *testing.T) {
			t.Parallel()
			path := file(t, "1 bracket\n")
			f, err := winfile.OpenFile(path, flag, 0)
			a, b := keep(t, f, err), openHandle(t, path)
			l := lab.Lesson{
				Did:   "Lock, RLock or a Try with a handle that was opened " + how,
				Means: "a program must open the file for more than it needs, only to lock it", Read: handles,
			}
			for _, verb := range []string{"Lock", "TryLock"} {
				a.succeed(verb, l.Say("%s failed, and no lock was in its way", verb))
				b.refused("TryRLock", l.Say("%s let a second handle in", verb))
				a.unlock(l)
			}
			for _, verb := range []string{"RLock", "TryRLock"} {
				a.succeed(verb, l.Say("%s failed, and no lock was in its way", verb))
				b.refused("TryLock", l.Say("%s let a writer in", verb))
				a.unlock(l)
			}
			b.takes("TryLock", l.Say("Unlock did not give the lock back"))
		})
	}
	t.Run("until some time after its handle was closed", func(t *testing.T) {
		t.Parallel()
		for _, verb := range []string{"Lock", "RLock"} {
			path := file(t, "1 bracket\n")
			a, b := openHandle(t, path), openHandle(t, path)
			l := lab.Lesson{
				Says: "Lock did not get a lock whose handle was closed", Did: verb + " and Close, without Unlock; then Lock with another handle",
				Means: "one Unlock that was forgotten keeps everyone out as long as the program runs", Read: closing,
			}
			a.get(verb)
			lab.RequireSetUp(t, a.Close())
			var err error
			lab.Finishes(t, func() { err = lockfileex.Lock(b.File) }, l)
			lab.RequireNoError(t, err, l)
			b.unlock(l)
		}
	})
	t.Run("before and after it has grown", func(t *testing.T) {
		t.Parallel()
		path := file(t, "")
		a, b := openHandle(t, path), openHandle(t, path)
		l := lab.Lesson{
			Says: "TryLock got in beside an older lock, after the file had grown", Read: sameRange,
			Did:   "Lock of an empty file, which then grew to 10 bytes; TryLock with another handle",
			Means: "the range that is locked depends on when it was asked for",
		}
		a.get("Lock")
		_, err := a.WriteAt([]byte("1 bracket\n"), 0)
		lab.RequireSetUp(t, err)
		b.refused("TryLock", l)
	})
}

func TestATryAsksOnce(t *testing.T) {
	t.Parallel()
	path := file(t, "1 bracket\n")
	lab.RequireSetUp(t, os.Link(path, path+".try")) // the same file by a name of which the calls are counted
	a, b := openHandle(t, path), openHandle(t, path+".try")
	a.get("Lock")
	for _, verb := range []string{"TryLock", "TryRLock"} {
		l := lab.Lesson{
			Says: verb + " asks again and again", Did: "Lock; then " + verb + " with another handle", Read: fix,
			Means: "a program that has something else to do meanwhile waits all the same",
		}
		calls := 0
		undo := winfile.Intercept(path+".try", func(string) error { calls++; return nil })
		b.refused(verb, l)
		undo()
		l.Expected, l.Found = "one call of LockFileEx", fmt.Sprintf("%d calls", calls)
		lab.Require(t, calls == 1, l)
	}
}

func TestTryLockIsRefusedToTheHandleThatHasALock(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Lock", "RLock"} {
		path := file(t, "1 bracket\n")
		a, b := openHandle(t, path), openHandle(t, path)
		l := lab.Lesson{
			Says: "TryLock got a lock for a handle that has one already", Did: verb + " and TryLock with one handle",
			Means: "two goroutines that share a handle are both inside, and the first Unlock lets everyone else in", Read: unlocks,
		}
		a.get(verb)
		a.refused("TryLock", l)
		b.refused("TryLock", l.Say("TryLock took the handle's older lock away when it failed"))
		a.unlock(l)
		b.takes("TryLock", l.Say("Unlock left a lock behind after a TryLock that had failed"))
	}
}

func TestALockChangesNothing(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "1 bracket\n"} {
		path := file(t, content)
		a, b := openHandle(t, path), openHandle(t, path)
		lab.Age(t, path, time.Hour)
		before, err := os.Stat(path)
		lab.RequireSetUp(t, err)
		l := lab.Lesson{
			Says:  "Lock changed the file",
			Did:   fmt.Sprintf("Lock, RLock, Downgrade, a TryLock that failed, and Unlock of a file of %d bytes", len(content)),
			Means: "a lock needs no byte in the file; what is written there becomes part of the list", Read: sameRange,
		}
		a.get("Lock")
		b.refused("TryLock", l)
		a.succeed("Downgrade", tells(l, "Downgrade failed", "readers wait, although the program writes no more"))
		a.succeed("RLock", tells(l, "RLock failed on a handle that has a lock already", "two parts of a program cannot share a handle"))
		lab.RequireFile(t, path, content, l)
		a.unlock(l)
		lab.RequireFile(t, path, content, l.Say("Unlock changed the file"))
		after, err := os.Stat(path)
		lab.RequireSetUp(t, err)
		lab.RequireEqual(t, before.ModTime().String(), after.ModTime().String(), l)
		names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		lab.RequireSetUp(t, err)
		lab.RequireEqual(t, 1, len(names), l.Say("Lock created another file"))
	}
}

func TestUnlockGivesEveryLockBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		locks []string
		grow  bool
		did   string
		read  string
	}{
		{"after the file has grown", []string{"Lock"}, true, "Lock of an empty file, which then grew; Unlock", sameRange},
		{"after RLock on an exclusive lock", []string{"Lock", "RLock"}, false, "Lock, RLock and Unlock with one handle", unlocks},
		{"after RLock twice", []string{"RLock", "RLock"}, false, "RLock twice and Unlock with one handle", unlocks},
		{
			"after many", append([]string{"Lock", "TryRLock"}, slices.Repeat([]string{"RLock"}, 100)...), false,
			"Lock, TryRLock, RLock a hundred times, and Unlock with one handle", unlocks,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := file(t, "")
			a, b := openHandle(t, path), openHandle(t, path)
			l := lab.Lesson{Did: c.did, Means: "everyone else waits for a lock that the program believes it has given back", Read: c.read}
			for _, verb := range c.locks {
				a.succeed(verb, l.Say("%s failed on a handle that has a lock already", verb))
			}
			if c.locks[0] == "Lock" && len(c.locks) > 1 {
				l := tells(l, "A shared lock took the place of the handle's exclusive one", "a reader comes in while the program writes")
				l.Did = "Lock and RLock or TryRLock with one handle; TryRLock with another"
				b.refused("TryRLock", l)
			}
			if c.grow {
				_, err := a.WriteAt([]byte("1 bracket\n"), 0)
				lab.RequireNoError(t, err, l.Say("Lock keeps its own handle from writing"))
			}
			var err error
			lab.FinishesInSteps(t, func(progress func()) {
				steps := 2 * len(c.locks)
				defer winfile.Intercept(path, func(string) error {
					if steps--; steps >= 0 { // each call is a step, but not those of a loop without an end
						progress()
					}
					return nil
				})()
				err = lockfileex.Unlock(a.File)
			}, l.Say("Unlock does not return"))
			lab.RequireNoError(t, err, tells(l, "Unlock failed", "the next one waits for a lock that no one uses"))
			l.Did += "; then TryLock with another handle"
			b.takes("TryLock", l.Say("Unlock left a lock behind"))
		})
	}
	t.Run("although its file is not used any more", func(t *testing.T) {
		t.Parallel()
		path := file(t, "1 bracket\n")
		b := openHandle(t, path)
		l := lab.Lesson{
			Says: "Unlock failed as the last use of its file", Read: closing,
			Did:   "Lock, RLock and Unlock, which is the last use of the file; before each UnlockFileEx the garbage collector ran",
			Means: "a handle is a number and keeps no file open: the next one waits until the system has tidied up",
		}
		f, err := openPlain(path)
		lab.RequireSetUp(t, err)
		lab.RequireSetUp(t, errors.Join(lockfileex.Lock(f), lockfileex.RLock(f)))
		t.Cleanup(winfile.Intercept(path, func(call string) error {
			if call == "UnlockFileEx" {
				lab.CollectGarbage()
			}
			return nil
		}))
		var failure error
		lab.Finishes(t, func() { failure = lockfileex.Unlock(f) }, l.Say("Unlock does not return"))
		lab.RequireNoError(t, failure, l)
		b.takes("TryLock", l.Say("Unlock left a lock behind"))
	})
	t.Run("and says so when there is none", func(t *testing.T) {
		t.Parallel()
		path := file(t, "1 bracket\n")
		a, b, c := openHandle(t, path), openHandle(t, path), openHandle(t, path)
		l := lab.Lesson{
			Says: "Unlock did not report that the handle has no lock", Did: "Unlock with a handle that has no lock; another handle has one",
			Means: "a mistake of the program goes unnoticed", Read: unlocks,
		}
		a.get("Lock")
		lab.RequireErrorIs(t, b.do("Unlock", l), winfile.ERROR_NOT_LOCKED, l)
		c.refused("TryRLock", l.Say("Unlock took another handle's lock away"))
		a.unlock(l)
		l.Did = "Lock, Unlock, and Unlock again"
		lab.RequireErrorIs(t, a.do("Unlock", l), winfile.ERROR_NOT_LOCKED, l)
	})
}

func TestALockKeepsNoOneFromReadingAndWriting(t *testing.T) {
	t.Parallel()
	mandatory(t)
	for _, verb := range []string{"Lock", "RLock"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			path := file(t, "1 bracket\n")
			a, b := openHandle(t, path), openHandle(t, path)
			a.get(verb)
			l := lab.Lesson{
				Says: verb + " keeps others from reading the file", Did: verb + "; then a program that asks for no lock read the file",
				Means: "the board on the wall, a backup and an editor fail whenever a program has the lock", Read: why,
			}
			_, err := winfile.ReadFile(path)
			lab.RequireNoError(t, err, l)
			l = l.Say("%s keeps others from writing the file", verb)
			l.Did = verb + "; then another handle wrote to the file, first over it and then at its end"
			_, err = b.WriteAt([]byte("1"), 0)
			lab.RequireNoError(t, err, l)
			_, err = b.WriteAt([]byte("2 hinge\n"), 10)
			lab.RequireNoError(t, err, l)
			l = l.Say("%s keeps its own handle from writing", verb)
			_, err = a.WriteAt([]byte("1"), 0)
			lab.RequireNoError(t, err, l)
		})
	}
	t.Run("of a large file", func(t *testing.T) {
		t.Parallel()
		path := file(t, "")
		a, b := openHandle(t, path), openHandle(t, path)
		a.get("Lock")
		l := lab.Lesson{
			Says: "Lock keeps others from reading a large file", Read: numbers,
			Did:   "Lock; another handle locked all bytes that a file can have, from 0 up to math.MaxInt64, by LockFileEx itself",
			Means: "the lock is on a byte that a large file has: its offset is too small, or half of it went another way than the call wants",
		}
		flags := uint32(winfile.LOCKFILE_EXCLUSIVE_LOCK | winfile.LOCKFILE_FAIL_IMMEDIATELY)
		lab.RequireNoError(t, winfile.LockFileEx(b.Handle(), flags, 0, math.MaxUint32, math.MaxInt32, &winfile.Overlapped{}), l)
	})
}

func TestLockWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, how, holds, verb string }{
		{"Lock", "plain", "Lock", "Lock"},
		{"Lock for a reader", "plain", "RLock", "Lock"},
		{"RLock", "plain", "Lock", "RLock"},
		{"Lock of an overlapped handle", "overlapped", "Lock", "Lock"},
		{"RLock of an overlapped handle", "overlapped", "Lock", "RLock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.how == "overlapped" && lab.Wine() {
				t.Skip("Wine reports a pending lock of an overlapped handle as granted")
			}
			path := file(t, "1 bracket\n")
			a, b := openHandle(t, path), openHandle(t, path)
			l := lab.Lesson{
				Says: c.verb + " does not wait in the system", Did: c.holds + "; another process called " + c.verb + ", with a handle of its own",
				Means: "it goes on without the lock, fails although it should wait, or costs processor time all along", Read: modesOf(c.how),
			}
			a.get(c.holds)
			p := lab.Start(t, "owner", path, c.how, c.verb)
			p.WaitBlocked(l)
			p.StillWaiting(l)
			a.unlock(l)
			l.Did += "; then the lock was given back"
			p.Reached("holding", l.Say("%s did not get the lock after the Unlock", c.verb))
			b.refused("TryLock", l.Say("%s returned no error, and has no lock", c.verb))
			p.Continue()
			var calls int
			p.Result(&calls, l)
			lab.RequireNoError(t, p.Wait(), l)
			l.Expected, l.Found = "one call or two", fmt.Sprintf("%d calls", calls)
			lab.Require(t, calls <= 4, l.Say("%s asks again and again while it waits", c.verb))
			b.takes("TryLock", l.Say("Unlock left a lock behind"))
		})
	}
	t.Run("as long as it takes", func(t *testing.T) {
		t.Parallel()
		type waiter struct {
			verb   string
			holder handle
			*lab.Process
		}
		var waiters []waiter
		for _, how := range []string{"plain", "overlapped"} {
			if how == "overlapped" && lab.Wine() {
				continue // it reports a pending lock as granted
			}
			for _, verb := range []string{"Lock", "RLock"} {
				path := file(t, "1 bracket\n")
				a := openHandle(t, path)
				a.get("Lock")
				waiters = append(waiters, waiter{verb, a, lab.Start(t, "owner", path, how, verb)})
			}
		}
		for begun := time.Now(); time.Since(begun) < 3*time.Second; {
			for _, w := range waiters {
				w.StillWaiting(lab.Lesson{
					Says:  w.verb + " does not wait as long as it takes",
					Did:   "Lock, held for three seconds; another process called " + w.verb + " meanwhile",
					Means: "whoever holds the lock a little longer than usual is not alone any more", Read: fix,
				})
			}
		}
		for _, w := range waiters {
			l := lab.Lesson{
				Says: w.verb + " did not get the lock after the Unlock", Did: "Lock, held for three seconds, and Unlock", Read: fix,
				Means: "the program that waits never gets in",
			}
			w.holder.unlock(l)
			w.Reached("holding", l)
			w.Continue()
			lab.RequireNoError(t, w.Wait(), l)
		}
	})
	t.Run("for a lock of its own handle, for ever", func(t *testing.T) {
		t.Parallel()
		for _, older := range []string{"RLock", "Lock"} {
			path := file(t, "1 bracket\n")
			a := openHandle(t, path)
			l := lab.Lesson{
				Says:  "Lock does not wait in the system for the lock that its own handle has",
				Did:   "another process called " + older + " and then Lock, with one handle",
				Means: "the older lock is gone, or two parts of the program are inside at once", Read: unlocks,
			}
			p := lab.Start(t, "owner", path, "plain", older+" Lock")
			p.WaitBlocked(l)
			a.refused("TryLock", l.Say("Lock gave the handle's older lock back while it waits"))
			p.StillWaiting(l)
			p.Kill()
		}
	})
	t.Run("and a Try of an overlapped handle does not", func(t *testing.T) {
		t.Parallel()
		path := file(t, "1 bracket\n")
		f, err := openOverlapped(path)
		a, b, c := openHandle(t, path), keep(t, f, err), openHandle(t, path)
		l := lab.Lesson{
			Says: "TryLock of an overlapped handle got in beside another lock", Did: "Lock; then TryLock and TryRLock with an overlapped handle",
			Means: "two programs are inside at once", Read: handles,
		}
		a.get("Lock")
		b.refused("TryLock", l)
		b.refused("TryRLock", l)
		a.unlock(l)
		later := l.Say("A Try of an overlapped handle that was refused got a lock later")
		later.Did += "; then Unlock, and TryLock and Unlock with a third handle, again and again"
		for range 20 {
			c.takes("TryLock", later)
			time.Sleep(5 * time.Millisecond) // in which a request that stands is granted
		}
		b.succeed("TryLock", tells(l, "TryLock of an overlapped handle failed, and no lock was in its way",
			"the program never gets in, although no one else is inside"))
		a.refused("TryRLock", l)
		b.unlock(l)
	})
}

func modesOf(how string) string {
	if how == "overlapped" {
		return handles
	}
	return fix
}

func TestDowngrade(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "what was read under the exclusive lock may be out of date, and the caller does not know", Read: unlocks}
	t.Run("leaves a shared lock", func(t *testing.T) {
		t.Parallel()
		path := file(t, "1 bracket\n")
		a, b := openHandle(t, path), openHandle(t, path)
		l := l.Say("Downgrade failed")
		l.Did = "Lock and Downgrade; then TryRLock and TryLock with another handle"
		a.get("Lock")
		a.succeed("Downgrade", l)
		b.takes("TryRLock", l.Say("Downgrade left the exclusive lock in place"))
		b.refused("TryLock", l.Say("Downgrade left no lock"))
		a.unlock(l)
		b.takes("TryLock", l.Say("Unlock after Downgrade left a lock behind"))
	})
	t.Run("lets no other in at any moment", func(t *testing.T) {
		t.Parallel()
		path := file(t, "1 bracket\n")
		lab.RequireSetUp(t, os.Link(path, path+".probe")) // the same file by a name that is not intercepted
		a, b := openHandle(t, path), openHandle(t, path+".probe")
		l := l.Say("Downgrade lets another handle have an exclusive lock in between")
		l.Did = "Lock and Downgrade; before each call that Downgrade made, another handle called TryLock"
		a.get("Lock")
		got := false
		t.Cleanup(winfile.Intercept(path, func(string) error {
			if lockfileex.TryLock(b.File) == nil {
				got = true
				return lockfileex.Unlock(b.File)
			}
			return nil
		}))
		a.succeed("Downgrade", l)
		lab.Require(t, !got, l)
	})
	t.Run("lets a waiting process wait on", func(t *testing.T) {
		t.Parallel()
		path := file(t, "1 bracket\n")
		a, b := openHandle(t, path), openHandle(t, path)
		l := l.Say("Downgrade lets a waiting process have its exclusive lock")
		l.Did = "Lock; another process called Lock, and waits; Downgrade"
		a.get("Lock")
		p := lab.Start(t, "owner", path, "plain", "Lock")
		p.WaitBlocked(l.Say("Lock does not wait in the system"))
		a.succeed("Downgrade", l)
		lab.Require(t, p.Settle() != process.AtStep, l)
		b.takes("TryRLock", l.Say("Downgrade left the exclusive lock in place"))
		a.unlock(l)
		p.Reached("holding", l.Say("Unlock after Downgrade left a lock behind"))
		p.Continue()
		lab.RequireNoError(t, p.Wait(), l)
	})
	t.Run("that fails leaves the exclusive lock", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			call string
			most int // so many calls are refused
			how  string
		}{
			{"LockFileEx", math.MaxInt, "each LockFileEx"},
			{"UnlockFileEx", math.MaxInt, "each UnlockFileEx"},
			{"UnlockFileEx", 1, "the first UnlockFileEx"}, // what tidies up after it must not go too far
		} {
			for _, reason := range reasons {
				path := file(t, "1 bracket\n")
				a, b := openHandle(t, path), openHandle(t, path)
				l := l.Say("Downgrade did not report what the system had refused")
				l.Did, l.Read = "Lock; "+c.how+" failed with "+reason.Error()+"; Downgrade", refusals
				a.get("Lock")
				undo := refuseFirst(t, path, c.call, c.most, reason)
				err := a.do("Downgrade", l)
				undo()
				if err == nil && c.most == 1 {
					continue // it asked again, and has its shared lock
				}
				lab.RequireErrorIs(t, err, reason, l)
				l.Did += "; then TryRLock with another handle"
				b.refused("TryRLock", l.Say("Downgrade failed, and gave the exclusive lock up"))
				a.unlock(l)
				b.takes("TryLock", l.Say("Unlock left a lock behind after a Downgrade that had failed"))
			}
		}
	})
}
