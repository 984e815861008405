//go:build !linux

package close_test

import (
	"errors"

	"example/turnstile/internal/lab"
)

// The tests that need these workers are in strace_linux_test.go.

func failToClose(*lab.Worker) error { return errors.ErrUnsupported }

func failToWrite(*lab.Worker) error { return errors.ErrUnsupported }

func failToRead(*lab.Worker) error { return errors.ErrUnsupported }

func askBetweenMarks(*lab.Worker) error { return errors.ErrUnsupported }

func waitInClose(*lab.Worker) error { return errors.ErrUnsupported }

func readAndWait(*lab.Worker) error { return errors.ErrUnsupported }
