package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"example/turnstile/internal/gotest"
)

// command runs a program in a directory with the extra variables and returns what it printed. A status other than 0 is an error
// that holds the output. When ctx ends, the program and all that it started end too.
func command(ctx context.Context, directory string, variables []string, name string, arguments ...string) (string, error) {
	run := exec.CommandContext(ctx, name, arguments...)
	run.Dir = directory
	run.Env = gotest.Environment(directory, variables...)
	var output bytes.Buffer
	run.Stdout, run.Stderr = &output, &output
	if err := gotest.RunTree(run); err != nil {
		shown := filepath.Base(name) + " " + strings.Join(arguments, " ")
		return output.String(), fmt.Errorf("%s\n%s: %w", strings.TrimSpace(output.String()), shown, err)
	}
	return output.String(), nil
}
