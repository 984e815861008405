//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock

import (
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
	if err := syscall.Flock(descriptor, operation); err != nil {
		// TODO: is every error another owner?
		return fmt.Errorf("%w (%w); try again later, or wait with Lock or RLock", ErrLocked, err)
	}
	return nil
}
