package contention_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
)

func init() { workers["record"] = record }

// record locks the first byte of a, and then of b, with fcntl(2): FILES a and b. It sends whether the second was refused as a deadlock.
func record(w *lab.Worker) error {
	for i := range 2 {
		file, err := os.OpenFile(w.Arg(i), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		open = append(open, file)
		if i == 1 {
			w.Reached("has one")
		}
		err = unix.FcntlFlock(file.Fd(), unix.F_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK, Len: 1})
		if i == 1 {
			return w.Result(errors.Is(err, unix.EDEADLK))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fcntl(2), F_SETLKW: EDEADLK.
func TestRecordLocks(t *testing.T) {
	t.Parallel()
	t.Run("a record lock that would close a circle is refused with EDEADLK", func(t *testing.T) {
		t.Parallel()
		a, b := lab.WriteFile(t, "a", ""), lab.WriteFile(t, "b", "")
		one, other := lab.Start(t, "record", a, b), lab.Start(t, "record", b, a)
		one.Reached("has one")
		other.Reached("has one")
		one.Continue()
		one.WaitBlocked()
		other.Continue()
		var refused bool
		other.Result(&refused)
		require.True(t, refused)
		require.NoError(t, other.Wait())
		one.Result(&refused)
		require.False(t, refused)
	})
}
