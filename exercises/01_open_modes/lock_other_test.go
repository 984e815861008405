//go:build !linux

package openmodes_test

import (
	"errors"
	"os"
)

func posixLock(*os.File) error { return errors.ErrUnsupported }

func isLocked(string) (bool, error) { return false, errors.ErrUnsupported }
