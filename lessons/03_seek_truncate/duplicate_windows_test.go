package seektruncate_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

func duplicate(t *testing.T, file *os.File) *os.File {
	t.Helper()
	self := windows.CurrentProcess()
	var handle windows.Handle
	err := windows.DuplicateHandle(self, windows.Handle(file.Fd()), self, &handle, 0, false, windows.DUPLICATE_SAME_ACCESS)
	require.NoError(t, err)
	second := os.NewFile(uintptr(handle), file.Name())
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	return second
}
