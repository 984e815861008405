package gotest

import (
	"fmt"
	"os/exec"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// grace is the time that output may still come after the run was stopped.
const grace = 2 * time.Second

// RunTree runs the command inside a job object. When its context ends, or this program does, Windows ends every process
// of the job: no worker of a test outlives the run.
func RunTree(command *exec.Cmd) error {
	job, err := newJob()
	if err != nil {
		return fmt.Errorf("make a job object: %w", err)
	}
	defer func() { _ = windows.CloseHandle(job) }() // ends what is left
	command.Cancel = func() error { return windows.TerminateJobObject(job, 1) }
	command.WaitDelay = 2 * grace
	if err := command.Start(); err != nil {
		return err
	}
	if err := assign(job, command.Process.Pid); err != nil {
		_ = command.Process.Kill()
		_ = command.Wait()
		return fmt.Errorf("put go into a job object: %w", err)
	}
	return command.Wait()
}

func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		_ = windows.CloseHandle(job)
		return 0, err
	}
	return job, nil
}

// assign puts the process into the job. Go compiles for a while before it starts a test, so that nothing escapes in the
// moment between the start and this call.
func assign(job windows.Handle, pid int) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return err
	}
	defer func() { _ = windows.CloseHandle(process) }()
	return windows.AssignProcessToJobObject(job, process)
}

// askForStacks does nothing: this system has no signal for it.
func askForStacks(int) {}
