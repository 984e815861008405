//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package main

import (
	"errors"
	"os"
	"time"
)

func bare(*os.File) error { return errors.ErrUnsupported }

func processorTime() time.Duration { return 0 }
