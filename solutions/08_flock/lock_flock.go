//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock

import (
	"errors"
	"fmt"
	"syscall"
)

const supported = true

var operations = map[mode]int{shared: syscall.LOCK_SH, exclusive: syscall.LOCK_EX, unlocked: syscall.LOCK_UN}

// flock gives the owner behind the descriptor, its open file description, a lock of that mode instead of the one that it has. The caller
// keeps the file open meanwhile.
func flock(descriptor int, m mode, wait bool) error {
	operation := operations[m]
	if !wait {
		operation |= syscall.LOCK_NB
	}
	for {
		err := syscall.Flock(descriptor, operation)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR): // a signal ended the call, which on some file systems its handler cannot prevent
		case errors.Is(err, syscall.EWOULDBLOCK) && !wait:
			return fmt.Errorf("%w (%w); try again later, or wait with Lock or RLock", ErrLocked, err)
		default:
			return fmt.Errorf("flock: %w; choose a file on a local disk, if this file system has no locks", err)
		}
	}
}
