//go:build !linux && !windows && !darwin

package pid

import (
	"errors"
	"fmt"
)

// Started returns when the process began, in a form that is good for nothing but a comparison: two processes that have had the same
// number differ in it. The error matches errors.ErrUnsupported where the system does not tell, as here.
func Started(number int) (string, error) {
	return "", fmt.Errorf("ask when process %d started: %w", number, errors.ErrUnsupported)
}
