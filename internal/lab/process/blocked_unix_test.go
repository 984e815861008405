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
	w.Reached("open")
	if err := lockWhole(f, w.Arg(0)); err != nil {
		return err
	}
	w.Reached("held")
	return nil
}

func lockWhole(f *os.File, kind string) error {
	whole := unix.Flock_t{Type: unix.F_WRLCK}
	switch kind {
	case "flock":
		return unix.Flock(int(f.Fd()), unix.LOCK_EX)
	case "posix":
		return unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &whole)
	case "ofd":
		return lockDescription(f, &whole)
	}
	return fmt.Errorf("no lock is called %q", kind)
}

// lockCrowd locks each of the files in a goroutine of its own: KIND PATH….
func lockCrowd(w *Worker) error {
	failed := make(chan error)
	for i := 1; w.Arg(i) != ""; i++ {
		f, err := os.OpenFile(w.Arg(i), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		go func() {
			defer f.Close()
			failed <- lockWhole(f, w.Arg(0))
		}()
	}
	return <-failed
}
