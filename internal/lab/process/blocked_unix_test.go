//go:build unix

package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockWorker opens the file of its second argument and locks it in the way of its first, holding it at the step "held".
func lockWorker(w *Worker) error {
	f, err := os.OpenFile(w.Arg(1), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	whole := unix.Flock_t{Type: unix.F_WRLCK}
	w.Reached("open")
	switch w.Arg(0) {
	case "flock":
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	case "posix":
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &whole)
	case "ofd":
		err = lockDescription(f, &whole)
	default:
		err = fmt.Errorf("no lock is called %q", w.Arg(0))
	}
	if err != nil {
		return err
	}
	w.Reached("held")
	return nil
}
