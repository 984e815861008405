//go:build unix

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// patiently runs call once: on Unix a file can be replaced and read even if another process has it open.
func patiently(call func() error) error { return call() }

// SyncDir makes renames in the directory last through a power cut. Some file systems refuse to flush a directory (EINVAL,
// ENOTSUP): the renames are then as durable as the system makes them.
func SyncDir(dir string) error {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = handle.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, handle.Close())
}
