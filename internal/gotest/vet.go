package gotest

import (
	"context"
	"errors"
	"fmt"

	"example/turnstile/internal/curriculum"
)

// Vet compiles the exercise's package for another system, without its tests, and has go vet read it. It returns what they said, a
// line each as in Result.CompilerLines, none if all is well. Errors are those of Tests.Do.
func Vet(ctx context.Context, e *curriculum.Exercise, system string, env []string) ([]string, error) {
	work, err := newWorkspace(e.Root, system)
	if err != nil {
		return nil, fmt.Errorf("vet %s for %s: %w", e.ID, system, err)
	}
	defer func() { _ = work.remove() }() // a temp folder: what is left is the system's to clear
	command := work.goCommand(ctx, append(work.tempVariables(), env...), "vet", "-tests=false", "./exercises/"+e.ID)
	said := &tail{}
	command.Stdout, command.Stderr = said, said
	if err := runGo(ctx, command); err != nil {
		return nil, fmt.Errorf("vet %s for %s: %w", e.ID, system, err)
	}
	if command.ProcessState.Success() {
		return nil, nil
	}
	var failure *CompileError
	err = compileError(said.String(), e.Package())
	if errors.As(err, &failure) {
		return failure.Lines, nil
	}
	return nil, fmt.Errorf("vet %s for %s: %w", e.ID, system, err)
}
