//go:build unix

package repository_test

import "golang.org/x/sys/unix"

func init() { makePipe = func(path string) error { return unix.Mkfifo(path, 0o600) } }
