//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab/process"
)

func TestModes(t *testing.T) {
	t.Parallel()

	t.Run("any number of owners share a lock, and keep an exclusive one out", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 4)
		p[0].must("SH f")
		p[1].must("SH f")
		p[2].must("SH|NB f")
		require.Equal(t, "EWOULDBLOCK", p[3].do("EX|NB f"))
		p[3].waits("EX f")
	})
	t.Run("an exclusive lock keeps readers and writers out", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 3)
		p[0].must("EX f")
		require.Equal(t, "EWOULDBLOCK", p[1].do("SH|NB f"))
		p[1].waits("SH f")
		p[2].waits("EX f")
	})
	t.Run("a reader gets in while a writer waits", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 3)
		p[0].must("SH f")
		p[1].waits("EX f")
		p[2].must("SH|NB f")
	})
	t.Run("EWOULDBLOCK is EAGAIN", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, syscall.EAGAIN, syscall.EWOULDBLOCK)
	})
}

// flock(2): "the existing lock is first removed, and then a new lock is established."
func TestConversion(t *testing.T) {
	t.Parallel()
	t.Run("LOCK_SH on an exclusive lock gives the exclusive lock up", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f", "SH f")
		p[1].must("SH|NB f")
	})
	t.Run("an exclusive lock that is asked for again stays", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("EX f")
		p[1].waits("EX f")
		p[0].must("EX f")
		require.NotEqual(t, process.AtStep, p[1].Settle())
	})
	t.Run("two readers that upgrade both succeed, one after the other", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("SH f")
		p[1].must("SH f")
		p[0].waits("EX f") // for the other reader
		p[1].must("EX f")  // which only works because the first has no lock any more
		p[1].must("UN f")
		require.Equal(t, "ok", p[0].end())
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	// syscall.Errno, Is
	t.Run("ENOSYS and EOPNOTSUPP match errors.ErrUnsupported, and ENOLCK and EIO do not", func(t *testing.T) {
		t.Parallel()
		for errno, unsupported := range map[error]bool{
			syscall.ENOSYS: true, syscall.EOPNOTSUPP: true, syscall.ENOLCK: false, syscall.EIO: false,
		} {
			require.Equal(t, unsupported, errors.Is(errno, errors.ErrUnsupported), errno)
		}
	})
}
