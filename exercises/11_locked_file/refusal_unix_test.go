//go:build unix

package lockedfile_test

import "syscall"

// refusedWith are a refusal that is usual, and one that the code cannot have expected.
var refusedWith = []error{syscall.ENOSPC, syscall.EIO}

const tooBig = syscall.EFBIG
