package gotest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// A Demo is one run of an exercise's race demo.
type Demo struct {
	Exercise *curriculum.Exercise
	// Answer is laid over the exercise for this run; nil runs the files as they are.
	Answer answer.Answer
	Args   []string

	Race bool   // build with the race detector
	GOOS string // system to build for; "" is this one
	Exec string // program that starts the demo, with the demo's path as its first argument
	Env  []string
}

// Command builds the demo and returns it as a command that is ready to start, in the root directory and with neither input nor
// output connected, and a function that removes the built program, to call when the command has ended. An answer that does not
// compile gives a *CompileError, a missing module ErrModulesMissing, trouble with the machine a *MachineError. The demo's own exit
// status says 0 no race seen, 1 race seen. When ctx ends the demo is killed; its workers end with it.
func (d Demo) Command(ctx context.Context) (command *exec.Cmd, remove func(), err error) {
	work, err := newWorkspace(d.Exercise.Root, d.GOOS)
	if err != nil {
		return nil, nil, fmt.Errorf("build the race demo of %s: %w", d.Exercise.ID, err)
	}
	remove = func() { _ = work.remove() } // a temporary directory: what is left is the system's to clear
	program, err := d.build(ctx, work)
	if err != nil {
		remove()
		return nil, nil, fmt.Errorf("build the race demo of %s: %w", d.Exercise.ID, err)
	}
	if err := work.room(); err != nil {
		remove()
		return nil, nil, fmt.Errorf("start the race demo of %s: %w", d.Exercise.ID, err)
	}
	words := append([]string{program}, d.Args...)
	if d.Exec != "" {
		words = append([]string{d.Exec}, words...)
	}
	command = exec.CommandContext(ctx, words[0], words[1:]...)
	command.Dir = d.Exercise.Root
	command.Env = append(append(os.Environ(), work.tempVariables()...), d.Env...)
	return command, remove, nil
}

// build compiles instead of `go run`, which would turn every exit status into 1.
func (d Demo) build(ctx context.Context, work *workspace) (string, error) {
	program := filepath.Join(work.dir, "race")
	if work.goos == "windows" {
		program += ".exe"
	}
	arguments, env := []string{"build", "-o", program}, append(work.tempVariables(), "CGO_ENABLED=0")
	if d.Race {
		arguments, env = append(arguments, "-race"), work.tempVariables()
	}
	if d.Answer != nil {
		overlay, err := work.overlay(d.Exercise, d.Answer)
		if err != nil {
			return "", err
		}
		arguments = append(arguments, "-overlay="+overlay)
	}
	command := work.goCommand(ctx, append(env, d.Env...), append(arguments, "./exercises/"+d.Exercise.ID+"/race")...)
	said := &tail{}
	command.Stdout, command.Stderr = said, said
	if err := runGo(ctx, command); err != nil {
		return "", err
	}
	if command.ProcessState.Success() {
		return program, nil
	}
	return "", compileError(work.tidy(said.String()), d.Exercise.Package()+"/race")
}

func compileError(said, importPath string) error {
	failure := &CompileError{Package: importPath}
	for line := range strings.Lines(said) {
		line = strings.TrimRight(line, "\r\n")
		if rest, isPackage := strings.CutPrefix(line, "# "); isPackage {
			failure.Package = rest
		} else if line != "" && !strings.HasPrefix(line, "go: downloading ") {
			failure.Lines = append(failure.Lines, tidyCompilerLine(line))
		}
	}
	if slices.ContainsFunc(failure.Lines, noNetwork.MatchString) {
		return missingModule(failure.Lines)
	}
	if err := machineTrouble(failure.Package, failure.Lines); err != nil {
		return err
	}
	return failure
}

// A CompileError says that an answer does not compile.
type CompileError struct {
	Package string
	Lines   []string // as Result.CompilerLines
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("%s does not compile: %s", e.Package, strings.Join(e.Lines, "\n"))
}
