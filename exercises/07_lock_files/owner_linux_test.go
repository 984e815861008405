package lockfiles_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	lockfiles "example/turnstile/exercises/07_lock_files"
	"example/turnstile/exercises/07_lock_files/pid"
	"example/turnstile/internal/lab"
)

func init() {
	workers["rename the machine"] = renameTheMachine
	addCase("TestAlive", "a process that has ended and is not waited for", aliveUntilWaitedFor)
	addCase("TestAlive", "after the machine was renamed", hostIsAskedForEachTime)
}

// aliveUntilWaitedFor is about a process that has ended: it shows the same state as one whose first thread has ended and whose others work.
func aliveUntilWaitedFor(t *testing.T) {
	t.Parallel()
	process, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		t.Skip("no program to start: ", err)
	}
	defer func() {
		_, err := process.Wait()
		lab.RequireSetUp(t, err)
	}()
	lab.RequireSetUp(t, unix.Waitid(unix.P_PID, process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
	here, err := pid.Here()
	lab.RequireSetUp(t, err)
	started, err := pid.Started(process.Pid)
	lab.RequireSetUp(t, err)
	requireAlive(t, lockfiles.Owner{Host: here, PID: process.Pid, Started: started, Token: "A"},
		"Alive calls a process dead for which its parent has not waited", "a process has ended, and its parent has not waited for it")
}

// A machine's names are what one process found about its own, and what it wrote down after the machine was renamed.
type machineNames struct {
	Here, Written pid.Host
	DeadIsAlive   bool
}

// renameTheMachine acquires PATH, gives the machine another name, acquires it again, and asks about a process of that machine that has
// ended.
func renameTheMachine(w *lab.Worker) error {
	if _, err := lockfiles.Acquire(w.Arg(0), allDead); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("bench-2")); err != nil {
		return err
	}
	here, errHere := pid.Here()
	lock, err := lockfiles.Acquire(w.Arg(0), allDead)
	if err := errors.Join(err, errHere); err != nil {
		return err
	}
	gone := lock.Owner()
	gone.Host = here
	gone.Started += "0" // another process has its number
	return w.Result(machineNames{Here: here, Written: lock.Owner().Host, DeadIsAlive: lockfiles.Alive(gone)})
}

// hostIsAskedForEachTime, because where a process is can change while it runs.
func hostIsAskedForEachTime(t *testing.T) {
	t.Parallel()
	wrap := []string{"unshare", "--uts", "--map-root-user", "--"}
	if out, err := exec.CommandContext(t.Context(), wrap[0], append(wrap[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("a machine of its own cannot be made here: %v: %s", err, out)
	}
	l := lab.Lesson{
		Did: "a process acquired a lock; the machine was renamed; the process acquired the lock again", Read: isItAlive,
		Means: "a program that runs for weeks writes a name that no other process has, and every lock of its stays for ever",
	}
	worker := lab.Launch(t, lab.Options{Wrap: wrap}, "rename the machine", newPath(t))
	var found machineNames
	worker.Result(&found, l.Say("Acquire failed after the machine was renamed"))
	lab.RequireEqual(t, found.Here, found.Written, l.Say("Acquire wrote down another Host than pid.Here returns"))
	l.Expected, l.Found = "false", "true"
	l.Did += ", and called Alive about a process that has ended there"
	lab.Require(t, !found.DeadIsAlive, l.Say("Alive calls a process alive that has ended on this Host"))
}
