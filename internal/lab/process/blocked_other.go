//go:build !linux

package process

import (
	"errors"
	"fmt"
)

// kernelTells is set where waitsForLock has an exact answer.
const kernelTells = false

func waitsForLock(int) (bool, error) { return false, nil }

func busy(int) bool { return false }

func waitersOn(int, string) (int, error) {
	return 0, fmt.Errorf("count who waits for a lock: %w", errors.ErrUnsupported)
}

func whyStuck(int) (why string, lock bool) { return "", false }

func processorTime(int) (p processing) { return p }

func uninterruptible(int) map[string]string { return nil }
