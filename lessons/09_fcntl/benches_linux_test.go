package fcntl_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
)

// takeBench marks bench n as taken, until the file that it returns is closed. The file at path is empty and stays so: byte n stands for
// bench n.
func takeBench(path string, n int64) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0) // a new open file description: a new owner
	if err != nil {
		return nil, err
	}
	bench := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: n, Len: 1}
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &bench); err != nil {
		return nil, errors.Join(fmt.Errorf("take bench %d: %w", n, err), file.Close())
	}
	return file, nil
}

// taken asks whether bench n is taken. It takes nothing, and its Close gives nothing back.
func taken(path string, n int64) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close() // opened for reading
	bench := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: n, Len: 1}
	err = unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &bench)
	return bench.Type != unix.F_UNLCK, err
}

func init() { workers["worker at a bench"] = workAtABench }

// workAtABench takes the first free bench of PATH, sends its number, and works.
func workAtABench(w *lab.Worker) error {
	for n := int64(0); ; n++ {
		bench, err := takeBench(w.Arg(0), n)
		if errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil {
			return err
		}
		if err := w.Result(n); err != nil {
			return err
		}
		w.Reached("work")
		return bench.Close()
	}
}

// The sibling of the exercise that "The fix" shows.
func TestBenches(t *testing.T) {
	t.Parallel()
	crew := func(t *testing.T) (path string, all []*lab.Process) {
		t.Helper()
		path = lab.WriteFile(t, "benches", "")
		for want := range int64(3) {
			p := lab.Start(t, "worker at a bench", path)
			var n int64
			p.Result(&n)
			require.Equal(t, want, n)
			all = append(all, p)
		}
		return path, all
	}
	t.Run("three programs get a bench each, and no two the same", func(t *testing.T) {
		t.Parallel()
		path, _ := crew(t)
		for n, want := range []bool{true, true, true, false} {
			got, err := taken(path, int64(n))
			require.NoError(t, err)
			require.Equal(t, want, got, n)
		}
	})
	t.Run("a bench is free when its program is killed", func(t *testing.T) {
		t.Parallel()
		path, all := crew(t)
		all[1].Kill()
		got, err := taken(path, 1)
		require.NoError(t, err)
		require.False(t, got)
		bench, err := takeBench(path, 1)
		require.NoError(t, err)
		require.NoError(t, bench.Close())
	})
}
