//go:build unix

package textcheck

import (
	"os/exec"
	"syscall"
)

// killTree makes the end of the command's context kill its whole process group: go run and go test start the program
// that matters, and killing go alone would leave it running.
func killTree(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
