//go:build unix

package main

import (
	"fmt"
	"syscall"
)

// calls is enough for the garbage collector to run at least once while calls are being refused.
const calls = 100_000

// allowed is handles in words.
var allowed = fmt.Sprint(handles)

// limitHandles allows this process no more than handles open files from now on (getrlimit(2), RLIMIT_NOFILE).
func limitHandles(n int) error {
	var limit syscall.Rlimit
	assign(&limit.Cur, n)
	assign(&limit.Max, n)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("allow this process %d open files: %w", n, err)
	}
	return nil
}

// assign stores n in a field that is signed on some systems and unsigned on others.
func assign[Field int64 | uint64](field *Field, n int) { *field = Field(n) }
