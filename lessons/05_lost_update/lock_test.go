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

	// flock(2): the lock goes when all descriptors are closed. LockFileEx: the system unlocks when a process ends, at a time of its own.
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
	t.Run("a lock file keeps no program out that does not ask for the lock", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 41)
		first := lab.Start(t, "update under a lock", path)
		first.Reached("read")
		require.NoError(t, writeCounter(path, 99))
		requireTold(t, first, 42)
		requireCounter(t, 42, path)
	})

	t.Run("a lock file with a relative name is another file in another directory", func(t *testing.T) {
		t.Parallel()
		for range 2 {
			worker := lab.Launch(t, lab.Options{Dir: t.TempDir()}, "hold", "counter.json.lock")
			worker.Reached("inside")
		}
	})

	t.Run("a lock file in os.TempDir is another file under another TMPDIR", func(t *testing.T) {
		t.Parallel()
		for range 2 {
			dir := t.TempDir()
			o := lab.Options{Env: []string{"TMPDIR=" + dir, "TMP=" + dir, "TEMP=" + dir}}
			worker := lab.Launch(t, o, "hold in TempDir", "counter.json.lock")
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
	t.Run("a Flock that is locked returns nil to every goroutine that locks it again", func(t *testing.T) {
		t.Parallel()
		guard := flock.New(lab.Path(t, "counter.json.lock"))
		require.NoError(t, guard.Lock())
		require.NoError(t, guard.Lock())
		locked, err := guard.TryLock()
		require.NoError(t, err)
		require.True(t, locked)
		require.NoError(t, guard.Unlock())
	})

	t.Run("one Unlock frees a Flock, however often it was locked", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		guard := flock.New(path)
		require.NoError(t, guard.Lock())
		require.NoError(t, guard.Lock())
		require.NoError(t, guard.Unlock())
		require.True(t, tryLock(t, path))
	})

	// gofrs/flock, TryLock: if it is unable to get the lock "the function will return false instead of waiting".
	t.Run("TryLock reports that another holder has the lock by false, and by no error", func(t *testing.T) {
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
	t.Run("Lock creates the lock file, locks it although it is empty, and Unlock leaves it there", func(t *testing.T) {
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
