//go:build !linux

package process

import "errors"

func stalls(*Worker) error { return errors.ErrUnsupported }

func crowded(*Worker) error { return errors.ErrUnsupported }

func spins(*Worker) error { return errors.ErrUnsupported }
