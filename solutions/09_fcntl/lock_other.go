//go:build !linux

package fcntl

import (
	"errors"
	"os"
)

const supported = false

func setLock(*os.File, mode, int64, int64, bool) error { return errors.ErrUnsupported }

func inTheWay(*os.File, int64, int64) (bool, error) { return false, errors.ErrUnsupported }
