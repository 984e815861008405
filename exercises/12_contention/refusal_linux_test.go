package contention_test

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	contention "example/turnstile/exercises/12_contention"
	"example/turnstile/internal/lab"
)

func init() { workers["strained"] = strained }

// strained calls Lock for PATH, and lives on.
func strained(w *lab.Worker) error {
	held, err := contention.Lock(context.Background(), w.Arg(0))
	if err == nil && held == nil {
		err = errNothing
	}
	if err := w.Result(lab.Returned{Err: err}); err != nil {
		return err
	}
	w.Reached("done")
	return nil
}

func TestLockDoesNotGoOnWithoutTheKernel(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "it works without the lock, or out of turn, beside programs that keep to it", Read: turnstile}
	t.Run("for the line", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			l := says(l, "Lock went on although the kernel had refused it a lock")
			l.Did = "Lock and RLock; flock(2) failed with " + errno.Error()
			for _, lock := range []func() (*contention.Held, error){
				func() (*contention.Held, error) { return contention.Lock(t.Context(), lab.Path(t, "stock.json.lock")) },
				func() (*contention.Held, error) { return contention.RLock(t.Context(), lab.Path(t, "stock.json.lock")) },
			} {
				var err, refused error
				lab.Finishes(t, func() { refused = lab.Refuse("flock", errno, func() { _, err = lock() }) }, l)
				lab.RequireRefuse(t, refused)
				lab.RequireErrorIs(t, err, errno, l)
			}
		}, syscall.ENOLCK, syscall.ENOSYS, syscall.EIO)
	})
	t.Run("for one of the files", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "stock.json.lock", "")
		for _, file := range append(linesOf(t, path), path) {
			name := filepath.Base(file)
			l := says(l, "Lock went on although the kernel had refused it the lock on %s", name)
			l.Did = "Lock; the lock on " + name + " failed with ENOLCK (injected by strace)"
			wrap, _ := lab.Strace(t, "-P", file, "-e", "inject=flock,fcntl:error=ENOLCK")
			p := lab.Launch(t, lab.Options{Wrap: wrap}, "strained", path)
			var r lab.Returned
			p.Result(&r, l)
			lab.Require(t, !errors.Is(r.Err, errNothing), says(l, "Lock returned neither a lock nor an error"))
			lab.RequireErrorIs(t, r.Err, syscall.ENOLCK, l)
			l.Did += "; then another process called Lock"
			other := start(t, path)
			other.Succeed("Lock it", says(l, "Lock left something locked when it failed"))
			other.free("it")
		}
	})
	t.Run("for a handle", func(t *testing.T) {
		t.Parallel()
		_, p := several(t, 1)
		l := says(l, "Lock did not report that the process may open no more files")
		l.Did = "the process had as many handles as it may have; Lock, with a context that ended soon"
		l.Means = "the caller is told to give it more time, and more time does not help"
		lab.RequireNoError(t, p[0].Do("few", l), l)
		lab.RequireNoError(t, p[0].tell("start-late Lock it", l), l)
		lab.RequireErrorIs(t, p[0].tell("end it", l), syscall.EMFILE, l)
	})
}
