package lockfiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
)

func TestTwoBreakersOfOneLock(t *testing.T) {
	t.Parallel()
	path, gone := stale(t)
	l := lab.Lesson{
		Did: "a process with the lock was killed; Alice called Acquire, and her Alive was asked; before it returned false, Bob called Acquire; " +
			"then Alice went on",
		Means: "both change locks.json, each sure to be alone, and one of the changes is lost",
		Read:  whyItHappens,
	}

	alice := lab.Start(t, "break", path, fmt.Sprint(gone))
	alice.Reached("judging", means(l, "Acquire did not ask Alive about the owner of a lock", "the lock of an owner at work is taken away"))
	bob, errBob := acquire(t, path, dead(gone), l)
	alice.Continue()
	var hers outcome
	alice.Result(&hers, l.Say("Acquire does not return"))

	both := l.Say("Acquire gave one lock to two owners at once")
	both.Expected, both.Found = "one lock and one error", "two locks"
	lab.Require(t, bob == nil || !hers.Got, both)
	none := means(l, "Acquire gave a lock whose owner is dead to neither of two processes",
		"a process crash stops the workshop until a person removes the lock by hand")
	none.Expected, none.Found = "one of them gets the lock", fmt.Sprintf("Alice got: %v; Bob got: %v", hers.Call.Err, errBob)
	lab.Require(t, bob != nil || hers.Got, none)
	if bob != nil {
		requireIs(t, hers.Call.Err, lockfiles.ErrLocked, means(l,
			"Acquire failed with another error than ErrLocked where another process was faster",
			"the program gives up with a puzzling message, where it should say who has the lock"))
	}
}

func TestAcquireBreaksTheLockOfADeadProcess(t *testing.T) {
	t.Parallel()
	t.Run("while Alive judges, it becomes", changedMeanwhile)
	const stops = "a process crash stops the workshop until a person removes the lock by hand"
	path, _ := stale(t)
	l := lab.Lesson{
		Did:   "a process had the lock and was killed; Acquire was called, with the Alive of your package",
		Means: stops, Read: theBug,
	}
	lock := requireAcquired(t, path, lockfiles.Options{}, l.Say("Acquire did not break the lock of a process that is dead"))
	lab.RequireEqual(t, os.Getpid(), lock.Owner().PID, l.Say("Acquire left another process's number as the owner of the lock"))
	l.Did += "; another process called Acquire"
	other := lab.Start(t, "try", path)
	var theirs outcome
	other.Result(&theirs, l.Say("Acquire does not return"))
	requireIs(t, theirs.Call.Err, lockfiles.ErrLocked,
		means(l, "Acquire gave a broken lock to a second owner", "two programs write the same file"))
}

// changedMeanwhile is about what is at the path when Alive has returned, which may be a day later: it need not be what Alive has judged.
func changedMeanwhile(t *testing.T) {
	t.Helper()
	replace := func(path, file string) error {
		return errors.Join(os.RemoveAll(path), os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("mine"), 0o600))
	}
	for _, c := range []struct {
		name, did string
		change    func(path string, owner *lockfiles.Lock) error
		refusals  []error // none: the lock is free
	}{
		{"free", "the owner gave the lock back", func(_ string, owner *lockfiles.Lock) error {
			return owner.Release()
		}, nil},
		{"the lock of another owner", "the owner gave the lock back, and another one took it", func(path string, owner *lockfiles.Lock) error {
			err := owner.Release()
			_, taken := lockfiles.Acquire(path, lockfiles.Options{})
			return errors.Join(err, taken)
		}, []error{lockfiles.ErrLocked}},
		{"a file", "a person put a file in the place of the lock", func(path string, _ *lockfiles.Lock) error {
			return replace(path, path)
		}, []error{lockfiles.ErrLocked, lockfiles.ErrUnknown}},
		{"a directory", "a person put a directory with notes in the place of the lock", func(path string, _ *lockfiles.Lock) error {
			return replace(path, filepath.Join(path, "notes.txt"))
		}, []error{lockfiles.ErrLocked, lockfiles.ErrUnknown}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && c.name == "a file" {
				t.Skip("the rename of a directory replaces a file on Windows")
			}
			path := newPath(t)
			l := lab.Lesson{
				Did:  "a process had the lock; Acquire was called; while its Alive judged, " + c.did + "; then Alive returned false",
				Read: whyItHappens,
			}
			owner := requireAcquired(t, path, lockfiles.Options{}, freeLock)
			var changed error
			var meanwhile string
			var waited time.Duration
			err := errors.New("it never returned")
			inABubble(t, func() {
				began := time.Now()
				_, err = lockfiles.Acquire(path, lockfiles.Options{Alive: func(judged lockfiles.Owner) bool {
					if judged.Token != owner.Owner().Token {
						return true
					}
					changed = c.change(path, owner)
					meanwhile = standing(t, path)
					return false
				}})
				waited = time.Since(began)
			})
			lab.RequireNoError(t, changed, means(l, "Acquire or Release failed while another Acquire was asking Alive",
				"Alive may take a day, and the lock cannot be used meanwhile"))
			if len(c.refusals) == 0 {
				lab.RequireNoError(t, err, means(l, "Acquire did not take a lock that was given back while Alive judged",
					"the lock is free, and the process is sent away, as if another one had it"))
			} else {
				lab.RequireEqual(t, meanwhile, standing(t, path), means(l, "Acquire changed what is not the lock that Alive has judged",
					"a file that a person needs is gone, or an owner works without its lock"))
				l := l
				l.Expected, l.Found = "an error that matches ErrLocked", fmt.Sprint(err)
				if len(c.refusals) > 1 {
					l.Expected += " or ErrUnknown"
				}
				lab.Require(t, slices.ContainsFunc(c.refusals, func(refusal error) bool { return errors.Is(err, refusal) }),
					means(l, "Acquire did not report that the path was taken meanwhile",
						"the program works without a lock, or gives up with a puzzling message"))
			}
			if runtime.GOOS == "windows" {
				return // package names tries again there
			}
			lab.RequireEqual(t, "it waited 0s", fmt.Sprint("it waited ", waited), means(l, "Acquire waits",
				"the caller may have something better to do, and alone knows how long it can wait"))
		})
	}
}

// countHandles does with the lock PATH whatever leads Acquire or Release to another return, once and then ten times more; each time
// Acquire finds something else than a lock at OTHER…, too. It sends how many handles were open after the first time, and the last time
// before and after Release, and what went wrong.
func countHandles(w *lab.Worker) error {
	debug.SetGCPercent(-1) // the collector would close a file that is no longer in use
	var open []int
	count := func() error {
		handles, err := lab.OpenHandles()
		open = append(open, handles)
		return err
	}
	turn := func(last bool) error {
		lost, err := lockfiles.Acquire(w.Arg(0), allDead) // it is lost to the second one
		if err != nil {
			return err
		}
		_, _ = lockfiles.Acquire(w.Arg(0), lockfiles.Options{})
		for i := 1; w.Arg(i) != ""; i++ {
			_, _ = lockfiles.Acquire(w.Arg(i), allDead) // other tests ask what these return
		}
		lock, err := lockfiles.Acquire(w.Arg(0), allDead)
		if err != nil {
			return err
		}
		_ = lost.Release()
		if last {
			err = count()
		}
		return errors.Join(err, lock.Release())
	}
	for n := range 11 {
		if err := turn(n == 10); err != nil {
			return errors.Join(w.Result(lab.Returned{Err: err}), w.Result(open))
		}
		if n == 0 || n == 10 {
			if err := count(); err != nil {
				return err
			}
		}
	}
	return errors.Join(w.Result(lab.Returned{}), w.Result(open))
}

func TestTakingAndReleasingLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		if _, err := lab.OpenHandles(); errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system does not tell which handles are open: ", err)
		}
		l := lab.Lesson{
			Did: "a lock was taken, refused, broken, lost and given back, and at other paths Acquire found a file, a directory, half a lock, one " +
				"with more in it, and no directory to be in; then all that ten times more",
			Means: "a program that runs for weeks reaches its limit of open files, and fails in some other place", Read: givingBack,
		}
		half, more := newPath(t), newPath(t)
		abandon(t, half, more)
		fillLock(t, half, func(text string) string { return text[:len(text)/2] })
		fillLock(t, more, func(text string) string { return text + text })
		notes := lab.WriteFile(t, "notes", "mine")
		worker := lab.Start(t, "count handles", newPath(t), notes, filepath.Dir(notes), half, more,
			filepath.Join(filepath.Dir(notes), "missing", "locks.json.lock"))
		failed := means(l, "Acquire or Release failed where no other process was at work",
			"a lock that was given back, or whose owner Alive calls dead, cannot be taken, or one that is held cannot be given back")
		var returned lab.Returned
		worker.Result(&returned, failed)
		lab.RequireNoError(t, returned.Err, failed)
		var open []int
		worker.Result(&open, failed)
		lab.RequireEqual(t, fmt.Sprint(open[0], " open handles"), fmt.Sprint(open[2], " open handles"),
			l.Say("Acquire or Release leave handles open"))
		lab.RequireEqual(t, fmt.Sprint(open[0], " open handles"), fmt.Sprint(open[1], " open handles"),
			l.Say("Acquire leaves a handle open as long as the lock is held"))
	})
	t.Run("on the disk", leavesNoFiles)
}

func leavesNoFiles(t *testing.T) {
	t.Parallel()
	path, _ := stale(t)
	l := lab.Lesson{
		Did:   "the lock of a dead process was broken, and released",
		Means: "every crash and every lock leaves something for good: in a year the directory is full of it",
		Read:  givingBack,
	}
	lock := requireAcquired(t, path, lockfiles.Options{}, means(l, "Acquire did not break the lock of a process that is dead",
		"a process crash stops the workshop until a person removes the lock by hand"))
	lab.RequireNoError(t, release(t, lock, l), means(l, "Release failed although the lock was held",
		"the lock stays taken, and every other process is sent away"))
	once := listing(t, filepath.Dir(path))
	l.Did += "; then a lock was taken, broken and released ten times at the same path"
	unusable := l
	unusable.Means = "a lock that was used once cannot be used again"
	tokens := map[string]bool{lock.Owner().Token: true}
	for range 10 {
		lock := requireAcquired(t, path, lockfiles.Options{}, unusable.Say("Acquire did not take a lock that was released"))
		broken := requireAcquired(t, path, allDead, unusable.Say("Acquire did not break a lock that Alive judged dead"))
		lab.RequireNoError(t, release(t, broken, l), unusable.Say("Release failed although the lock was held"))
		tokens[lock.Owner().Token], tokens[broken.Owner().Token] = true, true
	}
	lab.RequireEqual(t, once, listing(t, filepath.Dir(path)), l.Say("Acquire or Release leave files behind"))
	lab.RequireEqual(t, 21, len(tokens), means(l, "Acquire gave two locks of one process the same token",
		"a judgement about one lock hits another one of the same process"))
	var varied int
	for i := range lock.Owner().Token {
		seen := map[string]bool{}
		for token := range tokens {
			seen[token[min(i, len(token)):min(i+1, len(token))]] = true
		}
		if len(seen) > 1 {
			varied++
		}
	}
	const enough = 20
	l.Expected, l.Found = fmt.Sprint("at least ", enough, " letters that differ"), fmt.Sprint(varied, ", as in ", lock.Owner().Token)
	lab.Require(t, varied >= enough, means(l, "Acquire makes tokens that can be guessed, or that come again",
		"some day two locks have the same token, and a slow breaker that judged one takes the other away"))
}
