//go:build unix

package guide

import (
	"errors"
	"os"
	"syscall"
)

// patiently runs call once: on Unix a file that somebody has open can be replaced and read.
func patiently(call func() error) error { return call() }

// syncFolder makes a rename in the folder last through a power cut. Some file systems refuse to flush a folder
// (EINVAL, ENOTSUP); the rename itself has happened all the same.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, folder.Close())
}

// interrupt asks a process to end.
func interrupt(process *os.Process) error { return process.Signal(os.Interrupt) }
