package primitives

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"example/turnstile/bench/results"
)

// systemOps is the measure of all others.
func systemOps() []op {
	return []op{{SystemCall, "getppid(2)", results.None, func() error { unix.Getppid(); return nil }, nil}}
}

// systemLocks are the pairs of lock and unlock that the kernel has, in a fixed order.
func systemLocks() []systemLock {
	return []systemLock{
		{BareFlock, results.Exclusion, func(f *os.File) error {
			if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
				return err
			}
			return syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		}},
		{"OFD lock", results.Exclusion, record(unix.F_OFD_SETLKW)},
		{"POSIX lock", results.BetweenProcesses, record(unix.F_SETLKW)},
	}
}

func record(command int) func(*os.File) error {
	return func(f *os.File) error {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
		if err := unix.FcntlFlock(f.Fd(), command, &lock); err != nil {
			return err
		}
		lock.Type = unix.F_UNLCK
		return unix.FcntlFlock(f.Fd(), command, &lock)
	}
}
