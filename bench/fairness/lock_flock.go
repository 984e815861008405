//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"os"
	"syscall"
)

func lock(file *os.File) error   { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX) }
func unlock(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }
