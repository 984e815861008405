//go:build !linux

package atomicreplace_test

import "testing"

// killAtEachStep needs strace.
func killAtEachStep(t *testing.T) {
	t.Run("killed at each step", func(t *testing.T) { t.Skip("strace, which kills a process at a chosen system call, is a Linux tool") })
}
