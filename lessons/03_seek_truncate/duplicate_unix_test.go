//go:build unix

package seektruncate_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func duplicate(t *testing.T, file *os.File) *os.File {
	t.Helper()
	descriptor, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	second := os.NewFile(uintptr(descriptor), file.Name())
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	return second
}
