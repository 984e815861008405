//go:build !linux

package seektruncate_test

import (
	"errors"
	"testing"
)

// The tests that step a worker are skipped where there is no strace, before they ask for any of these.

func limitFileSizeSoftly(int) error { return errors.ErrUnsupported }

func liftFileSizeLimit(int) error { return errors.ErrUnsupported }

func offsetOf(int, uintptr) (int, error) { return 0, errors.ErrUnsupported }

func holdLocks(t *testing.T, _ string) {
	t.Helper()
	t.Skip("the kinds of locks differ from system to system: this is tested on Linux")
}

func closeNumber(int) {}
