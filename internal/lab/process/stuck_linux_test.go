package process

import (
	"errors"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// stalls sleeps for that many seconds as a thread does that waits for a disk: the kernel makes a thread that has called vfork(2) wait for
// its child in the same way. The child must not return into Go's runtime.
func stalls(w *Worker) error {
	runtime.LockOSThread()
	pause := unix.NsecToTimespec((time.Duration(w.Int(0)) * time.Second).Nanoseconds())
	child, errno := cloneAndSleep(uintptr(unsafe.Pointer(&pause)))
	if errno != 0 {
		return errno
	}
	_, err := unix.Wait4(int(child), nil, 0, nil)
	return err
}

//go:norace
func cloneAndSleep(pause uintptr) (child uintptr, errno syscall.Errno) {
	child, _, errno = unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_VFORK|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if child == 0 && errno == 0 {
		_, _, _ = unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0, 0)
		_, _, _ = unix.RawSyscall6(unix.SYS_NANOSLEEP, pause, 0, 0, 0, 0, 0)
		_, _, _ = unix.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	}
	return child, errno
}

// A machine that stands still says nothing about the code; code that sleeps does.
func TestPatienceIsRenewedForAProcessThatTheMachineKeepsWaiting(t *testing.T) {
	t.Setenv(EnvironmentPatience, "600ms")
	require.NoError(t, start(t, Options{}, "stalls", "2").Wait(t.Context()))

	_, ok := errors.AsType[*Stuck](start(t, Options{}, "sleeps").Wait(t.Context()))
	require.True(t, ok)
}

func TestPatienceWithAMachineEnds(t *testing.T) {
	t.Setenv(EnvironmentPatience, "10ms")
	stuck, ok := errors.AsType[*Stuck](start(t, Options{}, "stalls", "60").Wait(t.Context()))
	require.True(t, ok)
	require.Contains(t, stuck.Why, "disk")
}

// crowded has eight threads that compute, for one processor.
func crowded(w *Worker) error {
	runtime.GOMAXPROCS(10)
	var mine, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &mine); err != nil {
		return err
	}
	for processor := 0; one.Count() == 0; processor++ {
		if mine.IsSet(processor) {
			one.Set(processor)
		}
	}
	for range 8 {
		go func() {
			runtime.LockOSThread()
			_ = unix.SchedSetaffinity(0, &one) // without it, the test fails
			for n := 0; ; n++ {
				_ = n
			}
		}()
	}
	w.Reached("computes")
	select {}
}

func TestPatienceIsRenewedForAProcessThatGetsNoProcessor(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "crowded")
	require.NoError(t, p.Reached(t.Context(), "computes"))
	renewals := 0
	for range 3 {
		require.True(t, Renewed(p.pid, &renewals))
	}
	why, lock := whyStuck(p.pid)
	require.Contains(t, why, "other threads have the processors")
	require.False(t, lock)
	require.False(t, Renewed(p.pid, &renewals), "a test that is wrong must come to its end")
}

// spins computes for so many milliseconds, whether it gets a processor or not.
func spins(w *Worker) error {
	for end := time.Now().Add(time.Duration(w.Int(0)) * time.Millisecond); time.Now().Before(end); {
	}
	return nil
}

// Renewed takes a second to judge a process that computes. What the worker sends in that second counts.
func TestWhatComesWhileRenewedJudgesCounts(t *testing.T) {
	t.Setenv(EnvironmentPatience, "100ms")
	require.NoError(t, start(t, Options{}, "spins", "600").Wait(t.Context()))
}

func TestAProcessIsStarvedThatMostlyWaitsForAProcessor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ran, waited time.Duration
		starved     bool
	}{
		{time.Second, 0, false},
		{400 * time.Millisecond, 600 * time.Millisecond, false},
		{300 * time.Millisecond, 700 * time.Millisecond, true},
		{0, 600 * time.Millisecond, true},
		{time.Millisecond, 100 * time.Millisecond, false}, // it sleeps most of the time
	} {
		require.Equal(t, c.starved, processing{c.ran, c.waited}.starved(), c)
	}
}
