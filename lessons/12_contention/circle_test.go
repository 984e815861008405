package contention_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Two locks and more.
func TestCircles(t *testing.T) {
	t.Parallel()

	t.Run("two programs that lock two files in opposite orders wait for each other", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 2)
		p[0].must("Lock a")
		p[1].must("Lock b")
		p[0].waits("Lock b")
		p[1].waits("Lock a")
		p[0].stillWaits()
		p[1].stillWaits()
	})
	t.Run("when one of the two is killed, the other goes on", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 2)
		p[0].must("Lock a")
		p[1].must("Lock b")
		p[0].waits("Lock b")
		p[1].waits("Lock a")
		p[1].Kill()
		require.Equal(t, "ok", p[0].end())
	})
	t.Run("a time limit ends the circle, if the one that gives up lets go of what it has", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 2)
		p[0].must("Lock a")
		p[1].must("Lock b")
		p[0].waits("Lock b")
		require.Equal(t, "late", p[1].do("late a"))
		p[0].stillWaits()
		p[1].must("Unlock b")
		require.Equal(t, "ok", p[0].end())
	})
	t.Run("with one order for both, the second waits with empty hands", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 3)
		p[0].must("Lock a")
		p[1].waits("Lock a")
		p[2].must("Lock b", "Unlock b") // no one has it
		p[0].must("Lock b", "Unlock b", "Unlock a")
		require.Equal(t, "ok", p[1].end())
	})
	t.Run("a program that locks its own file a second time waits for itself", func(t *testing.T) {
		t.Parallel()
		p := programs(t, 1)
		p[0].must("Lock a")
		p[0].waits("other a")
	})
}
