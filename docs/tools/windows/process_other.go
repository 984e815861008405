//go:build !linux

package main

import (
	"errors"
)

func chrootSession([]string) (int, error) {
	return 0, errors.New("install Wine 9 or later, or run this on Linux as root, or on Windows")
}
