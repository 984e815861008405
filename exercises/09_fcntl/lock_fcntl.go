//go:build linux

package fcntl

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const supported = true

// The commands of fcntl(2).
//
// TODO: read in fcntl(2) who owns a lock that these commands set, what ends it, and which other commands there are.
const (
	setNow  = unix.F_SETLK
	setWait = unix.F_SETLKW
	getLock = unix.F_GETLK
)

var types = map[mode]int16{shared: unix.F_RDLCK, exclusive: unix.F_WRLCK, unlocked: unix.F_UNLCK}

// setLock gives the owner a lock of that mode on the bytes instead of the one that it has there.
func setLock(file *os.File, m mode, start, length int64, wait bool) error {
	command := setNow
	if wait {
		command = setWait
	}
	for {
		lock := unix.Flock_t{Type: types[m], Whence: io.SeekStart, Start: start, Len: length}
		err := unix.FcntlFlock(file.Fd(), command, &lock)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR): // a signal ended the call, and decides nothing
		case !wait && (errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES)): // POSIX allows either
			return fmt.Errorf("%w (%w); try again later, or wait with Lock or RLock", ErrLocked, err)
		default:
			return fmt.Errorf("fcntl: %w; choose a file on a local disk, if this file system has no locks", err)
		}
	}
}

// inTheWay reports whether a lock of another owner would keep this one from an exclusive lock on the bytes.
func inTheWay(file *os.File, start, length int64) (bool, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: start, Len: length}
	if err := unix.FcntlFlock(file.Fd(), getLock, &lock); err != nil {
		return false, fmt.Errorf("fcntl: %w; choose a file on a local disk, if this file system has no locks", err)
	}
	return lock.Type != unix.F_UNLCK, nil
}
