package process

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var rounds = flag.Int("rounds", 10, "how many waits TestBlockedIsRight looks at for each kind of lock")

func lockDescription(f *os.File, whole *unix.Flock_t) error {
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, whole)
}

// Each round: one process holds the lock, a second one asks for it. Blocked must say so of the waiter, and must not say so of
// the holder, nor of the waiter once it has the lock. Run with -rounds 1000 for the long version.
func TestBlockedIsRight(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"flock", "posix", "ofd"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for range *rounds {
				oneWait(t, kind)
			}
		})
	}
}

func oneWait(t *testing.T, kind string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "locked")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	holder, waiter := open(t, kind, path), open(t, kind, path)
	defer holder.Kill()
	defer waiter.Kill()
	require.NoError(t, holder.Continue())
	require.NoError(t, holder.Reached(t.Context(), "held"))
	require.NoError(t, waiter.Continue())
	require.NoError(t, waiter.Blocked(t.Context()))
	require.Equal(t, Blocked, settle(t, waiter))
	requireNotWaiting(t, holder)
	requireWaiters(t, 1, waiter, path)
	requireWaiters(t, 0, holder, path)

	require.NoError(t, holder.Continue())
	require.NoError(t, holder.Wait(t.Context()))
	require.NoError(t, waiter.Reached(t.Context(), "held"))
	requireNotWaiting(t, waiter)
	requireWaiters(t, 0, waiter, path)
	require.NoError(t, waiter.Continue())
	require.NoError(t, waiter.Wait(t.Context()))
}

func open(t *testing.T, kind, path string) *Process {
	t.Helper()
	p, err := Start(t.Context(), Options{}, "lock", kind, path)
	require.NoError(t, err)
	require.NoError(t, p.Reached(t.Context(), "open"))
	return p
}

func requireNotWaiting(t *testing.T, p *Process) {
	t.Helper()
	waits, err := waitsForLock(p.PID())
	require.NoError(t, err)
	require.False(t, waits)
}

// requireWaiters allows for a thread that the kernel lists as a waiter just before it falls asleep.
func requireWaiters(t *testing.T, want int, p *Process, path string) {
	t.Helper()
	require.Eventually(t, func() bool {
		count, err := p.Waiters(path)
		require.NoError(t, err)
		require.LessOrEqual(t, count, want)
		return count == want
	}, Patience(), 100*time.Microsecond)
}

// Three threads of one process wait for one file and one for another. Each file's waiters are counted by themselves.
func TestWaitersAreCountedPerFile(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"flock", "ofd"} { // POSIX locks belong to the process: its threads do not exclude each other
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			busy, quiet, link := filepath.Join(dir, "busy"), filepath.Join(dir, "quiet"), filepath.Join(dir, "link")
			for _, path := range []string{busy, quiet} {
				require.NoError(t, os.WriteFile(path, nil, 0o600))
				holder := open(t, kind, path)
				defer holder.Kill()
				require.NoError(t, holder.Continue())
				require.NoError(t, holder.Reached(t.Context(), "held"))
			}
			require.NoError(t, os.Symlink(busy, link))
			crowd := start(t, Options{}, "lock crowd", kind, busy, link, busy, quiet)
			require.Eventually(t, func() bool {
				atBusy, err := crowd.Waiters(busy)
				require.NoError(t, err)
				atQuiet, err := crowd.Waiters(quiet)
				require.NoError(t, err)
				return atBusy == 3 && atQuiet == 1
			}, Patience(), time.Millisecond)
			requireWaiters(t, 3, crowd, link)
			_, err := crowd.Waiters(filepath.Join(dir, "missing"))
			require.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
}

func TestABusyProcessIsNotBlocked(t *testing.T) {
	t.Parallel()
	busy := start(t, Options{}, "computes")
	require.NoError(t, busy.Reached(t.Context(), "busy"))
	require.NoError(t, busy.Continue())
	for range *rounds {
		requireNotWaiting(t, busy)
	}
	require.Equal(t, Waiting, settle(t, busy))
}

func TestBlockedSaysWhenTheWorkerDidNotWait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "free")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	p := open(t, "flock", path)
	require.NoError(t, p.Continue())
	require.ErrorIs(t, p.Blocked(t.Context()), ErrNotBlocked)
	require.NoError(t, p.Reached(t.Context(), "held"))
	require.NoError(t, p.Continue())
	require.ErrorIs(t, p.Blocked(t.Context()), ErrFinished)
}

func TestAWaiterInProcLocks(t *testing.T) {
	t.Parallel()
	rows := []byte("1: FLOCK  ADVISORY  WRITE 100 fe:00:10461757 0 EOF\n" +
		"1: -> FLOCK  ADVISORY  WRITE 200 fe:00:10461757 0 EOF\n" +
		"2: OFDLCK ADVISORY  WRITE -1 fe:00:10461758 0 EOF\n" +
		"2: -> OFDLCK ADVISORY  WRITE -1 fe:00:10461758 0 EOF\n" +
		"3:")
	require.False(t, waiterIn(rows, 100), "the holder does not wait")
	require.True(t, waiterIn(rows, 200))
	require.False(t, waiterIn(rows, 20), "a part of a number is another process")
	require.False(t, waiterIn(rows, -2))
}

func TestTheSystemCallThatWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text []string
		want bool
	}{
		{[]string{"running"}, false},
		{[]string{"-1", "0x7ffd", "0x7f"}, false},
		{[]string{number(unix.SYS_FLOCK), "0x3", "0x2", "0x0"}, true},
		{[]string{number(unix.SYS_FCNTL), "0x3", "0x26", "0xc000"}, true},
		{[]string{number(unix.SYS_FCNTL), "0x3", "0x7", "0xc000"}, true},
		{[]string{number(unix.SYS_FCNTL), "0x3", "0x6", "0xc000"}, false}, // F_SETLK does not wait
		{[]string{number(unix.SYS_READ), "0x0", "0x2", "0x7"}, false},
	} {
		require.Equal(t, c.want, isLockCall(c.text), "%v", c.text)
	}
}

func number(call int) string { return strconv.Itoa(call) }

// While a process reads /proc/locks, every lock call of the machine sleeps for a moment. That is not a wait for a lock.
func TestALockThatIsFreeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "free")
	file, err := os.Create(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()

	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for !ended(done) {
			_ = unix.Flock(int(file.Fd()), unix.LOCK_EX)
			_ = unix.Flock(int(file.Fd()), unix.LOCK_UN)
		}
	})
	others.Go(func() {
		for !ended(done) {
			_, _ = os.ReadFile("/proc/locks")
		}
	})
	for range 20 * *rounds {
		waiters, err := waitersOn(os.Getpid(), path)
		require.NoError(t, err)
		require.Zero(t, waiters)
	}
	close(done)
	others.Wait()
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
