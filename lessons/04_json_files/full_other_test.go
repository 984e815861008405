//go:build !linux

package jsonfiles_test

import (
	"errors"

	"example/turnstile/internal/lab"
)

func writeOnAFullDisk(*lab.Worker) error { return errors.ErrUnsupported }
