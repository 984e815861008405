//go:build !unix

package process

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

func isolate(*exec.Cmd) {}

func setUmask(int) {}

// dropPrivileges does nothing: the system has no user switch that a program could make for itself.
func dropPrivileges() error { return nil }

func stop(context.Context, int) error {
	return fmt.Errorf("stop a process: %w", errors.ErrUnsupported)
}

func resume(int) error {
	return fmt.Errorf("resume a process: %w", errors.ErrUnsupported)
}
