package close_test

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func init() { workers["close twice"] = closeTwice }

// Source: close(2), "Dealing with error returns from close()": an error of an earlier write may be reported only by the
// final close; EIO, and on NFS ENOSPC and EDQUOT. No local file system does so on request, hence strace(1), which refuses
// the system call in the kernel's place. The test is skipped where strace cannot be used.
func TestCloseThatFails(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "{}")
	wrap, _ := lab.Strace(t, "-P", path, "-e", "trace=close", "-e", "inject=close:error=EIO:when=1")
	worker := lab.Launch(t, lab.Options{Wrap: wrap}, "close twice", path)
	var seen closed
	worker.Result(&seen)
	require.NoError(t, worker.Wait())

	t.Run("every write has succeeded and Close reports an error of the disk", func(t *testing.T) {
		require.True(t, seen.Written)
		require.True(t, seen.FirstIsEIO)
	})
	t.Run("after a Close that failed, the file counts as closed", func(t *testing.T) {
		require.True(t, seen.SecondIsErrClosed)
	})
}

type closed struct{ Written, FirstIsEIO, SecondIsErrClosed bool }

func closeTwice(w *lab.Worker) error {
	f, err := os.OpenFile(w.Arg(0), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("{}")
	first, second := f.Close(), f.Close()
	return w.Result(closed{err == nil, errors.Is(first, syscall.EIO), errors.Is(second, fs.ErrClosed)})
}
