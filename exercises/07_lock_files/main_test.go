package lockfiles_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, workers, lockfiles.ErrLocked, lockfiles.ErrLost) }

// workers of files with build tags are added in their init.
var workers = lab.Workers{"hold": hold, "break": breakLock, "judge": judge, "own": own, "crowd": crowd}

const (
	theBug        = `lessons/07_lock_files, "The bug"`
	twoBreakers   = `lessons/07_lock_files, "Two breakers of one lock"`
	namesAndSteps = `lessons/07_lock_files, "A name that is used once"`
	whoIsAlive    = `lessons/07_lock_files, "Is the owner alive?"`
	madeAside     = `lessons/07_lock_files, "Made aside"`
	theRelease    = `lessons/07_lock_files, "Giving it back"`
)

// An outcome is what an Acquire or a Release in a worker came to.
type outcome struct {
	Owner lockfiles.Owner
	Got   bool // the call returned no error
	Call  lab.Returned
}

func outcomeOf(lock *lockfiles.Lock, err error) outcome {
	if lock == nil && err == nil {
		err = errors.New("Acquire returned neither a lock nor an error")
	}
	if err != nil {
		return outcome{Call: lab.Returned{Err: err}}
	}
	return outcome{Owner: lock.Owner(), Got: true}
}

// hold acquires PATH… and stays alive with the locks.
func hold(w *lab.Worker) error {
	var owners []lockfiles.Owner
	for i := 0; w.Arg(i) != ""; i++ {
		lock, err := lockfiles.Acquire(w.Arg(i), lockfiles.Options{})
		if err != nil {
			return err
		}
		owners = append(owners, lock.Owner())
	}
	if err := w.Result(owners); err != nil {
		return err
	}
	w.Reached("holding")
	return nil
}

// breakLock acquires PATH, on which the processes DEAD… have left a lock, and stands at "judging" when it is first asked about the
// first of them.
func breakLock(w *lab.Worker) error {
	asked, alive := false, dead(numbers(w, 1)...).Alive
	lock, err := lockfiles.Acquire(w.Arg(0), lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
		if owner.PID == w.Int(1) && !asked {
			asked = true
			w.Reached("judging")
		}
		return alive(owner)
	}})
	if err := w.Result(outcomeOf(lock, err)); err != nil {
		return err
	}
	w.Reached("done")
	return nil
}

// dead is the judgement of somebody who knows which processes have ended.
func dead(numbers ...int) lockfiles.Options {
	return lockfiles.Options{Alive: func(owner lockfiles.Owner) bool { return !slices.Contains(numbers, owner.PID) }}
}

// numbers returns a worker's arguments from that one on.
func numbers(w *lab.Worker, from int) (all []int) {
	for ; w.Arg(from) != ""; from++ {
		all = append(all, w.Int(from))
	}
	return all
}

// stale returns the path of a lock whose owner was killed, and the owner's process id.
func stale(t *testing.T) (path string, pid int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "locks.json.lock")
	return path, abandon(t, path)
}

// abandon has a process acquire the locks and be killed.
func abandon(t *testing.T, paths ...string) (pid int) {
	t.Helper()
	owner := lab.Start(t, "hold", paths...)
	owner.Reached("holding", lab.Lesson{
		Says: "Acquire did not take a free lock", Did: "a process called Acquire, and nobody else had the lock",
		Means: "nobody can take a part out", Read: namesAndSteps,
	})
	owner.Kill()
	return owner.PID()
}

// acquire calls Acquire in this process. Acquire may not wait, whatever others are doing.
func acquire(t *testing.T, path string, o lockfiles.Options, l lab.Lesson) (lock *lockfiles.Lock, err error) {
	t.Helper()
	l.Says, l.Means = "Acquire does not return", "the program hangs behind a lock, and says nothing"
	lab.Finishes(t, func() { lock, err = lockfiles.Acquire(path, o) }, l)
	if err == nil {
		lab.RequireNotNil(t, lock, "Acquire", l)
	}
	return lock, err
}

// requireAcquired demands that an Acquire got the lock.
func requireAcquired(t *testing.T, path string, o lockfiles.Options, l lab.Lesson) *lockfiles.Lock {
	t.Helper()
	lock, err := acquire(t, path, o, l)
	lab.RequireNoError(t, err, l)
	return lock
}

func says(l lab.Lesson, headline string) lab.Lesson {
	l.Says = headline
	return l
}

// listing shows everything that is in a folder, with the content of its files.
func listing(t *testing.T, folder string) string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		name, _ := filepath.Rel(folder, path)
		if entry.IsDir() {
			found = append(found, filepath.ToSlash(name)+"/")
			return nil
		}
		if entry.Type()&os.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			found = append(found, filepath.ToSlash(name)+" -> "+target)
			return err
		}
		content, err := os.ReadFile(path)
		found = append(found, filepath.ToSlash(name)+": "+string(content))
		return err
	})
	lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not look into its own folder"})
	return strings.Join(found, "\n")
}
