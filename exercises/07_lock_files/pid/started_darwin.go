package pid

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Started returns when the process began, in a form that is good for nothing but a comparison: two processes that have had the same
// number differ in it. The error matches errors.ErrUnsupported where the system does not tell.
func Started(number int) (string, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", number)
	if err != nil {
		return "", fmt.Errorf("ask when process %d started: %w", number, err)
	}
	return fmt.Sprintf("%d.%06d", info.Proc.P_starttime.Sec, info.Proc.P_starttime.Usec), nil
}
