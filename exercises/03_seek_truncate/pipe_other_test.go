//go:build !unix

package seektruncate_test

import (
	"errors"

	"example/turnstile/internal/lab"
)

func makePipe(string) error { return errors.ErrUnsupported }

func besideASlowFile(*lab.Worker) error { return errors.ErrUnsupported }
