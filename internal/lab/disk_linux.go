package lab

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func mountSmall(dir string, size int64) (kind string, err error) {
	if err := unix.Mount("turnstile", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0777", size)); err != nil {
		return "", fmt.Errorf("mount tmpfs at %s: %w", dir, err)
	}
	return "tmpfs", nil
}

// unmountSmall detaches: a process that the test has left behind must not keep the directory.
func unmountSmall(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }
