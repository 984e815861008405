//go:build !unix

package process

import "errors"

func lockWorker(*Worker) error { return errors.ErrUnsupported }

func lockCrowd(*Worker) error { return errors.ErrUnsupported }
