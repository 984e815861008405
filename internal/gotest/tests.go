package gotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/lab/verdict"
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

// defaultTimeout is well above the laboratory's own deadlines (15 s a step, 60 s for a worker's start): a test that
// waits in vain should end with its message, not with a goroutine dump.
const defaultTimeout = 3 * time.Minute

// Tests is one run of an exercise's tests. Only Exercise must be set.
type Tests struct {
	Exercise *curriculum.Exercise
	// Answer is laid over the exercise for this run; nil runs the files as they are. No file of the workbook is touched.
	Answer answer.Answer
	// Answers are laid over the exercises with these IDs, for DoAll: all of one learner's, as they are together. Exercise and Answer
	// must be nil.
	Answers map[string]answer.Answer

	Race  bool   // build with the race detector
	Short bool   // go test -short
	NoVet bool   // leave go vet out
	Count int    // runs of each test; 0 is 1
	Run   string // go test -run

	// Cached lets go answer from its test cache where tests of the very same code passed before (`go help test`), for
	// questions about many exercises at once. Otherwise every test runs, each time. The tests then use the system's temporary directory,
	// since a new one for each run would be a new question. Count must be 0.
	Cached bool

	GOOS string // system to build for; "" is this one
	Exec string // program that starts the test binary (go test -exec)

	Env     []string      // added to the environment, "KEY=value"
	Timeout time.Duration // for the test binary; 0 is 3 minutes
	// Stall ends a run whose tests have begun and that has been silent for so long: no test began or ended, and there was no
	// output. 0 waits for Timeout.
	Stall time.Duration

	// Progress, if set, is called each time something has happened, one call at a time and not after Do has returned.
	Progress func(Progress)
}

// Do runs the tests and returns what they say. A failing test, code that does not compile and a panic are results, not errors;
// the error says that go itself could not do its work (exec.ErrNotFound, ErrModulesMissing, a *MachineError), or wraps ctx.Err().
// When ctx ends, every process that the run started is ended too. So is a run that prints tens of megabytes: it is Broken.
//
// Environment says which variables are ignored. Cgo is off but for the race detector, which needs it.
func (t Tests) Do(ctx context.Context) (*Result, error) {
	if t.Answer == nil {
		if _, err := answer.Learner(t.Exercise); err != nil { // go would report packages instead
			return nil, fmt.Errorf("run the tests: %w", err)
		}
	}
	results, err := t.do(ctx, []*curriculum.Exercise{t.Exercise})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// DoAll runs the tests of several exercises as they are, in one go command, and returns a result for each, in order.
// It is faster than one Do after the other. t.Exercise and t.Answer must be nil.
func (t Tests) DoAll(ctx context.Context, exercises []*curriculum.Exercise) ([]*Result, error) {
	if t.Exercise != nil || t.Answer != nil {
		return nil, errors.New("run the tests of several exercises: an answer belongs to one exercise")
	}
	if len(exercises) == 0 {
		return nil, nil
	}
	return t.do(ctx, exercises)
}

func (t Tests) do(ctx context.Context, exercises []*curriculum.Exercise) (results []*Result, err error) {
	names := strings.Join(curriculum.IDs(exercises), ", ")
	work, err := newWorkspace(exercises[0].Root, t.GOOS)
	if err != nil {
		return nil, fmt.Errorf("run the tests of %s: %w", names, err)
	}
	defer func() { err = errors.Join(err, work.remove()) }()

	arguments, err := t.arguments(work, exercises)
	if err != nil {
		return nil, fmt.Errorf("run the tests of %s: %w", names, err)
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	command := work.goCommand(running, t.environment(work), arguments...)
	reader := newEventReader(exercises, work)
	reader.watch, reader.progress = newWatchdog(command, t.Stall, stop), t.Progress
	if !t.Cached {
		reader.room = work.room
	}
	stderr := &tail{}
	command.Stdout, command.Stderr = reader, stderr
	err = runGo(running, command)
	if reader.stopped = reader.watch.end(); reader.stopped != "" && ctx.Err() == nil {
		err = nil
	}
	if err == nil {
		results, err = reader.results(work.tidy(stderr.String()))
	}
	if err == nil && !t.NoVet {
		err = t.tellVetFromCompiler(ctx, work, exercises, results)
	}
	if err != nil {
		return nil, fmt.Errorf("run the tests of %s: %w", names, err)
	}
	return results, nil
}

// tellVetFromCompiler marks what go vet refused: go's events look alike for both, but vet refused what the compiler accepts.
func (t Tests) tellVetFromCompiler(ctx context.Context, work *workspace, exercises []*curriculum.Exercise, results []*Result) error {
	for i, result := range results {
		inTests := func(line string) bool { return strings.Contains(line, "_test.go:") }
		if result.Status != DoesNotCompile || !slices.ContainsFunc(result.CompilerLines, place.MatchString) ||
			slices.ContainsFunc(result.CompilerLines, inTests) {
			continue
		}
		arguments := []string{"build", "-o", os.DevNull}
		if work.laid != nil {
			arguments = append(arguments, "-overlay="+work.laidMap)
		}
		command := work.goCommand(ctx, t.environment(work), append(arguments, "./exercises/"+exercises[i].ID)...)
		if err := runGo(ctx, command); err != nil {
			return err
		}
		result.Vet = command.ProcessState.Success()
	}
	return nil
}

func (t Tests) arguments(work *workspace, exercises []*curriculum.Exercise) ([]string, error) {
	arguments := append([]string{"test", "-json"}, t.flags()...)
	var overlay string
	var err error
	switch {
	case t.Answer != nil:
		overlay, err = work.overlay(exercises[0], t.Answer)
	case t.Answers != nil:
		overlay, err = work.overlayAll(t.Answers)
	}
	if err != nil {
		return nil, err
	}
	if overlay != "" {
		arguments = append(arguments, "-overlay="+overlay)
	}
	for _, e := range exercises {
		arguments = append(arguments, "./exercises/"+e.ID)
	}
	return arguments, nil
}

func (t Tests) environment(work *workspace) []string {
	var env []string
	if !t.Race {
		env = append(env, "CGO_ENABLED=0")
	}
	if !t.Cached {
		env = append(env, work.tempVariables()...)
	}
	return append(env, t.Env...)
}

func (t Tests) flags() []string {
	timeout := t.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	flags := []string{"-timeout=" + timeout.String()}
	if !t.Cached {
		flags = append(flags, "-count="+strconv.Itoa(max(t.Count, 1)))
	}
	if t.Race {
		flags = append(flags, "-race")
	}
	if t.Short {
		flags = append(flags, "-short")
	}
	if t.NoVet {
		flags = append(flags, "-vet=off")
	}
	if t.Run != "" {
		flags = append(flags, "-run="+t.Run)
	}
	if t.Exec != "" {
		flags = append(flags, "-exec="+quoteArgument(t.Exec))
	}
	return flags
}

// quoteArgument protects a path with spaces from go, which splits the value of -exec into words.
func quoteArgument(path string) string {
	if strings.ContainsAny(path, " \t") && !strings.ContainsAny(path, `'"`) {
		return "'" + path + "'"
	}
	return path
}

// runGo runs a go command whose exit status does not matter: its output is more precise.
func runGo(ctx context.Context, command *exec.Cmd) error {
	err := RunTree(command)
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %w", ctx.Err())
	}
	var exit *exec.ExitError
	switch {
	case err == nil, errors.As(err, &exit) && exit.Exited():
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%w; install Go from https://go.dev/dl/ and make sure that `go version` works in this terminal", err)
	default:
		return fmt.Errorf("start go: %w", err)
	}
}

// A Result is what a run of tests says of an answer.
type Result struct {
	Status Status
	// Reason is one sentence for Skipped and Broken: why nothing was run, what broke.
	Reason string
	// Tests are in the order in which they started, which is that of the source; subtests follow their parents. With Count,
	// the worst run of each.
	Tests []TestResult
	// Printed are the last lines that the code printed before it ended the test process by itself.
	Printed []string
	// Place is where a trace first shows the learner's own files ("exercises/03_seek_truncate/seek.go:12"), "" if none does.
	Place string
	// Vet says that go vet refused the code, not the compiler.
	Vet bool
	// CompilerLines are what the compiler, or go vet, said: "exercises/03_seek_truncate/seek.go:12:5: undefined: x",
	// paths relative to the root with forward slashes.
	CompilerLines []string
	// Output is everything that was printed, as a person would have seen it with go test -v.
	Output  string
	Elapsed time.Duration // of the test binary, as go reports it; without building
}

// Failures returns the tests that did not pass or skip, without the parents that failed only through a subtest.
func (r *Result) Failures() []TestResult {
	var failures []TestResult
	for _, test := range r.Tests {
		if test.Status != Failed && test.Status != Broken {
			continue
		}
		subtestFailed := slices.ContainsFunc(r.Tests, func(other TestResult) bool {
			return strings.HasPrefix(other.Name, test.Name+"/") && (other.Status == Failed || other.Status == Broken)
		})
		if !subtestFailed || test.Failure != nil || test.Status == Broken {
			failures = append(failures, test)
		}
	}
	return failures
}

// Test returns the result of the test of that name; a subtest's name may be written with spaces, as in its source.
func (r *Result) Test(name string) (TestResult, bool) {
	name = strings.ReplaceAll(name, " ", "_") // as package testing does
	at := slices.IndexFunc(r.Tests, func(t TestResult) bool { return t.Name == name })
	if at < 0 {
		return TestResult{}, false
	}
	return r.Tests[at], true
}

// A TestResult is what one test or subtest says.
type TestResult struct {
	Name   string // "TestRewrite" or "TestRewrite/shorter"
	Status Status // Passed, Failed, Skipped or Broken
	// Runs is how often the test came to its end (more than once with Count), Failures how often it failed.
	Runs, Failures int
	// Failure is the message that the test published through the lab; nil if it published none.
	Failure *verdict.Failure
	// Output is what the test printed and logged, without go test's own "=== RUN" and "--- FAIL" lines.
	Output     string
	SkipReason string
	Elapsed    time.Duration
	Panicked   bool
	TimedOut   bool
}

// Message is what the test reports: the text of its Failure or, where it published none, its output.
func (t TestResult) Message() string {
	if t.Failure != nil {
		return t.Failure.String()
	}
	return strings.TrimRight(t.Output, "\n")
}
