//go:build !unix && !windows

package guide

import "os"

func patiently(call func() error) error { return call() }

// syncFolder does nothing: these systems have no call that flushes a folder.
func syncFolder(string) error { return nil }

func interrupt(process *os.Process) error { return process.Kill() }
