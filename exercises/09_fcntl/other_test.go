//go:build !linux

package fcntl_test

import (
	"errors"
	"runtime"
	"testing"

	fcntl "example/turnstile/exercises/09_fcntl"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, nil) }

func TestLock(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "parts.table", "")
	row := fcntl.Rows{First: 0, Count: 1}
	lock := func(call func(string, fcntl.Rows) (*fcntl.Held, error)) func() error {
		return func() error { _, err := call(path, row); return err }
	}
	for name, call := range map[string]func() error{
		"Lock": lock(fcntl.Lock), "RLock": lock(fcntl.RLock), "TryLock": lock(fcntl.TryLock), "TryRLock": lock(fcntl.TryRLock),
		"Locked": func() error { _, err := fcntl.Locked(path, row); return err },
	} {
		lab.RequireErrorIs(t, call(), errors.ErrUnsupported, lab.Lesson{
			Says:  name + " does not say that this system has no open file description locks",
			Did:   name + " was called on " + runtime.GOOS,
			Means: "the program goes on without a lock, or with one that ends when any handle of the file is closed",
			Read:  `lessons/09_fcntl, "On each system"`,
		})
	}
	t.Skip("Go offers no open file description locks on " + runtime.GOOS + ", so there is nothing to repair here; the tests run on Linux")
}
