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
