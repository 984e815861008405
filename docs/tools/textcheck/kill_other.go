//go:build !unix

package textcheck

import (
	"os/exec"
	"runtime"
	"strconv"
)

// killTree makes the end of the command's context kill the processes that it has started too, where the system has a tool
// for that.
func killTree(command *exec.Cmd) {
	command.Cancel = func() error {
		if runtime.GOOS == "windows" {
			if err := exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(command.Process.Pid)).Run(); err == nil {
				return nil
			}
		}
		return command.Process.Kill()
	}
}
