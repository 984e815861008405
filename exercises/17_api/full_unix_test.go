//go:build unix

package api_test

import "syscall"

var fullDisk error = syscall.ENOSPC
