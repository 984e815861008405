//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package filelock

import (
	"errors"
	"fmt"
	"runtime"
)

func lock(uintptr, Mode, bool) error {
	return fmt.Errorf("%w: package syscall has neither flock(2) nor LockFileEx on %s", errors.ErrUnsupported, runtime.GOOS)
}

func unlock(uintptr) error { return errors.ErrUnsupported }

type identity struct{}

func (h *Handle) identity() (identity, error) { return identity{}, errors.ErrUnsupported }

func (h *Handle) duplicate() (uintptr, error) { return 0, errors.ErrUnsupported }

func closeDescriptor(uintptr) error { return nil }
