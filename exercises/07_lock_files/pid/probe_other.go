//go:build !unix && !windows

package pid

import (
	"errors"
	"fmt"
)

// Probe asks whether a process has that number at this moment. This system does not tell: the error matches errors.ErrUnsupported.
func Probe(number int) error {
	return fmt.Errorf("probe process %d: %w", number, errors.ErrUnsupported)
}
