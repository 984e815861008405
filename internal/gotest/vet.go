package gotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"example/turnstile/internal/curriculum"
)

// analyzers are what go test has go vet look for (`go help test`): each is almost always right.
var analyzers = strings.Fields("-atomic -bool -buildtag -directive -errorsas -ifaceassert -nilfunc -printf -stringintconv -tests")

// Vet returns what go vet says of the exercise's package and its tests, a line each as in Result.CompilerLines, none if it refuses
// nothing. It looks for what go test would have it look for. Errors are those of Tests.Do.
func Vet(ctx context.Context, e *curriculum.Exercise, env []string) ([]string, error) {
	return complaints(ctx, e, "", append([]string{"vet"}, analyzers...), env)
}

// Build returns what the compiler says of the exercise's package on another system, as Vet does.
func Build(ctx context.Context, e *curriculum.Exercise, system string, env []string) ([]string, error) {
	return complaints(ctx, e, system, []string{"build", "-o", os.DevNull}, env)
}

func complaints(ctx context.Context, e *curriculum.Exercise, system string, arguments, env []string) (lines []string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("go %s %s: %w", arguments[0], e.ID, err)
		}
	}()
	work, err := newWorkspace(e.Root, system)
	if err != nil {
		return nil, err
	}
	defer func() { _ = work.remove() }() // a temporary directory: what is left is the system's to clear
	env = append(append(work.tempVariables(), "CGO_ENABLED=0"), env...)
	command := work.goCommand(ctx, env, append(arguments, "./exercises/"+e.ID)...)
	said := &tail{}
	command.Stdout, command.Stderr = said, said
	if err := runGo(ctx, command); err != nil || command.ProcessState.Success() {
		return nil, err
	}
	var failure *CompileError
	if err := compileError(said.String(), e.Package()); !errors.As(err, &failure) {
		return nil, err
	}
	return failure.Lines, nil
}
