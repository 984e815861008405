package openmodes_test

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func posixLock(f *os.File) error {
	return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
}

// isLocked asks in the name of an open file description: its lock conflicts with a POSIX lock of the same process.
func isLocked(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	asked := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &asked)
	return asked.Type != unix.F_UNLCK, errors.Join(err, f.Close())
}
