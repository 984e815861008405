package lockfiles_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main(m, workers, lockfiles.ErrLocked, lockfiles.ErrLost, lockfiles.ErrUnknown)
}

// workers of files with build tags are added in their init.
var workers = lab.Workers{
	"hold": hold, "break": breakLock, "try": try, "judge": judge, "crowd": crowd,
	"count handles": countHandles, "change directory": changeDirectory, "release when closed": releaseWhenClosed,
}

// casesHere are the cases that files with build tags add to a test, by its name, in their init.
var casesHere = map[string]map[string]func(t *testing.T){}

func runCasesHere(t *testing.T) {
	t.Helper()
	for name, run := range casesHere[t.Name()] {
		t.Run(name, run)
	}
}

const (
	theBug       = `lessons/07_lock_files, "The bug"`
	whyItHappens = `lessons/07_lock_files, "Why it happens"`
	theFix       = `lessons/07_lock_files, "The fix"`
	smallerGaps  = `lessons/07_lock_files, "Smaller gaps"`
	isItAlive    = `lessons/07_lock_files, "Is the owner alive?"`
	madeAside    = `lessons/07_lock_files, "Made aside"`
	givingBack   = `lessons/07_lock_files, "Giving it back"`
	notYours     = `lessons/07_lock_files, "What you cannot read"`
	refusals     = `lessons/07_lock_files, "When the kernel refuses"`
)

// An outcome is what an Acquire or a Release returned in a worker.
type outcome struct {
	Owner lockfiles.Owner
	Got   bool // the call returned no error
	Call  lab.Returned
}

var errNothing = errors.New("neither a lock nor an error came from Acquire")

func outcomeOf(lock *lockfiles.Lock, err error) outcome {
	if lock == nil && err == nil {
		err = errNothing
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
		if lock == nil {
			return errNothing
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

// dead is the judgement of a caller who knows which processes have ended.
func dead(numbers ...int) lockfiles.Options {
	return lockfiles.Options{Alive: func(owner lockfiles.Owner) bool { return !slices.Contains(numbers, owner.PID) }}
}

// allDead calls every owner dead.
var allDead = lockfiles.Options{Alive: func(lockfiles.Owner) bool { return false }}

// numbers returns a worker's arguments from that one on.
func numbers(w *lab.Worker, from int) (all []int) {
	for ; w.Arg(from) != ""; from++ {
		all = append(all, w.Int(from))
	}
	return all
}

// newPath returns the path of a lock in a directory of its own: an answer may look around beside its lock.
func newPath(t *testing.T) string {
	t.Helper()
	return lab.Path(t, "locks.json.lock")
}

// stale returns the path of a lock whose owner was killed, and the owner's process id.
func stale(t *testing.T) (path string, pid int) {
	t.Helper()
	path = newPath(t)
	return path, abandon(t, path)
}

// abandon has a process acquire the locks and be killed.
func abandon(t *testing.T, paths ...string) (pid int) {
	t.Helper()
	owner := lab.Start(t, "hold", paths...)
	owner.Reached("holding", freeLock)
	owner.Kill()
	return owner.PID()
}

// freeLock is the message of an Acquire that did not take a free lock.
var freeLock = lab.Lesson{
	Says: "Acquire did not take a free lock", Did: "a process called Acquire, and no other process had the lock",
	Means: "the program cannot work at all", Read: theFix,
}

// acquire calls Acquire in this process. Acquire may not wait, whatever others are doing.
func acquire(t *testing.T, path string, o lockfiles.Options, l lab.Lesson) (lock *lockfiles.Lock, err error) {
	t.Helper()
	l.Says = "Acquire does not return"
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

// requireIs is lab.RequireErrorIs for an error of the package, which the message calls by its name. The error may match no other one:
// each of them asks the caller for something else.
func requireIs(t *testing.T, err, sentinel error, l lab.Lesson) {
	t.Helper()
	sentinels := map[string]error{"ErrLocked": lockfiles.ErrLocked, "ErrLost": lockfiles.ErrLost, "ErrUnknown": lockfiles.ErrUnknown}
	for name, named := range sentinels {
		if named == sentinel { //nolint:errorlint // which of the three it is
			l.Expected = "an error that matches " + name
		}
	}
	lab.RequireErrorIs(t, err, sentinel, l)
	for name, other := range sentinels {
		if other != sentinel && errors.Is(err, other) { //nolint:errorlint // which of the three it is
			l.Expected += " alone"
			l.Found = "it matches " + name + ", too: " + err.Error()
			lab.Fail(t, means(l, "An error gives two reasons at once", "the program does what the first one that it asks for tells it to do"))
		}
	}
}

// requireLocked demands that an Acquire finds the lock taken.
func requireLocked(t *testing.T, path string, l lab.Lesson) {
	t.Helper()
	_, err := acquire(t, path, lockfiles.Options{}, l)
	requireIs(t, err, lockfiles.ErrLocked, l)
}

func release(t *testing.T, lock *lockfiles.Lock, l lab.Lesson) (err error) {
	t.Helper()
	l.Says = "Release does not return"
	lab.Finishes(t, func() { err = lock.Release() }, l)
	return err
}

func means(l lab.Lesson, headline, meaning string) lab.Lesson {
	l.Says, l.Means = headline, meaning
	return l
}

// listing shows everything below a directory, if that exists, with the content of its files and links.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if path == dir && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		name = filepath.ToSlash(name)
		switch {
		case entry.IsDir():
			found = append(found, name+"/")
			return nil
		case entry.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			found = append(found, name+" -> "+target)
			return err
		case !entry.Type().IsRegular():
			found = append(found, name+": "+entry.Type().String())
			return nil
		}
		content, err := os.ReadFile(path)
		found = append(found, name+": "+string(content))
		return err
	})
	lab.RequireSetUp(t, err)
	return strings.Join(found, "\n")
}

// standing shows what is at path, and nothing that is beside it.
func standing(t *testing.T, path string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(listing(t, filepath.Dir(path))) {
		name := filepath.Base(path)
		if rest, ok := strings.CutPrefix(line, name); ok && strings.HasPrefix(strings.TrimLeft(rest, " "), "->") ||
			strings.HasPrefix(line, name+":") || strings.HasPrefix(line, name+"/") {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, ""))
}
