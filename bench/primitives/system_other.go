//go:build !linux

package primitives

import (
	"os"

	"example/turnstile/bench/results"
)

// systemOps is the measure of all others.
func systemOps() []op {
	return []op{{SystemCall, "os.Getppid, which may be less than a system call here", results.None, func() error { os.Getppid(); return nil }, nil}}
}

// systemLocks are measured on Linux alone, which has all three.
func systemLocks() []systemLock { return nil }
