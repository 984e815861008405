//go:build unix

package wire

import (
	"errors"
	"syscall"
)

// NoRoom reports whether err says that the disk, or the user's share of it, is full.
func NoRoom(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
