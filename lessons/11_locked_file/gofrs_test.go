//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package lockedfile_test

import (
	"context"
	"testing"
	"time"

	gofrs "github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func init() {
	workers["gofrs-wait"] = func(w *lab.Worker) error {
		_, err := gofrs.New(w.Arg(0)).TryLockContext(context.Background(), 10*time.Millisecond)
		return err
	}
	workers["gofrs-lock"] = func(w *lab.Worker) error { return gofrs.New(w.Arg(0)).Lock() }
}

// What github.com/gofrs/flock v0.13.1, the library that most Go programs use, does by design. Source: its flock_unix.go.
func TestGofrs(t *testing.T) {
	t.Parallel()
	t.Run("a Flock that is locked grants its lock again, and one Unlock ends it", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "lock", "")
		shared := gofrs.New(path)
		for range 2 { // two goroutines may both have it
			got, err := shared.TryLock()
			require.NoError(t, err)
			require.True(t, got)
		}
		require.NoError(t, shared.Unlock())
		got, err := gofrs.New(path).TryLock()
		require.NoError(t, err)
		require.True(t, got)
	})
	t.Run("TryRLock makes an exclusive Flock shared, and both Locked and RLocked are true", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "lock", "")
		writer := gofrs.New(path)
		require.NoError(t, writer.Lock())
		got, err := writer.TryRLock()
		require.NoError(t, err)
		require.True(t, got && writer.Locked() && writer.RLocked())
		got, err = gofrs.New(path).TryRLock()
		require.NoError(t, err)
		require.True(t, got)
	})
	t.Run("TryLockContext does not wait in the kernel", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "lock", "")
		owner := gofrs.New(path)
		require.NoError(t, owner.Lock())
		p := lab.Start(t, "gofrs-wait", path)
		require.Equal(t, process.Waiting, p.Settle())
		require.NoError(t, owner.Unlock())
		require.NoError(t, p.Wait())
	})
	t.Run("one EINTR is an error of Lock", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "lock", "")
		wrap, _ := lab.Strace(t, "-e", "inject=flock:error=EINTR:when=1")
		require.ErrorContains(t, lab.Launch(t, lab.Options{Wrap: wrap}, "gofrs-lock", path).Wait(), "interrupted system call")
	})
}
