package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

// The kernel ties "dies with its parent" to the thread that started the child (prctl(2), PR_SET_PDEATHSIG): the main goroutine
// starts them, so it stays on the main thread, which lives as long as the process.
func init() { runtime.LockOSThread() }

// ownGroup puts the command into a process group of its own, and has the kernel kill it when this process dies.
func ownGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// endWithParent has the kernel end this process when its parent dies: go run passes no signal on.
func endWithParent() {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0)
}
