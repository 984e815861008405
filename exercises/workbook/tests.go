package workbook

import (
	"context"
	"os/exec"
	"time"

	"example/turnstile/lessons/lab/verdict"
)

// A Status is what a run of tests says of an answer, or of one test.
type Status string

const (
	Passed         Status = "passed"
	Failed         Status = "failed"
	DoesNotCompile Status = "does not compile" // also what go vet refuses; never the status of one test
	Skipped        Status = "skipped"          // every test was skipped, or there is none for this system
	Broken         Status = "broken"           // a panic, a timeout, a test process that died
)

// Tests is one run of an exercise's tests. Only Exercise must be set.
type Tests struct {
	Exercise *Exercise
	// Answer is laid over the exercise for this run; nil runs the files as they are. No file of the workbook is touched.
	Answer Answer

	Race  bool   // build with the race detector
	Short bool   // go test -short
	NoVet bool   // leave go vet out
	Count int    // runs of each test; 0 is 1. Results are never taken from go's test cache.
	Run   string // go test -run

	GOOS string // system to build for; "" is this one
	Exec string // program that starts the test binary (go test -exec)

	Env     []string      // added to the environment, "KEY=value"
	Timeout time.Duration // for the test binary; 0 is 3 minutes
}

// Do runs the tests and returns what they say. A failing test, code that does not compile, a panic are results, no errors;
// the error says that go itself could not do its work (not found, modules missing: ErrModulesMissing), or wraps ctx.Err().
// When ctx ends, every process that the run started is ended too.
func (t Tests) Do(ctx context.Context) (*Result, error) { return nil, errSkeleton }

// A Result is what a run of tests says of an answer.
type Result struct {
	Status Status
	// Reason is one sentence for Skipped and Broken: why nothing was run, what broke.
	Reason string
	// Tests are in the order in which they started, subtests after their parents. With Count, the worst run of each.
	Tests []TestResult
	// CompilerLines are what the compiler, or go vet, said: "exercises/03_seek_truncate/seek.go:12:5: undefined: x",
	// paths relative to the root with forward slashes.
	CompilerLines []string
	// Output is everything that go test printed, as a person would have seen it with -v.
	Output  string
	Elapsed time.Duration
}

// Failures returns the tests that did not pass or skip, without the parents that failed only through a subtest.
func (r *Result) Failures() []TestResult { return nil }

// A TestResult is what one test or subtest says.
type TestResult struct {
	Name   string // "TestRewrite" or "TestRewrite/shorter"
	Status Status // Passed, Failed, Skipped or Broken
	// Failure is the message that the test published through the lab; nil if it published none.
	Failure *verdict.Failure
	// Output is what the test printed and logged, without go test's own "=== RUN" and "--- FAIL" lines.
	Output     string
	SkipReason string
	Elapsed    time.Duration
	Panicked   bool
	TimedOut   bool
}

// A Demo is one run of an exercise's race demo.
type Demo struct {
	Exercise *Exercise
	// Answer is laid over the exercise for this run; nil runs the files as they are.
	Answer Answer
	Args   []string

	Race bool   // build with the race detector
	GOOS string // system to build for; "" is this one
	Exec string // program that starts the demo, with the demo's path as its first argument
	Env  []string
}

// Command builds the demo and returns it as a command that is ready to start, in the root folder and with neither input
// nor output connected, and a function that removes the built program, to call when the command has ended.
// An answer that does not compile gives a *CompileError. The demo's own exit status says 0 no race seen, 1 race seen.
func (d Demo) Command(ctx context.Context) (command *exec.Cmd, remove func(), err error) {
	return nil, nil, errSkeleton
}

// Command is Demo{Exercise: e, Answer: a, Args: args}.Command(ctx).
func (e *Exercise) Command(ctx context.Context, a Answer, args ...string) (*exec.Cmd, func(), error) {
	return Demo{Exercise: e, Answer: a, Args: args}.Command(ctx)
}

// A CompileError says that an answer does not compile.
type CompileError struct {
	Package string
	Lines   []string // as Result.CompilerLines
}

func (e *CompileError) Error() string { return e.Package + " does not compile" }
