package lostupdate_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// mutex is what every process of these tests has: a package variable.
var mutex sync.Mutex

func holdMutex(w *lab.Worker) error {
	mutex.Lock()
	defer mutex.Unlock()
	w.Reached("inside")
	return nil
}

func tryMutex(w *lab.Worker) error {
	free := mutex.TryLock()
	if free {
		defer mutex.Unlock()
	}
	return w.Result(free)
}

// sync, Mutex; The Go Memory Model, "Locks".
func TestMutex(t *testing.T) {
	t.Parallel()
	t.Run("a mutex around the whole update keeps every update of a process's goroutines", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 0)
		var mutex sync.Mutex
		var all sync.WaitGroup
		failures := make(chan error, 100)
		for range 4 {
			all.Go(func() {
				for range 25 {
					mutex.Lock()
					counter, err := readCounter(path)
					if err == nil {
						err = writeCounter(path, counter+1)
					}
					mutex.Unlock()
					failures <- err
				}
			})
		}
		all.Wait()
		close(failures)
		for err := range failures {
			require.NoError(t, err)
		}
		requireCounter(t, 100, path)
	})
	t.Run("a mutex that is locked in one process is free in another copy of the same program", func(t *testing.T) {
		t.Parallel()
		first := lab.Start(t, "hold a mutex")
		first.Reached("inside")
		second := lab.Start(t, "try a mutex")
		var free bool
		second.Result(&free)
		require.NoError(t, second.Wait())
		require.True(t, free)
		first.Continue()
		require.NoError(t, first.Wait())
	})
	// The Go Programming Language Specification, "Defer statements"; "Handling panics".
	t.Run("after a panic a mutex without defer stays locked, and one with defer is free", func(t *testing.T) {
		t.Parallel()
		var without, with sync.Mutex
		func() {
			defer func() { _ = recover() }()
			without.Lock()
			panic("between Lock and Unlock")
		}()
		func() {
			defer func() { _ = recover() }()
			with.Lock()
			defer with.Unlock()
			panic("between Lock and Unlock")
		}()
		require.False(t, without.TryLock())
		require.True(t, with.TryLock())
	})
}
