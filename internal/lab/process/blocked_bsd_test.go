//go:build unix && !linux

package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func lockDescription(*os.File, *unix.Flock_t) error {
	return fmt.Errorf("open file description lock: %w", unix.ENOTSUP)
}
