//go:build !unix

package fcntl_test

import (
	"runtime"
	"testing"
)

func TestRecordLocks(t *testing.T) {
	t.Parallel()
	t.Skip(runtime.GOOS + " has no fcntl(2), so none of this lesson's facts can be asked here")
}
