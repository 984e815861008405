package contention_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// A lathe is a machine that one person can use at a time.
type lathe struct {
	use  sync.Mutex
	next sync.Mutex // the chair in front of it: the next person has it
}

func (l *lathe) take() {
	l.next.Lock() // everyone else waits for the chair
	l.use.Lock()
	l.next.Unlock() // the chair is free, for the one after
}

func (l *lathe) leave() { l.use.Unlock() }

// A drawer holds screws. Its number is on its front, and never changes.
type drawer struct {
	number int
	mutex  sync.Mutex
	screws int
}

// pour moves screws from one drawer to another one.
func pour(from, to *drawer, n int) {
	low, high := from, to
	if low.number > high.number {
		low, high = high, low
	}
	low.mutex.Lock() // the lower number first, whichever way the screws go
	defer low.mutex.Unlock()
	high.mutex.Lock()
	defer high.mutex.Unlock()
	from.screws -= n
	to.screws += n
}

// The siblings of the exercise that "The fix" shows.
func TestLatheAndDrawers(t *testing.T) {
	t.Parallel()
	t.Run("a person who takes the lathe again at once has it after the one in the chair", func(t *testing.T) {
		t.Parallel()
		var l lathe
		var turns []string
		l.take()
		var all sync.WaitGroup
		all.Go(func() {
			l.take()
			turns = append(turns, "the one in the chair")
			l.leave()
		})
		for l.next.TryLock() { // until the other one sits down
			l.next.Unlock()
			runtime.Gosched()
		}
		l.leave()
		l.take()
		turns = append(turns, "the first one again")
		l.leave()
		all.Wait()
		require.Equal(t, []string{"the one in the chair", "the first one again"}, turns)
	})
	t.Run("screws are poured both ways at once, and no one waits for ever", func(t *testing.T) {
		t.Parallel()
		a, b := &drawer{number: 1, screws: 1000}, &drawer{number: 2, screws: 1000}
		lab.Finishes(t, func() {
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() {
					for range 500 {
						pour(a, b, 1)
					}
				})
				all.Go(func() {
					for range 500 {
						pour(b, a, 1)
					}
				})
			}
			all.Wait()
		}, lab.Lesson{Says: "pour hangs"})
		require.Equal(t, []int{1000, 1000}, []int{a.screws, b.screws})
	})
}
