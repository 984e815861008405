//go:build unix

package guide

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// endings are the signals that end the guide and all that it started: Ctrl-C, Ctrl-\\, a terminal that was closed, kill. A hangup
// that the caller ignores for the guide (nohup) stays ignored.
func endings() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// interrupt sends a process the signal to end.
func interrupt(process *os.Process) error { return process.Signal(os.Interrupt) }

// noSpace reports whether the disk, or the user's share of it, is full.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
