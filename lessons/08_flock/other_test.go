//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package flock_test

import (
	"runtime"
	"testing"
)

func TestFlock(t *testing.T) {
	t.Parallel()
	t.Skip("package syscall has no Flock on " + runtime.GOOS + ", so none of this lesson's facts can be asked here")
}
