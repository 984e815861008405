//go:build unix && !linux

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the command into a process group of its own, so that it can be ended as a whole.
func ownGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func endWithParent() {}
