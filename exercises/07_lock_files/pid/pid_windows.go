package pid

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// Probe asks whether a process has that number at this moment. It returns
//
//   - nil if one does,
//   - an error that matches fs.ErrPermission if one does about which this process may not ask, such as another user's,
//   - an error that matches os.ErrProcessDone if none does,
//   - another error if the system did not tell.
func Probe(number int) error {
	process, err := open(number)
	if err != nil {
		return fmt.Errorf("probe process %d: %w", number, err)
	}
	defer windows.CloseHandle(process) //nolint:errcheck // nothing was changed through it
	// An open handle keeps a process that has ended: it can still be opened, and it is signalled.
	event, err := windows.WaitForSingleObject(process, 0)
	if err != nil {
		return fmt.Errorf("probe process %d: %w", number, err)
	}
	if event == windows.WAIT_OBJECT_0 {
		return fmt.Errorf("probe process %d: %w", number, os.ErrProcessDone)
	}
	return nil
}

// Started returns when the process began, in a form that is good for nothing but a comparison: two processes that have had
// the same number differ in it. The error matches os.ErrProcessDone if no process has that number.
func Started(number int) (string, error) {
	process, err := open(number)
	if err != nil {
		return "", fmt.Errorf("ask when process %d started: %w", number, err)
	}
	defer windows.CloseHandle(process) //nolint:errcheck // nothing was changed through it
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(process, &created, &exited, &kernel, &user); err != nil {
		return "", fmt.Errorf("ask when process %d started: %w", number, err)
	}
	return fmt.Sprint(created.Nanoseconds()), nil
}

func open(number int) (windows.Handle, error) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, uint32(number))
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) {
		return 0, os.ErrProcessDone
	}
	if err != nil {
		return 0, err
	}
	// The lowest two bits of the number are ignored, so that 4 numbers lead to one process.
	if id, err := windows.GetProcessId(process); err == nil && id != uint32(number) {
		return 0, errors.Join(os.ErrProcessDone, windows.CloseHandle(process))
	}
	return process, nil
}
