//go:build unix

package pid

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Probe asks whether there is a process with that number at this moment. It returns
//
//   - nil if there is one,
//   - an error that matches fs.ErrPermission if there is one about which this process may not ask any more, such as one of another user,
//   - an error that matches os.ErrProcessDone if there is none,
//   - another error if the system did not tell.
//
// On Unix a process that has ended counts as long as its parent has not waited for it (a zombie, kill(2)).
func Probe(number int) error {
	if number <= 0 {
		return fmt.Errorf("probe process %d: no process has such a number", number) // kill(2) would take it for a group
	}
	err := syscall.Kill(number, 0)
	if errors.Is(err, syscall.ESRCH) {
		err = os.ErrProcessDone
	}
	if err != nil {
		return fmt.Errorf("probe process %d: %w", number, err)
	}
	return nil
}
