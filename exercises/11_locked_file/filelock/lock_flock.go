//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package filelock

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// lock asks flock(2) for a lock of the mode. Errors that match ErrLocked are those of a call that may not wait.
func lock(descriptor uintptr, m Mode, wait bool) error {
	operation := syscall.LOCK_SH
	if m == Exclusive {
		operation = syscall.LOCK_EX
	}
	if !wait {
		operation |= syscall.LOCK_NB
	}
	for {
		err := syscall.Flock(int(descriptor), operation)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR): // a signal ended the call, which on some file systems its handler cannot prevent
		case !wait && (errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EACCES)): // EACCES: Linux, on SMB
			return fmt.Errorf("%w (%w); try again later, or wait", ErrLocked, err)
		default:
			return fmt.Errorf("flock: %w; choose a file on a local disk, if this file system has no locks", err)
		}
	}
}

func unlock(descriptor uintptr) error {
	for {
		if err := syscall.Flock(int(descriptor), syscall.LOCK_UN); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func (h *Handle) duplicate() (descriptor uintptr, err error) {
	closed := h.raw.Control(func(original uintptr) {
		var n int
		n, err = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
		descriptor = uintptr(n)
	})
	if err = errors.Join(closed, err); err != nil {
		return 0, fmt.Errorf("duplicate the descriptor to wait with: %w; the program has too many files open, if it is EMFILE", err)
	}
	return descriptor, nil
}

func closeDescriptor(descriptor uintptr) error { return syscall.Close(int(descriptor)) }

// An identity is the same for all names and all handles of one file. An inode's number alone is not: each file system counts by itself.
type identity struct{ device, inode uint64 }

func (h *Handle) identity() (id identity, err error) {
	var stat syscall.Stat_t
	if closed := h.raw.Control(func(descriptor uintptr) { err = syscall.Fstat(int(descriptor), &stat) }); closed != nil {
		err = closed
	}
	return identity{uint64(stat.Dev), uint64(stat.Ino)}, err //nolint:unconvert // the types differ between systems
}
