package lab_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
)

// Unlike other sets, this one is about an argument: a lock that was taken before can be given back.
func TestRefuseFlock(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	require.NoError(t, err)
	defer f.Close()
	for _, how := range []int{syscall.LOCK_SH, syscall.LOCK_EX | syscall.LOCK_NB} {
		var locked, unlocked error
		err = lab.Refuse("flock", syscall.ENOLCK, func() {
			locked, unlocked = syscall.Flock(int(f.Fd()), how), syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		})
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		require.NoError(t, err)
		require.ErrorIs(t, locked, syscall.ENOLCK)
		require.NoError(t, unlocked)
	}
}

type refusedToAll struct{ Refused, Locked lab.Returned }

func init() {
	workers["lock in another thread"] = func(w *lab.Worker) error {
		f, err := os.OpenFile(w.Arg(0), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		r := refusedToAll{Refused: lab.Returned{Err: lab.RefuseAll("flock", syscall.EIO)}}
		runtime.LockOSThread() // so the goroutine has another one
		locked := make(chan error)
		go func() { locked <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
		r.Locked.Err = <-locked
		return w.Result(r)
	}
}

func TestRefuseAllRefusesToEveryThread(t *testing.T) {
	t.Parallel()
	p := lab.Start(t, "lock in another thread", lab.WriteFile(t, "lock", ""))
	var r refusedToAll
	p.Result(&r)
	require.NoError(t, p.Wait())
	lab.RequireRefuse(t, r.Refused.Err)
	require.ErrorIs(t, r.Locked.Err, syscall.EIO)
}

// Go's runtime interrupts its threads with SIGURG whenever it likes. A call that is made again after that must not be counted twice.
func TestWatchSeesACallOnceDespiteSignals(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	thread := 0
	var removed error
	var seen []string
	err := lab.Watch(func() {
		thread = unix.Gettid()
		removed = unix.Unlinkat(unix.AT_FDCWD, missing, 0)
	}, func(name string) {
		seen = append(seen, name)
		require.NoError(t, unix.Tgkill(os.Getpid(), thread, unix.SIGURG))
		time.Sleep(20 * time.Millisecond) // the signal has all the time that it needs
	})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.ErrorIs(t, removed, fs.ErrNotExist)
	require.Equal(t, []string{"unlinkat"}, seen)
}

func TestWatchLocksSeesWhoAsksForALock(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	require.NoError(t, err)
	defer f.Close()
	asked := 0
	err = lab.WatchLocks(func() {
		for range 3 {
			_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		}
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_, _ = os.Stat(f.Name())
	}, func() { asked++ })
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.Equal(t, 3, asked, "and neither the end of a lock nor another call")
}
