//go:build !unix || solaris || aix

package jsonfiles_test

import (
	"testing"

	"example/turnstile/internal/lab"
)

func holdLock(t *testing.T, _ string) {
	t.Helper()
	t.Skip("this test needs flock(2): Windows refuses to read what is locked")
}

func pipe(t *testing.T, _ string) string {
	t.Helper()
	t.Skip("this test needs mkfifo(2), for a file that is read in pieces")
	return ""
}

func stall(t *testing.T, _ func(path string), _ lab.Lesson) {
	t.Helper()
	t.Skip("this test needs mkfifo(2), for a file that does not answer")
}
