package lockfiles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

// Here a process that calls Acquire or Release is stopped after each of its system calls that name something in the directory of the
// lock, and others act at that moment. No step of an answer is named: whatever calls it makes, it is stopped between them.

func init() { workers["step"] = step }

// step calls Acquire for each path that it is sent, on which the processes DEAD… may have left a lock, and Release when it is sent
// the path of a lock that it has.
func step(w *lab.Worker) error {
	locks := map[string]*lockfiles.Lock{}
	return lab.Steps(w, func(path string) any {
		lock := locks[path]
		if lock != nil {
			return outcomeOf(lock, lock.Release())
		}
		lock, err := lockfiles.Acquire(path, dead(numbers(w, 0)...))
		if err == nil {
			locks[path] = lock
		}
		return outcomeOf(lock, err)
	})
}

// A stepped process calls Acquire and Release step by step.
type stepped struct{ *lab.Stepper }

// startStepped starts a process that stops at its calls in dir.
func startStepped(t *testing.T, dir string, dead ...int) *stepped {
	t.Helper()
	var arguments []string
	for _, number := range dead {
		arguments = append(arguments, strconv.Itoa(number))
	}
	return &stepped{lab.Step(t, trace.Files, dir, "step", arguments...)}
}

var hangs = lab.Lesson{
	Says: "Acquire does not return", Did: "Acquire ran step by step beside nobody else", Read: twoBreakers,
}

// call has the process call Acquire, or Release if it has the lock, and calls at each time it is stopped, with a number from 1. It returns what became of it.
func (s *stepped) call(path string, at func(stop int, after string)) (o outcome) {
	s.Call(path, &o, func(stop lab.Stop) { at(stop.Number, stop.Call.Short(filepath.Dir(path))) }, hangs)
	return o
}

// lockIn returns the path of a lock in a directory of its own: an answer may look around beside its lock.
func lockIn(t *testing.T, dir string, number int) string {
	t.Helper()
	dir = filepath.Join(dir, fmt.Sprint(number))
	requireTool(t, os.MkdirAll(dir, 0o700))
	return filepath.Join(dir, "locks.json.lock")
}

func requireTool(t *testing.T, err error) {
	t.Helper()
	lab.RequireNoError(t, err, lab.Lesson{Says: "the test could not make its own files"})
}

// moments is how many stops of one Acquire are tried. A longer one fails the test, for what it does then is not known.
const moments = 100

// stride is 1, so that every stop is tried; at light effort it leaves most of them out.
var stride = moments / lab.Rounds(moments)

func requireFew(t *testing.T, stops int) {
	t.Helper()
	l := lab.Lesson{
		Says: "Acquire makes more calls than this test can try", Did: "Acquire was stopped after each of its calls about files and locks",
		Means: "nobody has looked at what happens between the later ones", Read: namesAndSteps,
	}
	l.Expected, l.Found = fmt.Sprintf("%d calls at most", moments), fmt.Sprintf("%d calls", stops)
	lab.Require(t, stops <= moments, l)
}

func TestABreakerMayBeStoppedAnywhere(t *testing.T) {
	t.Parallel()
	for _, beginning := range []string{"a stale lock", "a free lock"} {
		t.Run(beginning, func(t *testing.T) {
			t.Parallel()
			const apart = 2 // how many of Alice's calls lie between Bob and Carol at most
			var paths []string
			folder := t.TempDir()
			for i := range moments * (apart + 1) {
				paths = append(paths, lockIn(t, folder, i))
			}
			gone, read := 0, madeAside
			if beginning == "a stale lock" {
				gone, read = abandon(t, paths...), twoBreakers
			}
			alice := startStepped(t, folder, gone)
			stops := moments
			for bob := 1; bob <= stops; bob += stride {
				for carol := bob; carol <= min(stops, bob+apart); carol++ {
					stops = playThree(t, alice, paths[0], gone, bob, carol, read)
					requireFew(t, stops)
					paths = paths[1:]
				}
			}
		})
	}
	t.Run("while somebody puts a file at the path", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		alice := startStepped(t, folder)
		for at, stops := 1, 1; at <= stops; at += stride {
			path := lockIn(t, folder, at)
			notes := lab.WriteFile(t, "notes", "mine")
			put := false
			var after string
			stops = 0
			o := alice.call(path, func(stop int, call string) {
				stops = stop
				if stop == at {
					after, put = call, os.Link(notes, path) == nil // which takes no name that is taken
				}
			})
			requireFew(t, stops)
			if !put {
				continue
			}
			l := lab.Lesson{
				Did:   fmt.Sprintf("nobody had the lock; Alice's Acquire was stopped after its call %d, %s; then somebody else made a file at the path; Alice went on", at, after),
				Means: "a file that is no lock, and that somebody needs, is gone", Read: namesAndSteps,
			}
			lab.RequireFile(t, path, "mine", says(l, "Acquire took away a file that is no lock of its own"))
			l.Expected, l.Found = "an error", "the lock"
			lab.Require(t, !o.Got, says(l, "Acquire gave a lock where somebody's file stands"))
		}
	})
}

// playThree lets Bob call Acquire after Alice's call number bob, and Carol after number carol. It returns how often Alice was stopped.
func playThree(t *testing.T, alice *stepped, path string, gone, bob, carol int, read string) (stops int) {
	t.Helper()
	l := lab.Lesson{
		Says:     "Acquire gave one lock to two owners at once",
		Expected: "one of the three got the lock",
		Means:    "two programs write the same file, each sure to be alone, and one of them loses its work",
		Read:     read,
	}
	var owners, after, refused []string
	other := func(name, call string) {
		after = append(after, call)
		if lock, err := acquire(t, path, dead(gone), l); lock != nil {
			owners = append(owners, name)
		} else if !errors.Is(err, lockfiles.ErrLocked) {
			refused = append(refused, fmt.Sprint(name, " was told: ", err))
		}
	}
	got := alice.call(path, func(stop int, call string) {
		stops = stop
		if stop == bob {
			other("Bob", call)
		}
		if stop == carol {
			other("Carol", call)
		}
	})
	if got.Got {
		owners = append(owners, "Alice")
	} else if !errors.Is(got.Call.Err, lockfiles.ErrLocked) {
		refused = append(refused, fmt.Sprint("Alice was told: ", got.Call.Err))
	}
	if len(after) < 2 {
		return stops // Alice made fewer calls
	}
	l.Did = fmt.Sprintf("Alice's Acquire was stopped after its call %d, %s, and Bob called Acquire; after her call %d, %s, Carol did; then Alice went on",
		bob, after[0], carol, after[1])
	l.Found = strings.Join(owners, " and ") + " got it"
	lab.Require(t, len(owners) < 2, l)
	short := strings.NewReplacer(filepath.Dir(path)+"/", "")
	l.Found = short.Replace(fmt.Sprint("nobody got it; Alice was told: ", got.Call.Err))
	l.Means = "the lock is free, and everybody is sent away"
	lab.Require(t, len(owners) == 1, says(l, "Acquire gave a lock without an owner to nobody"))
	l.Expected, l.Found = "whoever did not get the lock is told an error that matches ErrLocked", short.Replace(strings.Join(refused, "; "))
	l.Means = "the program gives up with a puzzling message, where it should try again later"
	lab.Require(t, len(refused) == 0, says(l, "Acquire failed with another error than ErrLocked where somebody was faster"))
	return stops
}

func TestReleaseMayBeStoppedAnywhere(t *testing.T) {
	t.Parallel()
	for _, judged := range []string{"released", "lost"} {
		t.Run(judged, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			alice := startStepped(t, folder)
			for at, stops := 1, 1; at <= stops; at += stride {
				stops = playRelease(t, alice, lockIn(t, folder, at), at, judged == "lost")
				requireFew(t, stops)
			}
		})
	}
}

// playRelease lets Bob call Acquire after Alice's call number at of her Release, and Carol when both have come back. If it is to be
// lost, Bob's Alive judges Alice dead, wrongly. It returns how often Alice was stopped.
func playRelease(t *testing.T, alice *stepped, path string, at int, lost bool) (stops int) {
	t.Helper()
	l := lab.Lesson{Did: "a process called Acquire, and nobody else had the lock", Means: "nobody can take a part out", Read: theRelease}
	got := alice.call(path, func(int, string) {})
	lab.RequireNoError(t, got.Call.Err, says(l, "Acquire did not take a free lock"))

	var bob *lockfiles.Lock
	var errBob error
	asked := false
	released := alice.call(path, func(stop int, call string) {
		if stops = stop; stop != at {
			return
		}
		l.Did = fmt.Sprintf("Alice's Release was stopped after its call %d, %s; then Bob called Acquire; then Alice went on, and Carol called Acquire", at, call)
		bob, errBob = acquire(t, path, lockfiles.Options{Alive: func(owner lockfiles.Owner) bool {
			hers := owner.Token == got.Owner.Token
			asked = asked || hers
			return !hers || !lost
		}}, l)
	})
	if stops < at {
		return stops
	}
	l.Means = "the program gives up with a puzzling message, where it should try again later"
	if bob == nil {
		lab.RequireErrorIs(t, errBob, lockfiles.ErrLocked, says(l, "Acquire failed with another error than ErrLocked beside a Release"))
	}
	carol, errCarol := acquire(t, path, lockfiles.Options{}, l)
	if bob == nil {
		l.Means = "the lock is free, and everybody is sent away"
		lab.RequireNoError(t, errCarol, says(l, "Acquire did not take a lock that was released"))
		lab.RequireNoError(t, carol.Release(), says(l, "Release failed although the lock was held"))
		return stops
	}
	l.Means = "Bob is at work, his lock is gone, and Carol walks in: one of them loses his work"
	lab.RequireErrorIs(t, errCarol, lockfiles.ErrLocked, says(l, "Release gave back a lock that belongs to somebody else"))
	lab.RequireNoError(t, bob.Release(), says(l, "Release took away a lock that belongs to somebody else"))
	l.Means = "Alice saved her list after the lock was lost, perhaps over Bob's, and is never told"
	if lost && asked {
		lab.RequireErrorIs(t, released.Call.Err, lockfiles.ErrLost, says(l, "Release did not say that the lock was lost"))
	}
	return stops
}

func TestABreakerMayDieAnywhere(t *testing.T) {
	t.Parallel()
	for _, beginning := range []string{"a stale lock", "a free lock"} {
		t.Run(beginning, func(t *testing.T) {
			t.Parallel()
			for stop := 1; dieAt(t, beginning == "a stale lock", stop); stop += stride {
				requireFew(t, stop)
			}
		})
	}
}

// dieAt kills a breaker's process at a step of its Acquire and demands that Bob's goes well after that. It reports whether there is
// such a step.
func dieAt(t *testing.T, isStale bool, stop int) bool {
	t.Helper()
	path, gone := filepath.Join(t.TempDir(), "locks.json.lock"), 0
	did, read := "nobody had the lock", madeAside
	if isStale {
		path, gone = stale(t)
		did, read = "the lock's owner was killed", twoBreakers
	}
	dora := startStepped(t, filepath.Dir(path), gone)
	last, killed := dora.KillAt(path, stop, hangs)
	if !killed {
		return false
	}
	did += fmt.Sprintf("; Dora called Acquire and was killed after her call %d, %s", stop, last.Call.Short(filepath.Dir(path)))
	left := filepath.Join(t.TempDir(), "left")
	requireTool(t, os.CopyFS(left, os.DirFS(filepath.Dir(path))))

	judged, found := dead(gone, dora.PID()), map[int]bool{}
	alive := judged.Alive
	judged.Alive = func(owner lockfiles.Owner) bool {
		found[owner.PID] = true
		return alive(owner)
	}
	requireAcquired(t, path, judged, lab.Lesson{
		Says:     "After a crash in the middle of Acquire, nobody can acquire the lock",
		Did:      did + "; then Bob called Acquire, and Alive said that both are dead",
		Expected: "Bob gets the lock",
		Means:    "the lock is taken for ever, by nobody, until a person finds out which file to remove",
		Read:     read,
	})
	if len(found) > 1 { // what Dora has left names her, beside the owner before her: who breaks that?
		breakTwice(t, left, gone, dora.PID(), did)
	}
	return true
}

// breakTwice has Alice stand in her judgement of Dora, Bob stop at each of his calls, Alice go on to her end, and Bob go on. Each time
// they find a copy of what Dora has left.
func breakTwice(t *testing.T, left string, gone, dora int, did string) {
	t.Helper()
	dir := t.TempDir()
	bob := startStepped(t, dir, gone, dora)
	for at, stops := 1, 1; at <= stops; at += stride {
		path := filepath.Join(dir, fmt.Sprint(at), "locks.json.lock")
		requireTool(t, os.CopyFS(filepath.Dir(path), os.DirFS(left)))
		l := lab.Lesson{
			Says: "Acquire does not return", Means: "two programs write the same file, each sure to be alone, and one of them loses its work",
			Did: did + fmt.Sprintf("; Alice was asked whether Dora is alive; before she said no, Bob got as far as his call %d; Alice went on to her end, then Bob", at), Read: twoBreakers,
		}
		alice := lab.Start(t, "break", path, strconv.Itoa(dora), strconv.Itoa(gone))
		alice.Reached("judging", l)
		stops = 0
		var hers outcome
		his := bob.call(path, func(stop int, _ string) {
			if stops = stop; stop == at {
				alice.Continue()
				alice.Result(&hers, l)
			}
		})
		requireFew(t, stops)
		if stops < at {
			alice.Kill()
			return
		}
		l.Expected, l.Found = "one lock and one error", "two locks"
		lab.Require(t, !hers.Got || !his.Got, says(l, "Acquire gave one lock to two owners at once"))
	}
}
