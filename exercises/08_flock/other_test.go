//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package flock_test

import (
	"errors"
	"runtime"
	"testing"

	flock "example/turnstile/exercises/08_flock"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, nil) }

func TestLock(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]func(path string) (*flock.Held, error){
		"Lock": flock.Lock, "RLock": flock.RLock, "TryLock": flock.TryLock, "TryRLock": flock.TryRLock,
	} {
		path := lab.Path(t, "stock.json.lock")
		_, err := lock(path)
		lesson := lab.Lesson{
			Says:  name + " does not say that this system has no flock(2)",
			Did:   name + " was called on " + runtime.GOOS,
			Means: "the program goes on without a lock",
			Read:  `lessons/08_flock, "On each system"`,
		}
		lab.RequireErrorIs(t, err, errors.ErrUnsupported, lesson)
		lesson.Says = name + " created a file although it cannot lock it"
		lab.RequireNoFile(t, path, lesson)
	}
	t.Skip(runtime.GOOS + " has no flock(2), so there is nothing to repair here; lesson 10 is about the locks of Windows")
}
