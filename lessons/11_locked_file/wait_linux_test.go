package lockedfile_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/internal/lab"
)

func init() {
	workers["raw"] = raw
	workers["queued"] = queued
}

const goroutines = 100

// raw waits for the lock on PATH in many goroutines, each in flock(2), and sends how many threads that has made once the parent says so.
func raw(w *lab.Worker) error {
	return waitInGoroutines(w, func(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX) })
}

// queued does so with package filelock.
func queued(w *lab.Worker) error {
	return waitInGoroutines(w, func(file *os.File) error {
		handle, err := filelock.New(file)
		if err != nil {
			return err
		}
		return handle.Lock(context.Background(), filelock.Exclusive)
	})
}

func waitInGoroutines(w *lab.Worker, lock func(*os.File) error) error {
	before, err := threads()
	if err != nil {
		return err
	}
	ended := make(chan error, goroutines)
	for range goroutines {
		go func() {
			file, err := os.OpenFile(w.Arg(0), os.O_RDWR, 0)
			if err == nil {
				err = errors.Join(lock(file), file.Close())
			}
			ended <- err
		}()
	}
	w.Reached("begun")
	after, err := threads()
	if err := errors.Join(err, w.Result(after-before)); err != nil {
		return err
	}
	for range goroutines {
		err = errors.Join(err, <-ended)
	}
	return err
}

func threads() (int, error) {
	entries, err := os.ReadDir("/proc/self/task")
	return len(entries), err
}

// A goroutine in a system call has a thread of its own (runtime, "GOMAXPROCS"), and flock(2) knows no context.
func TestWaiting(t *testing.T) {
	t.Parallel()
	t.Run("a hundred goroutines in flock(2) cost a hundred threads", func(t *testing.T) {
		t.Parallel()
		require.Greater(t, threadsOf(t, "raw", goroutines), goroutines*9/10) // it had a few before
	})
	t.Run("with one thread that waits for all, they cost a few", func(t *testing.T) {
		t.Parallel()
		require.Less(t, threadsOf(t, "queued", 1), 12)
	})
	t.Run("a goroutine that is left behind gets the lock in the end, and keeps it", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		owner := locked(t, path, syscall.LOCK_EX)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer file.Close()
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- syscall.Flock(int(file.Fd()), syscall.LOCK_EX) }()
		cancel()
		<-ctx.Done() // the caller goes home
		require.NoError(t, owner.Close())
		require.NoError(t, <-result)
		_, err = os.Stat(path)
		require.NoError(t, err)
		other, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer other.Close()
		require.ErrorIs(t, syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
	})
	t.Run("a kept handle that gave up is locked again after its late lock was given back", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		owner := locked(t, path, syscall.LOCK_EX)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer file.Close()
		handle, err := filelock.New(file)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, handle.Lock(ctx, filelock.Exclusive), context.DeadlineExceeded)
		require.ErrorIs(t, handle.TryLock(filelock.Exclusive), filelock.ErrLocked)
		require.NoError(t, owner.Close())
		require.NoError(t, handle.Lock(t.Context(), filelock.Exclusive))
		require.NoError(t, handle.Unlock())
	})
	// open(2), O_TRUNC: "The effect of O_RDONLY | O_TRUNC is unspecified"
	t.Run("Linux empties a file that is opened with O_RDONLY and O_TRUNC", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		file, err := os.OpenFile(path, os.O_RDONLY|os.O_TRUNC, 0)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		requireContent(t, path, "")
	})
}

// threadsOf returns how many threads more a worker has when as many of them as are expected wait in the kernel.
func threadsOf(t *testing.T, worker string, waiters int) (more int) {
	t.Helper()
	path := lab.WriteFile(t, "checkouts.json", "{}")
	owner := locked(t, path, syscall.LOCK_EX)
	p := lab.Start(t, worker, path)
	p.Reached("begun")
	lab.RequireWaiters(t, path, waiters, lab.Lesson{Says: worker + " does not wait as expected"}, p)
	p.Continue()
	p.Result(&more)
	require.NoError(t, owner.Close())
	require.NoError(t, p.Wait())
	t.Log(strings.TrimSpace(worker), "made", more, "threads more")
	return more
}
