//go:build !plan9

package contention_test

import "syscall"

const errno1, errno2 = syscall.EIO, syscall.ENOSPC
