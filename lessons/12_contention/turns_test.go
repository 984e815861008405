package contention_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who has the next turn.
func TestTurns(t *testing.T) {
	t.Parallel()

	t.Run("a poller that asks between two turns of the owner never gets in", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 2)
		p[0].must("Lock lock")
		for range 50 {
			require.Equal(t, "locked", p[1].do("Try lock"))
			p[0].must("again lock")
		}
	})
	t.Run("a call that waits in the kernel gets the lock as soon as the owner leaves", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 2)
		p[0].must("Lock lock")
		p[1].waits("Lock lock")
		p[0].must("Unlock lock")
		require.Equal(t, "ok", p[1].end())
	})
	// The waiter is stopped, so it is as slow to wake up as can be.
	t.Run("an owner that asks again at once is quicker than the one that it has woken", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows cannot stop a process from outside, so who is quicker is chance")
		}
		p := programs(t, 2)
		p[0].must("Lock lock")
		p[1].waits("Lock lock")
		p[1].Stop()
		for range 10 {
			p[0].must("again lock")
		}
		p[1].Resume()
		p[0].must("Unlock lock")
		require.Equal(t, "ok", p[1].end())
	})
	t.Run("readers that overlap keep a writer waiting for as long as they like", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("whether LockFileEx lets a reader past a waiting writer is not documented, and Wine need not do as Windows does")
		}
		p := programs(t, 3)
		p[0].must("RLock lock")
		p[2].waits("Lock lock")
		for range 25 {
			p[1].must("RLock lock")
			p[0].must("Unlock lock", "RLock lock")
			p[1].must("Unlock lock")
		}
		p[2].stillWaits()
		p[0].must("Unlock lock")
		require.Equal(t, "ok", p[2].end())
	})
	t.Run("one owner that is slow lines all others up", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 4)
		p[0].must("Lock lock")
		for _, p := range p[1:] {
			p.waits("Lock lock")
		}
	})
	t.Run("a wait that its context ends leaves nothing locked", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 3)
		p[0].must("Lock lock")
		require.Equal(t, "late", p[1].do("late lock"))
		p[2].waits("Lock lock")
		p[0].must("Unlock lock")
		require.Equal(t, "ok", p[2].end())
	})
}

// A turnstile by hand: lock.next is what the next in line has while it waits.
func TestTurnstile(t *testing.T) {
	t.Parallel()
	t.Run("the next in line keeps the turnstile while it waits, so the owner that asks again stands behind it", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 2)
		p[0].must("Lock lock")
		p[1].must("Lock lock.next")
		p[1].waits("Lock lock")
		p[0].must("Unlock lock")
		p[0].waits("Lock lock.next") // the other one has not left the turnstile yet
		require.Equal(t, "ok", p[1].end())
		p[0].stillWaits()
		p[1].must("Unlock lock.next")
		require.Equal(t, "ok", p[0].end())
	})
	t.Run("the turnstile of a program that is killed is free", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 3)
		p[0].must("Lock lock")
		p[1].must("Lock lock.next")
		p[1].waits("Lock lock")
		p[2].waits("Lock lock.next")
		p[1].Kill()
		require.Equal(t, "ok", p[2].end())
	})
}
