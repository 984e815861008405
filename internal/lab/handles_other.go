//go:build !unix && !windows

package lab

import (
	"errors"
	"fmt"
)

// IsOpen is not possible on this system.
func IsOpen(string) (bool, error) {
	return false, fmt.Errorf("ask for open handles: %w", errors.ErrUnsupported)
}

// OpenHandles is not possible on this system.
func OpenHandles() (int, error) {
	return 0, fmt.Errorf("count open handles: %w", errors.ErrUnsupported)
}

// LimitHandles is not possible on this system.
func LimitHandles(int) error { return fmt.Errorf("limit open handles: %w", errors.ErrUnsupported) }

// LimitFileSize is not possible on this system.
func LimitFileSize(int64) error {
	return fmt.Errorf("limit the size of files: %w", errors.ErrUnsupported)
}

// OpenDescriptors is not possible on this system.
func OpenDescriptors(string) ([]int, error) {
	return nil, fmt.Errorf("ask for open descriptors: %w", errors.ErrUnsupported)
}

// DuplicateDescriptors is not possible on this system.
func DuplicateDescriptors(string) (int, error) {
	return 0, fmt.Errorf("duplicate descriptors: %w", errors.ErrUnsupported)
}
