//go:build unix && !solaris && !aix

package jsonfiles_test

import (
	"os"
	"syscall"
	"testing"
)

// holdLock holds a lock (flock(2)) on the file at path until the test ends, as another program would.
func holdLock(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	must(t, err)
	t.Cleanup(func() { must(t, file.Close()) })
	must(t, syscall.Flock(int(file.Fd()), syscall.LOCK_EX))
}
