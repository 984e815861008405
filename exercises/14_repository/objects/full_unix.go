//go:build unix

package objects

import (
	"errors"
	"syscall"
)

// IsFull reports whether err says that the disk, or the user's share of it, is full.
func IsFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
