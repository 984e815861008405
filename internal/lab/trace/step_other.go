//go:build !linux

package trace

import (
	"context"
	"errors"
	"fmt"
)

// A Stepper is not possible on this system.
type Stepper struct{}

// ErrExited is returned by Next when the process is gone.
var ErrExited = errors.New("the process has exited")

var errUnsupported = fmt.Errorf("strace is a Linux tool: %w", errors.ErrUnsupported)

func serveThread(func(string) any, chan<- int, <-chan string, chan<- reply) error {
	return errUnsupported
}

// Attach is not possible on this system.
func Attach(context.Context, int, int, string, string) (*Stepper, error) { return nil, errUnsupported }

// Next is not possible on this system.
func (*Stepper) Next(context.Context) (Stop, error) { return Stop{}, errUnsupported }

// Continue is not possible on this system.
func (*Stepper) Continue() error { return errUnsupported }

// Close does nothing.
func (*Stepper) Close() {}

func errnoName(error) (string, error) { return "", errUnsupported }
