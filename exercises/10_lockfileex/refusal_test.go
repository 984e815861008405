package lockfileex_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	lockfileex "example/turnstile/exercises/10_lockfileex"
	"example/turnstile/exercises/10_lockfileex/winfile"
	"example/turnstile/internal/lab"
)

// requireReason demands an error that is no other handle's lock, and that keeps its reason.
func requireReason(t *testing.T, verb string, err, reason error, l lab.Lesson) {
	t.Helper()
	lab.RequireError(t, err, l)
	l.Means = "the program waits for another owner, who does not exist, and never says what is wrong"
	l.Expected, l.Found = "an error that does not match ErrLocked", err.Error()
	lab.Require(t, !errors.Is(err, lockfileex.ErrLocked), l.Say("%s reported another handle's lock, and there is none", verb))
	l.Expected, l.Found = "", ""
	lab.RequireErrorIs(t, err, reason, l.Say("%s did not report why it failed", verb))
}

const lost = "the program is no longer alone, or a writer is beside it while it reads, and it does not know"

func TestARefusedLockIsNotALockedFile(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Lock", "RLock", "TryLock", "TryRLock"} {
		for i, reason := range allReasons {
			if reason == winfile.ERROR_LOCK_VIOLATION && strings.HasPrefix(verb, "Try") {
				continue // that is a lock in the way
			}
			path := file(t, "1 bracket\n")
			a, b := openHandle(t, path), openHandle(t, path)
			l := lab.Lesson{
				Says: verb + " returned no error although the system had refused the lock", Read: refusals,
				Did:   verb + "; no other handle had a lock; LockFileEx failed with " + reason.Error(),
				Means: "the program goes on without a lock, beside every other one that does the same",
			}
			if i%2 == 1 { // the handle has a lock already
				a.get("RLock")
				l.Did = "RLock; then " + l.Did
			}
			calls, most := 0, 2 // of a Lock that tries before it waits
			if strings.HasPrefix(verb, "Try") {
				most = 1
			}
			undo := winfile.Intercept(path, func(call string) error {
				if call != "LockFileEx" {
					return nil
				}
				calls++
				return reason
			})
			t.Cleanup(undo)
			requireReason(t, verb, a.do(verb, l), reason, l)
			undo()
			again := tells(l, verb+" asks again after the system has refused", "the program waits, and no one learns what is wrong")
			again.Expected, again.Found = "one call of LockFileEx", fmt.Sprintf("%d calls", calls)
			lab.Require(t, calls <= most, again)
			if i%2 == 1 {
				b.refused("TryLock", tells(l, verb+" failed, and its handle lost the lock that it had before", lost))
				a.unlock(l)
			}
			b.takes("TryLock", l.Say("%s failed and kept a lock", verb))
		}
	}
}

func TestALockOnAHandleThatCannotBeLocked(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Lock", "RLock", "TryLock", "TryRLock"} {
		path := file(t, "1 bracket\n")
		l := lab.Lesson{
			Says: verb + " returned no error for a handle that cannot be locked", Means: "the program goes on without a lock", Read: handles,
			Did: verb + " of a closed file",
		}
		f := openHandle(t, path)
		lab.RequireSetUp(t, f.Close())
		err := f.do(verb, l)
		requireReason(t, verb, err, err, l)
		if lab.Wine() {
			continue // it locks an append-only handle
		}
		l.Did = verb + " of a file that was opened with O_WRONLY and O_APPEND"
		appending, err := winfile.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		requireReason(t, verb, keep(t, appending, err).do(verb, l), fs.ErrPermission, l)
	}
}

func TestARequestThatFailsIsNotALock(t *testing.T) {
	t.Parallel()
	if lab.Wine() {
		t.Skip("Wine reports a pending lock of an overlapped handle as granted")
	}
	for _, verb := range []string{"Lock", "RLock"} {
		for i, reason := range allReasons {
			older := verb == "Lock" && i%2 == 1 // the handle has a lock already, which is another one that it waits for
			path := file(t, "1 bracket\n")
			lab.RequireSetUp(t, os.Link(path, path+".overlapped")) // the same file by a name of which the calls are intercepted
			f, err := openOverlapped(path + ".overlapped")
			a, b, c := openHandle(t, path), keep(t, f, err), openHandle(t, path)
			l := lab.Lesson{
				Says: verb + " of an overlapped handle returned no error although its request had failed", Read: handles,
				Did:   "Lock; then " + verb + " with an overlapped handle, whose request ended with " + reason.Error(),
				Means: "the program goes on without a lock",
			}
			if older {
				l.Did = "RLock with two handles, one of them overlapped; then Lock with this one, whose request ended with " + reason.Error()
				a.get("RLock")
				b.get("RLock")
			} else {
				a.get("Lock")
			}
			refuse(t, path+".overlapped", "GetOverlappedResult", reason)
			requireReason(t, verb, b.do(verb, l), reason, l)
			a.unlock(l)
			l.Did += "; then Unlock of the other, and TryLock with a third handle"
			if older {
				c.refused("TryLock", tells(l, "Lock failed, and its handle lost the lock that it had before", lost))
				b.unlock(l)
			}
			c.takes("TryLock", l.Say("%s failed, and has a lock all the same", verb))
		}
	}
	t.Run("and ends no other one", func(t *testing.T) { // in this test, and not beside the requests above
		for _, verb := range []string{"Lock", "RLock"} {
			path := file(t, "1 bracket\n")
			a := openHandle(t, path)
			var b [2]handle
			var names [2]string // the same file by names of which the calls are intercepted
			for i := range b {
				names[i] = fmt.Sprintf("%s.%d", path, i)
				lab.RequireSetUp(t, os.Link(path, names[i]))
				f, err := openOverlapped(names[i])
				b[i] = keep(t, f, err)
			}
			l := lab.Lesson{
				Says: verb + " mistook another handle's request for its own", Read: handles,
				Did: "Lock; two goroutines called " + verb + " with an overlapped handle each, and the request of the second was refused; " +
					"then Unlock, for the first",
				Means: "of two goroutines that wait, one goes on without a lock, or waits for ever",
			}
			asked, goOn := make(chan struct{}), make(chan struct{})
			ask, release := sync.OnceFunc(func() { close(asked) }), sync.OnceFunc(func() { close(goOn) })
			t.Cleanup(release)
			t.Cleanup(winfile.Intercept(names[0], func(call string) error {
				if call == "GetOverlappedResult" {
					ask()
					<-goOn
				}
				return nil
			}))
			refuse(t, names[1], "GetOverlappedResult", winfile.ERROR_NOT_ENOUGH_MEMORY)
			a.get("Lock")
			first := make(chan error, 1)
			go func() { first <- verbs[verb](b[0].File) }()
			lab.Finishes(t, func() {
				select {
				case <-asked:
				case err := <-first:
					first <- err
				}
			}, l.Say("%s of an overlapped handle does not wait for its request", verb))
			lab.RequireErrorIs(t, b[1].do(verb, l), winfile.ERROR_NOT_ENOUGH_MEMORY, l.Say("%s did not report how its request ended", verb))
			release()
			a.unlock(l)
			var err error
			lab.Finishes(t, func() { err = <-first }, l)
			lab.RequireNoError(t, err, l)
			a.refused("TryLock", l)
			b[0].unlock(l)
		}
	})
}

func TestUnlockReportsWhatTheSystemRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		locks []string
		after int // calls of UnlockFileEx that succeed
		did   string
	}{
		{"at the first call", []string{"Lock"}, 0, "Lock and Unlock, with UnlockFileEx refused"},
		{"at the second call", []string{"Lock", "RLock"}, 1, "Lock, RLock and Unlock, with the second UnlockFileEx refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, reason := range append(slices.Clone(allReasons), winfile.ERROR_INVALID_HANDLE) {
				path := file(t, "1 bracket\n")
				a := openHandle(t, path)
				l := lab.Lesson{
					Says: "Unlock did not report what the system had refused", Did: c.did + ": " + reason.Error(), Read: refusals,
					Means: "everyone else waits, and the program believes that it has given the lock back",
				}
				for _, verb := range c.locks {
					a.get(verb)
				}
				calls := 0
				undo := winfile.Intercept(path, func(call string) error {
					if call != "UnlockFileEx" {
						return nil
					}
					calls++
					if calls > c.after {
						return reason
					}
					return nil
				})
				lab.RequireErrorIs(t, a.do("Unlock", l), reason, l)
				undo()
			}
		})
	}
}
