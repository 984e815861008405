//go:build !(linux && (amd64 || arm64))

package lab

import (
	"errors"
	"fmt"
	"runtime"
)

func refuse(what string, _ error, _ bool) error {
	return fmt.Errorf("refuse %q on %s/%s: %w", what, runtime.GOOS, runtime.GOARCH, errors.ErrUnsupported)
}

func watched() (int, error) { return -1, refuse("to watch", nil, false) }

func watchedLocks() (int, error) { return watched() }

func supervise(prepared <-chan int, ended <-chan error, _ func(string, int32) error) error {
	<-prepared
	return <-ended
}
