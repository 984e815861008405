package lockfiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/exercises/07_lock_files/names"
	"example/turnstile/internal/lab"
)

const year = 400 * 24 * time.Hour

func TestAcquireRefusesALockThatIsHeld(t *testing.T) {
	t.Parallel()
	held := func(t *testing.T, path string, o lockfiles.Options, l lab.Lesson) {
		t.Helper()
		before, touched := listing(t, filepath.Dir(path)), lastTouched(t, filepath.Dir(path))
		_, err := acquire(t, path, o, l)
		requireIs(t, err, lockfiles.ErrLocked, l.Say("Acquire did not refuse a lock that is held"))
		lab.RequireEqual(t, before, listing(t, filepath.Dir(path)), means(l, "Acquire changed files of a lock that it did not get",
			"the holder is at work, and its name is gone from the lock, or files pile up beside it"))
		lab.RequireEqual(t, touched, lastTouched(t, filepath.Dir(path)), means(l, "Acquire touched a lock that it did not get, or its directory",
			"a lock that refused processes touch looks as if its owner were at work"))
	}
	l := lab.Lesson{Means: "two programs write the same file at once", Read: theBug}

	now, old, future := newPath(t), newPath(t), newPath(t)
	lab.Start(t, "hold", now, old, future).Reached("holding", freeLock)
	lab.Age(t, filepath.Dir(old), year)
	lab.Age(t, filepath.Dir(future), -year)
	for _, c := range []struct{ name, did, path, read string }{
		{"by another process", "another process has the lock and is alive; Acquire was called", now, theBug},
		{"for more than a year", "another process acquired the lock 400 days ago and is still at work; Acquire was called", old, isItAlive},
		{
			"since a moment in the future", "another process has the lock, and the clock was set back by 400 days; Acquire was called",
			future, isItAlive,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := l
			l.Did, l.Read = c.did, c.read
			held(t, c.path, lockfiles.Options{}, l)
			if c.path != now {
				return
			}
			// An Acquire that waits a little passes; 500 of them exceed the lab's patience. On a slow machine everything takes long:
			// there the calls count as progress as long as they take no more than so many looks at the lock.
			const looks = 20
			l.Did += " 500 times in a row, which takes long only if it waits"
			lab.FinishesInSteps(t, func(progress func()) {
				var acquiring, looking time.Duration
				for range 500 {
					began := time.Now()
					_, _ = lockfiles.Acquire(c.path, lockfiles.Options{}) // which refuses it, as above
					acquired := time.Now()
					_, _, _ = names.OnlyFile(c.path)
					acquiring, looking = acquiring+acquired.Sub(began), looking+time.Since(acquired)
					if acquiring < looks*looking {
						progress()
					}
				}
			}, l)
		})
	}
	t.Run("by this process", func(t *testing.T) {
		path, l := newPath(t), l
		l.Did = "one goroutine has the lock; another goroutine of the same process called Acquire"
		requireAcquired(t, path, lockfiles.Options{}, freeLock)
		held(t, path, lockfiles.Options{}, l)
		l.Did = "a goroutine took the lock and forgot it; the garbage collector ran; another goroutine of the same process called Acquire"
		lab.CollectGarbage()
		requireLocked(t, path, l.Say("Acquire did not refuse a lock that is held"))
	})
	runCasesHere(t)
	t.Run("by an owner about whom Alive thinks for a day", func(t *testing.T) {
		path, gone := stale(t)
		l := l
		l.Did = "the lock's owner has ended; Acquire was called, and its Alive returned false after a day"
		l.Means = "the owner is judged by a person or by another machine, which takes its time, and the judgement counts for nothing"
		var lock *lockfiles.Lock
		err := errors.New("it never returned")
		inABubble(t, func() {
			lock, err = lockfiles.Acquire(path, lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
				time.Sleep(24 * time.Hour)
				return owner.PID != gone
			}})
		})
		lab.RequireNoError(t, err, l.Say("Acquire did not break a lock that Alive judged dead, because that took long"))
		lab.RequireNotNil(t, lock, "Acquire", l)
	})
	t.Run("by an owner that Alive protects", func(t *testing.T) {
		path, gone := stale(t)
		l := l
		l.Did = "the lock's owner has ended, but Options.Alive returned true; Acquire was called"
		before, meanwhile := listing(t, filepath.Dir(path)), ""
		held(t, path, lockfiles.Options{Alive: func(lockfiles.Owner) bool {
			meanwhile = listing(t, filepath.Dir(path))
			return true
		}}, l)
		lab.RequireEqual(t, before, meanwhile, means(l, "Acquire had made something when it asked Alive",
			"a directory that is full, or that this user may only read, hides that the lock is taken; a kill meanwhile leaves a file"))
		l.Did += "; it was called again, and Alive returned false"
		asked := 0
		requireAcquired(t, path, lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
			if owner.PID == gone {
				asked++
			}
			return false
		}}, means(l, "Acquire did not ask Alive again", "the owner has ended meanwhile, and a program that runs for weeks never learns of it"))
		lab.RequireEqual(t, 1, asked, means(l, "Acquire did not call Alive once for the owner of a lock",
			"Alive may ask a person or another machine, and is asked the same question again"))
	})
	t.Run("under a path with the signs of a pattern", func(t *testing.T) {
		path, l := filepath.Join(t.TempDir(), "shop [2026]", "{a,b} [c-d].lock"), l
		lab.RequireSetUp(t, os.Mkdir(filepath.Dir(path), 0o700))
		l.Did = "the path has brackets and braces; a goroutine acquired it, and another one called Acquire for the same path"
		requireAcquired(t, path, lockfiles.Options{}, l.Say("Acquire did not take a free lock whose path has brackets"))
		held(t, path, lockfiles.Options{}, l)
		l.Did += "; it was called again, and Alive returned false"
		requireAcquired(t, path, allDead, l.Say("Acquire did not take a dead owner's lock whose path has brackets"))
	})
	t.Run("by an owner of whom Alive cannot judge", func(t *testing.T) {
		path, _ := stale(t)
		l := l
		l.Did = "the lock's owner has ended; Options.Alive panicked, and the caller of Acquire recovered"
		before, returned := listing(t, filepath.Dir(path)), false
		var value any
		lab.Finishes(t, func() {
			defer func() { value = recover() }()
			_, _ = lockfiles.Acquire(path, lockfiles.Options{Alive: func(lockfiles.Owner) bool { panic("no connection") }})
			returned = true
		}, l.Say("Acquire does not return when Alive panics"))
		l.Expected, l.Found = "the panic of Alive", fmt.Sprintf("returned: %t; recovered: %v", returned, value)
		lab.Require(t, value == "no connection" && !returned, means(l, "Acquire swallowed a panic of Alive", "no answer counts as an answer"))
		l.Expected, l.Found = "", ""
		lab.RequireEqual(t, before, listing(t, filepath.Dir(path)), means(l, "Acquire changed something although Alive had panicked", robbed))
	})
}

// inABubble runs call in a bubble of synctest: its clock stands at the same time at the beginning, and a day is over as soon as every
// goroutine waits for it. Goroutines that call leaves behind have a year to come to their end; what becomes of them is not judged.
func inABubble(t *testing.T, call func()) {
	t.Helper()
	defer func() { _ = recover() }() // of the complaint about those that do not
	synctest.Test(t, func(*testing.T) {
		call()
		time.Sleep(year)
	})
}

// lastTouched shows the modes and times of a directory and of all that is in it.
func lastTouched(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	lab.RequireSetUp(t, filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			lines = append(lines, fmt.Sprint(entry.Name(), " ", info.Mode(), " ", info.ModTime()))
		}
		return err
	}))
	return strings.Join(lines, "; ")
}

func TestReleaseKeepsTheLockOfTheNextOwner(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	l := lab.Lesson{Did: "Alice had the lock; Bob's Alive judged her dead, wrongly, and Bob called Acquire", Read: givingBack}
	alice := requireAcquired(t, path, lockfiles.Options{}, freeLock)
	bob := requireAcquired(t, path, allDead, means(l, "Acquire did not break a lock that Alive judged dead",
		"a process that knows that the owner has ended is sent away all the same"))

	l.Did += " and got the lock; then Alice called Release"
	err := release(t, alice, l)
	l.Did += "; then Carol called Acquire"
	requireLocked(t, path, means(l, "Release gave back a lock that belongs to another owner",
		"Bob is at work, Alice's Release has opened his lock, and Carol gets it too"))
	requireIs(t, err, lockfiles.ErrLost, means(l, "Release did not report that the lock was lost",
		"Alice saved her list after the lock was lost, perhaps over Bob's, and never learns of it"))
	l.Did += "; then Bob called Release"
	lab.RequireNoError(t, release(t, bob, l), means(l, "Release failed although the lock was held",
		"Bob is warned of a loss that did not happen, and his lock stays taken"))
	l.Did += ", and Carol called Acquire again"
	requireAcquired(t, path, lockfiles.Options{}, means(l, "Acquire did not take a lock that was released",
		"the lock is free, and every process is sent away"))
}

func TestReleaseReportsALostLock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, did string
		lose      func(t *testing.T, path string, lock *lockfiles.Lock)
	}{
		{"released before", "Release was called", func(t *testing.T, _ string, lock *lockfiles.Lock) {
			t.Helper()
			lab.RequireSetUp(t, lock.Release())
		}},
		{"removed from outside", "a person removed the lock of a process that was at work", func(t *testing.T, path string, _ *lockfiles.Lock) {
			t.Helper()
			lab.RequireSetUp(t, os.RemoveAll(path))
		}},
		{"replaced by a file", "a person put a file in the place of the lock", func(t *testing.T, path string, _ *lockfiles.Lock) {
			t.Helper()
			lab.RequireSetUp(t, os.RemoveAll(path))
			lab.RequireSetUp(t, os.WriteFile(path, []byte("mine"), 0o600))
		}},
		{"replaced by an empty directory", "a person put an empty directory in its place", func(t *testing.T, path string, _ *lockfiles.Lock) {
			t.Helper()
			lab.RequireSetUp(t, os.RemoveAll(path))
			lab.RequireSetUp(t, os.Mkdir(path, 0o700))
		}},
		{"removed with its directory", "the directory of the lock was removed", func(t *testing.T, path string, _ *lockfiles.Lock) {
			t.Helper()
			lab.RequireSetUp(t, os.RemoveAll(filepath.Dir(path)))
		}},
		{"moved away", "the lock was renamed", func(t *testing.T, path string, _ *lockfiles.Lock) {
			t.Helper()
			lab.RequireSetUp(t, os.Rename(path, path+".old"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "shop", "locks.json.lock")
			lab.RequireSetUp(t, os.Mkdir(filepath.Dir(path), 0o700))
			l := lab.Lesson{
				Did:   "a process had the lock; " + c.did + "; then Release was called",
				Means: "what was written since then was written without the lock, and the program never learns of it", Read: givingBack,
			}
			lock := requireAcquired(t, path, lockfiles.Options{}, freeLock)
			c.lose(t, path, lock)
			before := standing(t, path)
			requireIs(t, release(t, lock, l), lockfiles.ErrLost, l.Say("Release did not report that the lock was lost"))
			lab.RequireEqual(t, before, standing(t, path), means(l, "Release changed what is not its lock", "a file that a person needs is gone"))
		})
	}
}

// changeDirectory goes to the directory HERE, acquires the lock locks.json.lock, goes to the directory THERE, and calls Release. It goes
// THERE earlier, while Alive judges, if the process DEAD has left a lock.
func changeDirectory(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	var moved error
	lock, err := lockfiles.Acquire("locks.json.lock", lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
		moved = os.Chdir(w.Arg(1))
		return owner.PID != w.Int(2)
	}})
	if err := errors.Join(moved, err); err != nil {
		return err
	}
	if lock == nil {
		return errNothing
	}
	w.Reached("holding")
	if err := os.Chdir(w.Arg(1)); err != nil {
		return err
	}
	return w.Result(lab.Returned{Err: lock.Release()})
}

func TestARelativePathIsResolvedWhenAcquireIsCalled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, did string }{
		{"before the directory is changed", `called Acquire("locks.json.lock"), changed its directory again, and called Release`},
		{
			"before Alive is called", `called Acquire("locks.json.lock"), changed its directory again while its Alive judged a process that was ` +
				"killed with the lock, and called Release",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			here, there, gone := newPath(t), newPath(t), 0
			l := lab.Lesson{
				Did:   "a process changed its directory, " + c.did + "; another process has the lock of that name there",
				Means: "the same words are another file after os.Chdir: one lock stays for ever, and another owner's is in danger",
				Read:  givingBack,
			}
			if c.name == "before Alive is called" {
				gone = abandon(t, here)
			}
			other := requireAcquired(t, there, lockfiles.Options{}, freeLock)
			mover := lab.Launch(t, lab.Options{Dir: filepath.Dir(there)}, "change directory",
				filepath.Dir(here), filepath.Dir(there), fmt.Sprint(gone))
			mover.Reached("holding", l.Say("Acquire failed with a relative path"))
			requireLocked(t, here, l.Say("Acquire took the lock of another directory than the one that its process was in"))
			mover.Continue()
			var released lab.Returned
			mover.Result(&released, l.Say("Acquire or Release failed with a relative path"))
			lab.RequireNoError(t, released.Err, l.Say("Release looked for its lock in another directory"))
			requireLocked(t, there, l.Say("Release gave back a lock of another directory"))
			requireAcquired(t, here, lockfiles.Options{}, l.Say("Release left its own lock, which is in another directory now"))
			lab.RequireNoError(t, release(t, other, l), l.Say("Release failed although the lock was held"))
		})
	}
}
