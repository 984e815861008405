//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

func run(context.Context, string, string, int) error {
	return fmt.Errorf("it needs loop devices and mount namespaces of Linux, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
