//go:build !linux

package primitives

import (
	"os"

	"example/turnstile/bench/results"
)

// systemOps is the measure of all others.
func systemOps() []op {
	ask := func() error { os.Getppid(); return nil }
	return []op{{SystemCall, "os.Getppid, which may be less than a system call here", results.None, ask, nil}}
}

// systemLocks are measured on Linux alone, which has all three.
func systemLocks() []systemLock { return nil }
