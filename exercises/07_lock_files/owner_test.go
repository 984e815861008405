package lockfiles_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/internal/lab"
)

// judge calls Alive for the owner that it is sent.
func judge(w *lab.Worker) error {
	var owner lockfiles.Owner
	if err := w.Receive(&owner); err != nil {
		return err
	}
	return w.Result(lockfiles.Alive(owner))
}

// own acquires PATH and sends who it is.
func own(w *lab.Worker) error {
	lock, err := lockfiles.Acquire(w.Arg(0), lockfiles.Options{})
	if err != nil {
		return err
	}
	if err := w.Result(lock.Owner()); err != nil {
		return err
	}
	w.Reached("holding")
	return nil
}

func TestAlive(t *testing.T) {
	t.Parallel()
	owner := func(t *testing.T) (lockfiles.Owner, *lab.Process) {
		t.Helper()
		process := lab.Start(t, "own", filepath.Join(t.TempDir(), "locks.json.lock"))
		var owner lockfiles.Owner
		process.Result(&owner, lab.Lesson{Says: "Acquire did not take a free lock", Read: theBug})
		process.Reached("holding")
		return owner, process
	}
	const taken = "the lock is taken from somebody who is at work: two programs write the same file"

	t.Run("a process that is at work", func(t *testing.T) {
		t.Parallel()
		o, _ := owner(t)
		lab.Require(t, lockfiles.Alive(o), lab.Lesson{
			Says: "Alive calls a process dead that is at work", Did: "a process acquired a lock and has it", Expected: "true", Found: "false", Means: taken, Read: whoIsAlive,
		})
	})
	t.Run("a process of which nobody knows when it began", func(t *testing.T) {
		t.Parallel()
		o, _ := owner(t)
		o.Started = ""
		lab.Require(t, lockfiles.Alive(o), lab.Lesson{
			Says: "Alive calls a process dead because it does not know when it began", Did: "a process acquired a lock and has it; its owner's Started is empty, as on a system that does not tell",
			Expected: "true", Found: "false", Means: taken, Read: whoIsAlive,
		})
	})
	t.Run("a process that was killed", func(t *testing.T) {
		t.Parallel()
		o, process := owner(t)
		process.Kill()
		lab.Require(t, !lockfiles.Alive(o), lab.Lesson{
			Says: "Alive calls a process alive that was killed", Did: "a process acquired a lock and was killed", Expected: "false", Found: "true",
			Means: "a crash stops the workshop until somebody removes a file by hand", Read: whoIsAlive,
		})
	})
	t.Run("another user's process", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("a process that may not be asked takes a second user there, which a test does not have")
		}
		o, _ := owner(t)
		o.PID, o.Started = 1, "" // the first process of the system: it is alive, and it belongs to another user than nobody
		asker := lab.Launch(t, lab.Options{Unprivileged: true}, "judge")
		asker.Send(o)
		var alive bool
		asker.Result(&alive)
		lab.Require(t, alive, lab.Lesson{
			Says: "Alive calls a process dead that belongs to another user", Did: "process 1 has the lock; an ordinary user, who may not signal it, called Alive",
			Expected: "true", Found: "false", Means: taken, Read: whoIsAlive,
		})
	})
	t.Run("a number that was given to somebody else", func(t *testing.T) {
		t.Parallel()
		o, process := owner(t)
		if o.Started == "" {
			t.Skip("this system does not tell when a process started")
		}
		process.Kill()
		o.PID, o.Started = os.Getpid(), o.Started+"0" // this process is alive, and it did not start then
		lab.Require(t, !lockfiles.Alive(o), lab.Lesson{
			Says: "Alive takes a stranger for the owner of the lock", Did: "the owner was killed, and another process, which started at another time, now has its number",
			Expected: "false", Found: "true", Means: "the lock stays taken as long as the stranger lives, which may be for ever", Read: whoIsAlive,
		})
	})
	t.Run("an owner on another host", func(t *testing.T) {
		t.Parallel()
		o, process := owner(t)
		process.Kill()
		for _, host := range []string{"bench-2", "", o.Host + "1", "1" + o.Host, o.Host[:len(o.Host)-1]} {
			o := o
			o.Host = host
			lab.Require(t, lockfiles.Alive(o), lab.Lesson{
				Says: "Alive calls a process dead that runs on another host", Did: fmt.Sprintf("the lock belongs to process %d on %q; here, nobody has that number", o.PID, host),
				Expected: "true", Found: "false", Means: taken, Read: whoIsAlive,
			})
		}
	})
	t.Run("an owner whose number is damaged", func(t *testing.T) {
		t.Parallel()
		o, _ := owner(t)
		for _, number := range []int{0, -1} {
			o.PID = number
			lab.Require(t, lockfiles.Alive(o), lab.Lesson{
				Says: "Alive calls an owner dead of whom it knows nothing", Did: fmt.Sprintf("the lock's owner has the number %d, which no process has", number),
				Expected: "true", Found: "false", Means: taken, Read: whoIsAlive,
			})
		}
	})
}
