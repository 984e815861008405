//go:build unix

package pid

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Probe asks whether a process has that number at this moment. It returns
//
//   - nil if one does,
//   - an error that matches fs.ErrPermission if one does about which this process may not ask, such as another user's,
//   - an error that matches os.ErrProcessDone if none does,
//   - another error if the system did not tell.
//
// On Unix a process that has ended keeps its number until its parent has waited for it (a zombie, kill(2)).
func Probe(number int) error {
	if number <= 0 {
		return fmt.Errorf("probe process %d: no process has such a number", number) // kill(2) means a group by it
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
