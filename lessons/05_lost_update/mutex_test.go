package lostupdate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

var mutex sync.Mutex

// nextCard numbers a job card, prints it and returns its number.
func nextCard(path string, print func(card int)) (int, error) {
	mutex.Lock()
	defer mutex.Unlock()
	last, err := readCounter(path)
	if err != nil {
		return 0, err
	}
	print(last + 1)
	return last + 1, writeCounter(path, last+1)
}

// numberCard is a program that numbers one card, PATH, and stands at "printing" in the middle.
func numberCard(w *lab.Worker) error {
	card, err := nextCard(w.Arg(0), func(int) { w.Reached("printing") })
	if err != nil {
		return err
	}
	return w.Result(card)
}

// What the lesson opens with: the same program, started twice.
func Example_theBug() {
	dir, err := os.MkdirTemp("", "lesson-05-")
	check(err)
	defer func() { check(os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "counter.json")
	check(writeCounter(path, 41))
	ctx := context.Background()
	start := func() *process.Process {
		p, err := process.Start(ctx, process.Options{}, "number a card", path)
		check(err)
		check(p.Reached(ctx, "printing"))
		return p
	}
	show := func(what string) {
		content, err := os.ReadFile(path)
		check(err)
		fmt.Printf("%-40s %s\n", what, content)
	}
	finish := func(who string, p *process.Process) {
		var card int
		check(p.Continue())
		check(p.NextResult(ctx, &card))
		err := p.Wait(ctx)
		show(fmt.Sprintf("%s is done: card %d, error: %v", who, card, err))
	}

	show("before")
	alice := start()
	defer alice.Kill()
	show("Alice's program prints a card")
	bob := start()
	defer bob.Kill()
	show("Bob's program prints a card")
	finish("Alice's", alice)
	finish("Bob's", bob)
	// Output:
	// before                                   {"counter":41}
	// Alice's program prints a card            {"counter":41}
	// Bob's program prints a card              {"counter":41}
	// Alice's is done: card 42, error: <nil>   {"counter":42}
	// Bob's is done: card 42, error: <nil>     {"counter":42}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

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
		var all sync.WaitGroup
		failures := make(chan error, 100)
		for range 4 {
			all.Go(func() {
				for range 25 {
					_, err := nextCard(path, func(int) {})
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

	// The Go Programming Language Specification, "Defer statements"; "Handling panics". runtime, Goexit; testing, T.FailNow.
	for _, c := range []struct {
		name  string
		leave func()
	}{
		{"after a panic a mutex without defer stays locked, and one with defer is free", func() { panic("between Lock and Unlock") }},
		{"after runtime.Goexit a mutex without defer stays locked, and one with defer is free", runtime.Goexit},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var without, with sync.Mutex
			var ended sync.WaitGroup
			ended.Go(func() {
				defer func() { _ = recover() }()
				without.Lock()
				c.leave()
				without.Unlock()
			})
			ended.Go(func() {
				defer func() { _ = recover() }()
				with.Lock()
				defer with.Unlock()
				c.leave()
			})
			ended.Wait()
			require.False(t, without.TryLock())
			require.True(t, with.TryLock())
		})
	}
}
