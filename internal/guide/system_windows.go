package guide

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// endings are the signals that end the guide and all that it started. Go turns a closed console window into SIGTERM.
func endings() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// interrupt ends a process: Windows can interrupt only whole groups of one console.
func interrupt(process *os.Process) error { return process.Kill() }

// noSpace reports whether the disk is full.
func noSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
