//go:build unix

package gotest

import (
	"os/exec"
	"syscall"
	"time"
)

// grace is the time that a stopped run has to end by itself before it is killed.
const grace = 2 * time.Second

// RunTree runs the command as a process group of its own. When its context ends, the whole group is interrupted, which
// ends test binaries at once and lets go remove its work, and killed soon after: no worker of a test outlives the run.
func RunTree(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var kill *time.Timer
	command.Cancel = func() error {
		group := -command.Process.Pid
		kill = time.AfterFunc(grace, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		return syscall.Kill(group, syscall.SIGINT)
	}
	command.WaitDelay = 2 * grace
	err := command.Run()
	if kill != nil {
		kill.Stop()
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // what is left of the group; usually nothing
	}
	return err
}

// askForStacks makes every Go process of the group print what its goroutines are doing, and end (os/signal, "SIGQUIT").
func askForStacks(pid int) { _ = syscall.Kill(-pid, syscall.SIGQUIT) }
