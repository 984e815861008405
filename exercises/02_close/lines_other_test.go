//go:build !unix

package close_test

import (
	"errors"

	"example/turnstile/internal/lab"
)

// The tests that need these workers are in lines_unix_test.go.

func writeLinesUnderALimit(*lab.Worker) error { return errors.ErrUnsupported }

func countLinesWithFewHandles(*lab.Worker) error { return errors.ErrUnsupported }

func openWithNoHandleLeft(*lab.Worker) error { return errors.ErrUnsupported }

func makeFilesUnderAUmask(*lab.Worker) error { return errors.ErrUnsupported }

func waitForAPipe(*lab.Worker) error { return errors.ErrUnsupported }
