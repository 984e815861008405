// Package lab is the laboratory of the lessons' fact tests and the exercises' tests. It runs the code under test in real processes and
// on real files, and from outside:
//
//   - worker processes, driven step by step, stopped or killed (Start, Process)
//   - who waits in the kernel for a lock, and for which file (WaitBlocked, Waiters)
//   - system calls: which were made, what if one fails, what if others act between two of them (Trace, Step)
//   - the machine: handles, limits, a small disk, another user (OpenHandles, LimitFileSize, SmallDisk, SharedDir)
//   - failure messages that teach (Lesson, Require…, Finishes)
//
// The processes are those of package process and the system calls those of package trace. This package ties them to a test: what goes
// wrong fails the test with a Lesson, and what was started is gone when the test ends.
//
// Two environment variables change how a test runs: TURNSTILE_EFFORT (see Rounds) and TURNSTILE_PATIENCE (see process.Patience).
package lab

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/verdict"
)

// A Worker is the inside of a worker process; see process.Worker.
type Worker = process.Worker

// Workers are the functions that worker processes run, by name.
type Workers = process.Workers

// A Returned carries the error of a call inside a worker's result; see process.Returned.
type Returned = process.Returned

// A Lesson is what a failing check tells the learner. Expected and Found may be left empty where the check knows them.
type Lesson = verdict.Failure

// Main runs the tests of a package whose tests start worker processes. It goes into TestMain:
//
//	func TestMain(m *testing.M) { lab.Main(m, lab.Workers{"append": appendLine}) }
//
// In a process that was started as a worker it runs that worker instead and never returns. TestMain
// need not call os.Exit: the testing package exits with what m.Run returned.
//
// The sentinels are the errors of the package under test that its workers return or send in a Returned:
//
//	lab.Main(m, workers, lockfiles.ErrLocked, lockfiles.ErrLost)
//
// makes errors.Is(p.Wait(), lockfiles.ErrLocked) hold in the test if it held in the worker.
//
// The working directory of the tests is a temporary one, so that code which makes a file in the wrong place leaves none among the
// learner's. PackageDir is where they began.
func Main(m *testing.M, workers Workers, sentinels ...error) {
	process.Dispatch(workers, sentinels...)
	leave, err := enterTemporaryDirectory()
	if err != nil {
		fmt.Fprintf(os.Stderr, "make a working directory for the tests: %v; point TMPDIR (Windows: TMP) at a writable directory\n", err)
		os.Exit(1)
	}
	defer leave()
	m.Run()
}

var packageDir = "."

// PackageDir returns the directory of the package under test, where go test starts its tests: an absolute path after Main.
func PackageDir() string { return packageDir }

// enterTemporaryDirectory makes a temporary directory the working directory. leave goes back and removes it.
func enterTemporaryDirectory() (leave func(), err error) {
	if packageDir, err = os.Getwd(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "turnstile-work-")
	if err != nil {
		return nil, err
	}
	leave = func() { _ = errors.Join(os.Chdir(packageDir), os.RemoveAll(dir)) } // what is left is the system's to clear
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chdir(dir)); err != nil {    // workers may run as another user
		leave()
		return nil, err
	}
	return leave, nil
}
