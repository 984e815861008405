//go:build !plan9

package process

import (
	"errors"
	"syscall"
)

// errnoOf returns the error number that err wraps, or 0.
func errnoOf(err error) int {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return int(errno)
	}
	return 0
}

func isErrno(target error, errno int) bool { return target == syscall.Errno(errno) } //nolint:errorlint // identity is the question
