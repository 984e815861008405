//go:build unix || js || wasip1

package shelf

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func identify(path string) (identity, error) {
	info, err := os.Stat(path)
	if err != nil {
		return identity{}, err
	}
	system, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, fmt.Errorf("%s: %w", path, errors.ErrUnsupported)
	}
	return identity{uint64(system.Dev), uint64(system.Ino)}, nil
}
