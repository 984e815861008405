package lostupdate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// gofrs/flock, Lock, TryLock, TryLockContext, Unlock. Below it: flock(2) on Unix, LockFileEx on Windows.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()

	// flock(2): a call "may block if an incompatible lock is held by another process".
	t.Run("a second process waits in Lock until the first one unlocks", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		first := lab.Start(t, "hold", path)
		first.Reached("inside")
		second := lab.Start(t, "hold", path)
		second.WaitBlocked()
		first.Continue()
		require.NoError(t, first.Wait())
		second.Reached("inside")
		second.Continue()
		require.NoError(t, second.Wait())
	})

	// flock(2): the lock goes when all descriptors are closed. LockFileEx: the system unlocks when a process ends, in its own time.
	t.Run("the lock of a process that is killed ends with it", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		first := lab.Start(t, "hold", path)
		first.Reached("inside")
		require.False(t, tryLock(t, path))
		second := lab.Start(t, "hold", path)
		second.WaitBlocked()
		first.Kill()
		second.Reached("inside")
		second.Continue()
		require.NoError(t, second.Wait())
	})

	// flock(2): "flock() places advisory locks only". Windows' locks are mandatory, for the locked file: this is another one.
	t.Run("a lock file keeps nobody out who does not ask", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 41)
		first := lab.Start(t, "update under a lock", path)
		first.Reached("read")
		require.NoError(t, writeCounter(path, 99))
		requireTold(t, first, 42)
		requireCounter(t, 42, path)
	})

	t.Run("a lock file with a relative name is another file in another folder", func(t *testing.T) {
		t.Parallel()
		for range 2 {
			worker := lab.Launch(t, lab.Options{Dir: t.TempDir()}, "hold", "counter.json.lock")
			worker.Reached("inside")
		}
	})

	// E. G. Coffman et al., "System Deadlocks" (1971): mutual exclusion, hold and wait, no preemption, circular wait.
	t.Run("two processes that lock two files in opposite order wait for each other for ever", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a.lock"), filepath.Join(dir, "b.lock")
		first, second := lab.Start(t, "lock two", a, b), lab.Start(t, "lock two", b, a)
		first.Reached("one")
		second.Reached("one")
		first.Continue()
		second.Continue()
		first.WaitBlocked()
		second.WaitBlocked()
	})
}

func lockTwo(w *lab.Worker) error {
	first, second := flock.New(w.Arg(0)), flock.New(w.Arg(1))
	if err := first.Lock(); err != nil {
		return err
	}
	w.Reached("one")
	return errors.Join(second.Lock(), second.Unlock(), first.Unlock())
}

// lockTwice locks the file PATH, and again inside that, by another Flock: an Update whose change calls Update.
func lockTwice(w *lab.Worker) error {
	return locked(w.Arg(0), func() error { return locked(w.Arg(0), func() error { return nil }) })
}

// panicWithLock panics under the lock of PATH, recovers, and lives on at "survived".
func panicWithLock(w *lab.Worker) error {
	func() {
		defer func() { _ = recover() }()
		_ = locked(w.Arg(0), func() error { panic("no more job cards") })
	}()
	w.Reached("survived")
	return nil
}

// shareWaitingFlock waits in Lock of PATH in one goroutine; when told to, it calls TryLock of the same Flock in another, and
// reports whether that came back within a tenth of a second.
func shareWaitingFlock(w *lab.Worker) error {
	guard := flock.New(w.Arg(0))
	waited, tried := make(chan error, 1), make(chan error, 1)
	go func() { waited <- guard.Lock() }()
	var word string
	if err := w.Receive(&word); err != nil {
		return err
	}
	go func() {
		_, err := guard.TryLock()
		tried <- err
	}()
	returned := false
	select {
	case err := <-tried:
		returned = true
		tried <- err
	case <-time.After(100 * time.Millisecond):
	}
	return errors.Join(w.Result(returned), <-waited, <-tried, guard.Unlock())
}

func TestOneProcess(t *testing.T) {
	t.Parallel()

	// flock(2): a process with several descriptors of its own for one file may be kept out by itself.
	t.Run("two Flocks for one file keep each other out, in one process too", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		first := flock.New(path)
		require.NoError(t, first.Lock())
		require.False(t, tryLock(t, path))
		require.NoError(t, first.Unlock())
		require.True(t, tryLock(t, path))
	})

	t.Run("a second lock inside the first waits for itself", func(t *testing.T) {
		t.Parallel()
		worker := lab.Start(t, "lock twice", lab.Path(t, "counter.json"))
		worker.WaitBlocked()
	})

	t.Run("an unlock in a defer lets the next one in after a panic", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json")
		worker := lab.Start(t, "panic with a lock", path)
		worker.Reached("survived")
		require.True(t, tryLock(t, path+".lock"))
		worker.Continue()
		require.NoError(t, worker.Wait())
	})

	// gofrs/flock, Lock: "If we are already exclusive-locked, this function short-circuits and returns immediately".
	t.Run("a Flock that is locked says yes to everybody who asks it again", func(t *testing.T) {
		t.Parallel()
		guard := flock.New(lab.Path(t, "counter.json.lock"))
		require.NoError(t, guard.Lock())
		require.NoError(t, guard.Lock())
		locked, err := guard.TryLock()
		require.NoError(t, err)
		require.True(t, locked)
		require.NoError(t, guard.Unlock())
	})

	t.Run("one Unlock frees a Flock, however many were told that they have it", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		guard := flock.New(path)
		require.NoError(t, guard.Lock())
		require.NoError(t, guard.Lock())
		require.NoError(t, guard.Unlock())
		require.True(t, tryLock(t, path))
	})

	// gofrs/flock, TryLock: if it is unable to get the lock "the function will return false instead of waiting".
	t.Run("TryLock says that another one has the lock by false, and by no error", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		holder := flock.New(path)
		require.NoError(t, holder.Lock())
		locked, err := flock.New(path).TryLock()
		require.NoError(t, err)
		require.False(t, locked)
		require.NoError(t, holder.Unlock())
	})

	t.Run("TryLockContext stops asking when its context ends", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		holder := flock.New(path)
		require.NoError(t, holder.Lock())
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		locked, err := flock.New(path).TryLockContext(ctx, time.Millisecond)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, locked)
		require.NoError(t, holder.Unlock())
	})

	// gofrs/flock, Lock: "This function may block the ability to query the current Locked() or RLocked() status".
	t.Run("while one goroutine waits in Lock, TryLock of the same Flock waits too", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		holder := flock.New(path)
		require.NoError(t, holder.Lock())
		worker := lab.Start(t, "share a waiting Flock", path)
		worker.WaitBlocked()
		worker.Send("try")
		var returned bool
		worker.Result(&returned)
		require.False(t, returned)
		require.NoError(t, holder.Unlock())
		require.NoError(t, worker.Wait())
	})

	// flock(2), LOCK_SH: "More than one process may hold a shared lock for a given file at a given time."
	t.Run("two shared locks are held at the same time, and keep an exclusive one out", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		first, second := flock.New(path), flock.New(path)
		require.NoError(t, first.RLock())
		require.NoError(t, second.RLock())
		require.False(t, tryLock(t, path))
		require.NoError(t, errors.Join(first.Unlock(), second.Unlock()))
		require.True(t, tryLock(t, path))
	})

	// gofrs/flock, Unlock: "It does not remove the file from disk."
	t.Run("Lock makes the lock file, and Unlock leaves it there, empty", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		guard := flock.New(path)
		require.NoError(t, guard.Lock())
		require.NoError(t, guard.Unlock())
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Empty(t, content)
	})
}
