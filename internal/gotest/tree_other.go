//go:build !unix && !windows

package gotest

import (
	"os/exec"
	"time"
)

// RunTree runs the command. When its context ends, the command alone is killed: this system has no groups of processes that
// could be ended together. What go has started ends by its own time limit.
func RunTree(command *exec.Cmd) error {
	command.WaitDelay = 4 * time.Second // what is left over must not hold the pipe, and with it this program
	return command.Run()
}

// askForStacks does nothing: this system has no signal for it.
func askForStacks(int) {}
