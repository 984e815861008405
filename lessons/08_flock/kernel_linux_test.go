package flock_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
)

func init() { workers["lock once"] = lockOnce }

// lockOnce calls flock(2) for PATH once, and sends what it returned.
func lockOnce(w *lab.Worker) error {
	runtime.LockOSThread() // strace counts the calls of a thread
	file, err := os.OpenFile(w.Arg(0), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := w.Result(lab.Returned{Err: syscall.Flock(int(file.Fd()), syscall.LOCK_EX)}); err != nil {
		return err
	}
	w.Reached("returned")
	return nil
}

func TestLinux(t *testing.T) {
	t.Parallel()

	// flock(2): "the conversion either blocks, or fails if LOCK_NB was specified. (This is the original BSD behavior …)" The BSDs and
	// macOS of today keep the shared lock in that case (lf_setlock in kern_lockf.c, read and not run).
	t.Run("an upgrade that LOCK_NB refuses has given the shared lock up", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 3)
		p[0].must("SH f")
		p[1].must("SH f")
		require.Equal(t, "EWOULDBLOCK", p[0].do("EX|NB f"))
		p[1].must("UN f")
		p[2].must("EX|NB f") // although p[0] never gave anything back
	})

	// flock(2): "there is no interaction between the types of lock placed by flock() and fcntl(2)".
	t.Run("flock and fcntl locks do not see each other", func(t *testing.T) {
		t.Parallel()
		path, p := programs(t, 1)
		p[0].must("EX f")
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer file.Close()
		for _, command := range []int{unix.F_SETLK, unix.F_OFD_SETLK} {
			require.NoError(t, unix.FcntlFlock(file.Fd(), command, &unix.Flock_t{Type: unix.F_WRLCK}))
			require.NoError(t, unix.FcntlFlock(file.Fd(), command, &unix.Flock_t{Type: unix.F_UNLCK}))
		}
	})

	// flock(2), EINTR. The signal is strace's: the call fails as if a handler had run.
	t.Run("a call that a signal ends returns EINTR, and no lock", func(t *testing.T) {
		t.Parallel()
		path, p := programs(t, 1)
		w := lab.Trace(t, lab.Rule{Calls: "flock", Fail: syscall.EINTR}, lab.Options{}, "lock once", path)
		var got lab.Returned
		w.Result(&got)
		require.ErrorIs(t, got.Err, syscall.EINTR)
		w.Reached("returned")
		p[0].must("EX|NB f")
	})
}
