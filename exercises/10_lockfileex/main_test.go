package lockfileex_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	lockfileex "example/turnstile/exercises/10_lockfileex"
	"example/turnstile/exercises/10_lockfileex/winfile"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"owner": owner, "add": add, "jobs": jobs, "crowd": crowd, "nested": nested, "between": between, "moves": moves, "from": from,
		"leaves": leaves,
	},
		lockfileex.ErrLocked, winfile.ERROR_LOCK_VIOLATION, winfile.ERROR_NOT_LOCKED, errTest)
}

// Where the messages send the reader.
const (
	why       = `lessons/10_lockfileex, "Why it happens"`
	fix       = `lessons/10_lockfileex, "The fix"`
	numbers   = `lessons/10_lockfileex, "Five numbers"`
	unlocks   = `lessons/10_lockfileex, "Two locks, two unlocks"`
	handles   = `lessons/10_lockfileex, "Handles that cannot be locked, or do not wait"`
	closing   = `lessons/10_lockfileex, "Closing is not unlocking"`
	refusals  = `lessons/10_lockfileex, "When the system refuses"`
	sameRange = `lessons/10_lockfileex, "A range of no one's bytes"`
	yourTurn  = `lessons/10_lockfileex, "Your turn"`
)

var errTest = errors.New("the test's own error")

var verbs = map[string]func(*winfile.File) error{
	"Lock": lockfileex.Lock, "RLock": lockfileex.RLock, "TryLock": lockfileex.TryLock, "TryRLock": lockfileex.TryRLock,
	"Downgrade": lockfileex.Downgrade, "Unlock": lockfileex.Unlock,
}

// owner opens the file at PATH, "plain" or "overlapped" as HOW says, calls each of VERBS, and stands at "holding" when it has the locks.
// Then it sends how many calls of the system that took, and unlocks.
func owner(w *lab.Worker) (err error) {
	open := openPlain
	if w.Arg(1) == "overlapped" {
		open = openOverlapped
	}
	f, err := open(w.Arg(0))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	calls := 0
	undo := winfile.Intercept(w.Arg(0), func(string) error { calls++; return nil })
	for _, verb := range strings.Fields(w.Arg(2)) {
		if err := verbs[verb](f); err != nil {
			return err
		}
	}
	undo()
	w.Reached("holding")
	return errors.Join(w.Result(calls), lockfileex.Unlock(f))
}

func openPlain(path string) (*winfile.File, error) { return winfile.OpenFile(path, os.O_RDWR, 0) }

func openOverlapped(path string) (*winfile.File, error) {
	return winfile.OpenWith(path, os.O_RDWR, 0, winfile.FILE_SHARE_READ|winfile.FILE_SHARE_WRITE, winfile.FILE_FLAG_OVERLAPPED)
}

// A handle is one of the test's own process, and so an owner.
type handle struct {
	*winfile.File
	t *testing.T
}

func openHandle(t *testing.T, path string) handle {
	t.Helper()
	f, err := openPlain(path)
	return keep(t, f, err)
}

func keep(t *testing.T, f *winfile.File, err error) handle {
	t.Helper()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("%s has neither LockFileEx nor flock(2), which the model of it needs", runtime.GOOS)
	}
	lab.RequireSetUp(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return handle{f, t}
}

// do calls a function of the package that must return.
func (h handle) do(verb string, l lab.Lesson) (err error) {
	h.t.Helper()
	lab.Finishes(h.t, func() { err = verbs[verb](h.File) }, l.Say("%s does not return, and need not wait for another handle", verb))
	return err
}

func (h handle) succeed(verb string, l lab.Lesson) {
	h.t.Helper()
	lab.RequireNoError(h.t, h.do(verb, l), l)
}

// get takes a lock that is free. It is for the beginning of a story.
func (h handle) get(verb string) {
	h.t.Helper()
	h.succeed(verb, lab.Lesson{
		Says: verb + " did not get a lock that was free", Did: verb + "; no other handle had a lock", Read: fix,
		Means: "the program cannot work at all",
	})
}

// refused demands that a Try finds a lock in its way.
func (h handle) refused(verb string, l lab.Lesson) {
	h.t.Helper()
	l.Expected = verb + " returns an error that matches ErrLocked"
	lab.RequireErrorIs(h.t, h.do(verb, l), lockfileex.ErrLocked, l)
}

// takes demands that a Try succeeds, and unlocks.
func (h handle) takes(verb string, l lab.Lesson) {
	h.t.Helper()
	h.succeed(verb, tells(l, l.Says, "others wait, although nothing is there that must keep them out"))
	h.unlock(lab.Lesson{Did: verb + ", which succeeded, and Unlock", Read: sameRange})
}

// unlock gives locks back that the handle has.
func (h handle) unlock(l lab.Lesson) {
	h.t.Helper()
	h.succeed("Unlock", tells(l, "Unlock failed", "the next one waits for a lock that no one uses"))
}

// tells returns the lesson with another headline and meaning.
func tells(l lab.Lesson, says, means string) lab.Lesson {
	l.Says, l.Means = says, means
	return l
}

func file(t *testing.T, content string) (path string) {
	t.Helper()
	return lab.WriteFile(t, "jobs.txt", content)
}

// mandatory skips the test where locks keep no one from reading and writing.
func mandatory(t *testing.T) {
	t.Helper()
	if lab.Wine() {
		t.Skip("Wine reads and writes locked ranges, so that nothing goes wrong here that goes wrong on Windows")
	}
}

// refuse makes each call of that name on the file fail.
func refuse(t *testing.T, path, call string, err error) (undo func()) {
	t.Helper()
	return refuseFirst(t, path, call, math.MaxInt, err)
}

// refuseFirst makes the first calls of that name on the file fail, at most so many.
func refuseFirst(t *testing.T, path, call string, most int, err error) (undo func()) {
	t.Helper()
	undo = winfile.Intercept(path, func(name string) error {
		if name == call && most > 0 {
			most--
			return err
		}
		return nil
	})
	t.Cleanup(undo)
	return undo
}

// errInWords has the texts of the errors that mean something, and none of their numbers.
var errInWords = fmt.Errorf("the server wrote: %s; %s; %s",
	winfile.ERROR_LOCK_VIOLATION, winfile.ERROR_NOT_LOCKED, winfile.ERROR_IO_PENDING)

// reasons are what the system may give for a refusal. ERROR_LOCK_VIOLATION is one more, but to a Try it says that a lock is in the way.
var (
	reasons = []error{
		winfile.ERROR_NOT_ENOUGH_MEMORY, winfile.ERROR_ACCESS_DENIED, winfile.ERROR_NOT_SUPPORTED, winfile.ERROR_INVALID_PARAMETER,
		winfile.ERROR_SHARING_VIOLATION, errInWords,
	}
	allReasons = append(slices.Clone(reasons), winfile.ERROR_LOCK_VIOLATION)
)
