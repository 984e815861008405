package lockfiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
)

func TestTwoBreakersOfOneLock(t *testing.T) {
	t.Parallel()
	path, gone := stale(t)
	l := lab.Lesson{
		Did:   "the lock's owner was killed; Alice called Acquire and was asked whether that owner is alive; before she said no, Bob called Acquire; then she went on",
		Means: "both work on locks.json, each sure to be alone, and one of them loses a day's work",
		Read:  twoBreakers,
	}

	alice := lab.Start(t, "break", path, fmt.Sprint(gone))
	alice.Reached("judging", says(l, "Acquire did not ask Alive about the owner of a lock that it found"))
	bob, errBob := acquire(t, path, dead(gone), l)
	alice.Continue()
	var hers outcome
	alice.Result(&hers, says(l, "Acquire does not return"))

	both := lab.Lesson{Says: "Acquire gave one lock to two owners at once", Did: l.Did, Means: l.Means, Read: l.Read}
	both.Expected, both.Found = "one lock and one error", "two locks"
	lab.Require(t, bob == nil || !hers.Got, both)
	nobody := says(l, "Acquire gave a lock whose owner is dead to nobody")
	nobody.Expected, nobody.Found = "one of them gets the lock", fmt.Sprintf("Alice was told: %v; Bob was told: %v", hers.Call.Err, errBob)
	nobody.Means = "a crash stops the workshop until somebody removes a file by hand"
	lab.Require(t, bob != nil || hers.Got, nobody)
	if bob != nil {
		refused := says(l, "Acquire failed with another error than ErrLocked where somebody was faster")
		refused.Means = "the program gives up with a puzzling message, where it should say who has the lock"
		lab.RequireErrorIs(t, hers.Call.Err, lockfiles.ErrLocked, refused)
	}
}

func TestAcquireRefusesALockThatIsHeld(t *testing.T) {
	t.Parallel()
	held := func(t *testing.T, path string, o lockfiles.Options, l lab.Lesson) {
		t.Helper()
		before := listing(t, filepath.Dir(path))
		_, err := acquire(t, path, o, l)
		lab.RequireErrorIs(t, err, lockfiles.ErrLocked, says(l, "Acquire did not refuse a lock that is held"))
		l.Means = "the holder is at work, and its name is gone from the lock, or files pile up beside it"
		lab.RequireEqual(t, before, listing(t, filepath.Dir(path)), says(l, "Acquire changed files of a lock that it did not get"))
	}
	l := lab.Lesson{Means: "two programs write the same file at once", Read: theBug}

	t.Run("by another process", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "locks.json.lock")
		lab.Start(t, "hold", path).Reached("holding")
		l := l
		l.Did = "another process has the lock and is alive; Acquire was called"
		held(t, path, lockfiles.Options{}, l)
	})
	t.Run("by this process", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "locks.json.lock")
		l := l
		l.Did = "one part of a program has the lock; another part of the same process called Acquire"
		requireAcquired(t, path, lockfiles.Options{}, says(l, "Acquire did not take a free lock"))
		held(t, path, lockfiles.Options{}, l)
	})
	t.Run("by a process that has had it since yesterday", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "locks.json.lock")
		lab.Start(t, "hold", path).Reached("holding")
		age(t, filepath.Dir(path))
		l := l
		l.Did = "another process acquired the lock a day ago and is still at work; Acquire was called"
		held(t, path, lockfiles.Options{}, l)
	})
	t.Run("by somebody whom Alive protects", func(t *testing.T) {
		t.Parallel()
		path, _ := stale(t)
		l := l
		l.Did = "the lock's owner has ended, but Options.Alive said that it may be alive; Acquire was called"
		held(t, path, lockfiles.Options{Alive: func(lockfiles.Owner) bool { return true }}, l)
	})
}

// age makes everything in a folder look as if nobody had touched it for a day.
func age(t *testing.T, folder string) {
	t.Helper()
	yesterday := time.Now().Add(-24 * time.Hour)
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, yesterday, yesterday))
	})
	lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not age its own files"})
}

func TestAcquireAfterACrash(t *testing.T) {
	t.Parallel()
	path, gone := stale(t)
	l := lab.Lesson{
		Did: "a process had the lock and was killed; Acquire was called, with the Alive of your package", Means: "a crash stops the workshop until somebody removes a file by hand", Read: theBug,
	}
	lock := requireAcquired(t, path, lockfiles.Options{}, says(l, "Acquire did not break the lock of a process that is dead"))
	lab.RequireEqual(t, os.Getpid(), lock.Owner().PID, says(l, "Acquire left another process's number as the owner of the lock"))

	l.Did = fmt.Sprintf("a lock was taken from process %d, which is dead, and released; that was done ten times", gone)
	l.Means = "every crash leaves something for good: in a year the folder is full of it"
	lab.RequireNoError(t, lock.Release(), says(l, "Release failed although the lock was held"))
	once := listing(t, filepath.Dir(path))
	tokens := map[string]bool{lock.Owner().Token: true}
	for range 10 {
		lock := requireAcquired(t, path, lockfiles.Options{}, says(l, "Acquire did not take a lock that was released"))
		tokens[lock.Owner().Token] = true
		again := lockfiles.Options{Alive: func(owner lockfiles.Owner) bool { return owner.Token != lock.Owner().Token }}
		lock = requireAcquired(t, path, again, says(l, "Acquire did not break a lock that Alive judged dead"))
		tokens[lock.Owner().Token] = true
		lab.RequireNoError(t, lock.Release(), says(l, "Release failed although the lock was held"))
	}
	lab.RequireEqual(t, once, listing(t, filepath.Dir(path)), says(l, "Acquire and Release leave files behind"))
	l.Means = "a judgement of one lock hits another one of the same process"
	lab.RequireEqual(t, 21, len(tokens), says(l, "Two locks of one process have the same token"))
}

func TestReleaseOfALostLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locks.json.lock")
	l := lab.Lesson{
		Did:   "Alice had the lock; Bob's Alive judged her dead, wrongly, and Bob acquired the lock; then Alice called Release; then Carol called Acquire",
		Means: "Alice's Release has opened the door while Bob is at work, and Carol walks in",
		Read:  theRelease,
	}
	alice := requireAcquired(t, path, lockfiles.Options{}, says(l, "Acquire did not take a free lock"))
	wrong := lockfiles.Options{Alive: func(owner lockfiles.Owner) bool { return owner.Token != alice.Owner().Token }}
	bob := requireAcquired(t, path, wrong, says(l, "Acquire did not break a lock that Alive judged dead"))

	err := alice.Release()
	_, errCarol := acquire(t, path, lockfiles.Options{}, l)
	lab.RequireErrorIs(t, errCarol, lockfiles.ErrLocked, says(l, "Release gave back a lock that belongs to somebody else"))
	l.Means = "Alice saved her list after the lock was lost, perhaps over Bob's, and is never told"
	lab.RequireErrorIs(t, err, lockfiles.ErrLost, says(l, "Release did not say that the lock was lost"))
	lab.RequireNoError(t, bob.Release(), says(l, "Release failed although the lock was held"))
	lab.RequireErrorIs(t, bob.Release(), lockfiles.ErrLost, says(l, "A second Release did not say that the lock is gone"))
	requireAcquired(t, path, lockfiles.Options{}, says(l, "Acquire did not take a lock that was released"))
}

func TestAcquireLeavesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"an empty file, whose owner may be about to write into it": "",
		"half of a file":             `{"host":"bench","pid":`,
		"another program's PID file": "4711\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json.lock", content)
			requireUntouched(t, path, name)
		})
	}
	t.Run("a folder with somebody's file in it", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "locks.json.lock")
		lab.RequireNoError(t, os.Mkdir(path, 0o700), lab.Lesson{Says: "the test could not make its own folder"})
		lab.RequireNoError(t, os.WriteFile(filepath.Join(path, "notes.txt"), []byte("mine"), 0o600), lab.Lesson{Says: "the test could not write its own file"})
		requireUntouched(t, path, "a folder with a file notes.txt in it")
	})
	for _, content := range []string{"", "{", "{}", "null"} {
		t.Run("a lock whose files hold "+fmt.Sprintf("%q", content), func(t *testing.T) {
			t.Parallel()
			requireDamageSeen(t, content)
		})
	}
	t.Run("a folder that is missing", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "missing", "locks.json.lock")
		l := lab.Lesson{Did: "the folder of the lock's path does not exist; Acquire was called", Read: madeAside}
		_, err := acquire(t, path, lockfiles.Options{}, l)
		l.Means = "the program works without a lock"
		lab.RequireError(t, err, says(l, "Acquire gave a lock in a folder that does not exist"))
		l.Expected, l.Found = "an error that does not match ErrLocked", err.Error()
		l.Means = "the program waits for an owner who does not exist"
		lab.Require(t, !errors.Is(err, lockfiles.ErrLocked), says(l, "Acquire says that somebody has the lock, where its folder does not exist"))
	})
}

// requireDamageSeen puts content into every file of a lock whose owner is dead. An answer whose files' contents mean nothing may
// still break the lock, if it has asked about the right owner.
func requireDamageSeen(t *testing.T, content string) {
	t.Helper()
	path, gone := stale(t)
	l := lab.Lesson{
		Did:   fmt.Sprintf("a lock's owner was killed, and each file of the lock was made to hold %q; Acquire was called, with an Alive that calls everybody dead", content),
		Means: "a lock that was damaged is taken from an owner whom nobody has judged",
		Read:  madeAside,
	}
	err := filepath.WalkDir(path, func(name string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return os.WriteFile(name, []byte(content), 0o600)
	})
	lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not damage a lock"})
	before := standing(t, path)

	var asked atomic.Bool // about the owner that was killed
	_, err = acquire(t, path, lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
		if owner.PID == gone {
			asked.Store(true)
		}
		return false
	}}, l)
	if err == nil && asked.Load() {
		return
	}
	lab.RequireError(t, err, says(l, "Acquire took a lock whose owner it could not read"))
	lab.RequireEqual(t, before, standing(t, path), says(l, "Acquire changed a lock whose owner it could not read"))
	l.Expected, l.Found = "an error that matches ErrUnknown (or ErrLocked)", err.Error()
	l.Means = "the program cannot tell a lock that a person has to look at from a fault of the system"
	lab.Require(t, errors.Is(err, lockfiles.ErrUnknown) || errors.Is(err, lockfiles.ErrLocked), says(l, "Acquire did not say that the lock is damaged"))
}

func requireUntouched(t *testing.T, path, what string) {
	t.Helper()
	l := lab.Lesson{
		Did:   "at the lock's path stood " + what + "; Acquire was called, with an Alive that calls everybody dead",
		Means: "somebody is about to sign a lock, or keeps a file there, and it is taken away",
		Read:  madeAside,
	}
	before := standing(t, path)
	_, err := acquire(t, path, lockfiles.Options{Alive: func(lockfiles.Owner) bool { return false }}, l)
	lab.RequireError(t, err, says(l, "Acquire took a lock whose owner it could not read"))
	lab.RequireEqual(t, before, standing(t, path), says(l, "Acquire changed something that is no lock of its own"))
	l.Means = "the program cannot tell a lock that a person has to look at from one that is taken"
	lab.RequireErrorIs(t, err, lockfiles.ErrUnknown, says(l, "Acquire did not say that it does not know what stands at the path"))
}

// standing shows what stands at path, and nothing that is beside it.
func standing(t *testing.T, path string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(listing(t, filepath.Dir(path))) {
		name := filepath.Base(path)
		if strings.HasPrefix(line, name+":") || strings.HasPrefix(line, name+"/") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestCrowd(t *testing.T) {
	t.Parallel()
	const people, turns = 4, 25
	folder := t.TempDir()
	l := lab.Lesson{
		Says:     "Acquire gave one lock to two owners at once",
		Did:      fmt.Sprintf("%d processes acquired one lock %d times each; each second time the owner left it behind, as a crash does, and was known to be dead", people, turns),
		Expected: "never two at once",
		Means:    "two programs write the same file, each sure to be alone, and one of them loses its work",
		Read:     twoBreakers,
	}
	var crew []*lab.Process
	for range people {
		crew = append(crew, lab.Launch(t, lab.Options{Hold: true}, "crowd", folder, fmt.Sprint(turns)))
	}
	for _, process := range crew {
		process.Continue()
	}
	var met []string
	for _, process := range crew {
		var overlap string
		failed := lab.Lesson{Says: "Acquire or Release failed in a crowd", Did: l.Did, Read: madeAside}
		failed.Expected = "an Acquire gets the lock or says ErrLocked; a Release of one's own lock goes well"
		failed.Means = "the program gives up with a puzzling message, where it should look again"
		process.Result(&overlap, failed)
		if overlap != "" {
			met = append(met, overlap)
		}
	}
	l.Found = strings.Join(met, "; ")
	lab.Require(t, len(met) == 0, l)
}
