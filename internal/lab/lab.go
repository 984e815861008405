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
func Main(m *testing.M, workers Workers, sentinels ...error) {
	process.Dispatch(workers, sentinels...)
	m.Run()
}
