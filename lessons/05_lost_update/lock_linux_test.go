package lostupdate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// signal(7): a call that a signal handler interrupts fails with EINTR unless it is restarted. flock(2), EINTR.
func TestInterruptedWait(t *testing.T) {
	t.Parallel()
	t.Run("a wait that a signal ends is an error of Lock", func(t *testing.T) {
		t.Parallel()
		wrap, _ := lab.Strace(t, "-e", "inject=flock:error=EINTR:when=1")
		worker := lab.Launch(t, lab.Options{Wrap: wrap}, "hold", lab.Path(t, "counter.json.lock"))
		require.ErrorContains(t, worker.Wait(), "interrupted system call")
	})
	// flock(2), ENOLCK: "The kernel ran out of memory for allocating lock records."
	t.Run("Lock returns an error when the kernel refuses the lock", func(t *testing.T) {
		t.Parallel()
		wrap, _ := lab.Strace(t, "-e", "inject=flock:error=ENOLCK")
		worker := lab.Launch(t, lab.Options{Wrap: wrap}, "hold", lab.Path(t, "counter.json.lock"))
		require.ErrorContains(t, worker.Wait(), "no locks available")
	})
}
