package gotest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"example/turnstile/internal/curriculum"
)

// A Compilation makes the tests of one package into a program, as `go test -c`.
type Compilation struct {
	Root    string // the workbook's
	Package string // below Root, "./exercises/03_seek_truncate"
	Overlay string // the map for go's -overlay; "" for none
	Program string // where to write the program
}

// Do compiles. The tests or what they import may not compile: then the error is a *CompileError, and no program is written.
// When ctx ends, every process that was started is ended too.
func (c Compilation) Do(ctx context.Context) error {
	// Without inlining and tables for debuggers, thirty copies of an exercise's tests compile in three quarters of the CPU time.
	faster := "-gcflags=" + curriculum.ModulePath + "/exercises/...=-l -dwarf=false"
	arguments := []string{"test", "-c", "-vet=off", faster, "-ldflags=-s -w", "-o", c.Program}
	if c.Overlay != "" {
		arguments = append(arguments, "-overlay="+c.Overlay)
	}
	command := exec.CommandContext(ctx, "go", append(arguments, c.Package)...)
	command.Dir = c.Root
	command.Env = Environment(c.Root, "CGO_ENABLED=0") // as Tests
	said := &tail{}
	command.Stdout, command.Stderr = said, said
	if err := runGo(ctx, command); err != nil {
		return fmt.Errorf("compile the tests of %s: %w", c.Package, err)
	}
	if !command.ProcessState.Success() {
		return compileError(said.String(), curriculum.ModulePath+strings.TrimPrefix(c.Package, "."))
	}
	return nil
}

// A BinaryRun is one run of an exercise's compiled tests, in the exercise's directory, without the go command: it costs what the
// tests cost.
type BinaryRun struct {
	Exercise *curriculum.Exercise
	Program  string // the test binary
	Reader   string // Test2JSON's path

	Run     string        // pattern of tests to run (go test -run); "" for all
	Count   int           // runs of each test; 0 is 1
	Timeout time.Duration // for the program; 0 is 3 minutes
	Stall   time.Duration // for silence, as in Tests
	Temp    string        // a directory for temp files, which the caller removes
	Env     []string      // added to the environment, "KEY=value"
}

// Do runs the tests and returns what they say, as Tests.Do does.
func (b BinaryRun) Do(ctx context.Context) (*Result, error) {
	timeout := b.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout+time.Minute) // package testing's own limit comes first
	defer cancel()
	running, stop := context.WithCancel(ctx)
	defer stop()
	arguments := []string{
		"-t", "-p", b.Exercise.Package(), b.Program, "-test.v=test2json", "-test.paniconexit0",
		"-test.timeout=" + timeout.String(), "-test.count=" + strconv.Itoa(max(b.Count, 1)),
	}
	if b.Run != "" {
		arguments = append(arguments, "-test.run="+b.Run)
	}
	exercises := []*curriculum.Exercise{b.Exercise}
	events := newEventReader(exercises, &workspace{})
	command := exec.CommandContext(running, b.Reader, arguments...)
	command.Dir = b.Exercise.Folder()
	command.Env = append(os.Environ(), "PWD="+command.Dir, "GOTMPDIR="+b.Temp, "TMPDIR="+b.Temp, "TMP="+b.Temp, "TEMP="+b.Temp)
	command.Env = append(command.Env, b.Env...)
	stderr := &tail{}
	command.Stdout, command.Stderr = events, stderr
	events.watch = newWatchdog(command, b.Stall, stop)
	err := runGo(running, command)
	if events.stopped = events.watch.end(); events.stopped != "" && ctx.Err() == nil {
		err = nil // it printed without end, or nothing for too long
	}
	var results []*Result
	if err == nil {
		results, err = events.results(stderr.String())
	}
	if err != nil {
		return nil, fmt.Errorf("run the compiled tests of %s: %w", b.Exercise.ID, err)
	}
	return results[0], nil
}

// Test2JSON returns the path of the program that turns the output of a test binary into events (`go doc test2json`).
func Test2JSON(ctx context.Context, root string) (string, error) {
	command := exec.CommandContext(ctx, "go", "tool", "-n", "test2json")
	command.Dir = root
	command.Env = Environment(root)
	printed, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("find go's test2json: %w; `go tool test2json -h` says what is missing", err)
	}
	path := strings.TrimSpace(string(printed))
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("find go's test2json: `go tool -n test2json` printed %q", path)
	}
	return path, nil
}
