//go:build unix

package lab_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/verdict"
)

func TestAMomentWithoutCloseOnExecIsSeen(t *testing.T) {
	path := lab.WriteFile(t, "lock", "")
	withFlag := func() {
		if f, err := os.Open(path); err == nil {
			_ = f.Close() // it was only read
		}
	}
	without := func() {
		if descriptor, err := syscall.Open(path, syscall.O_RDONLY, 0); err == nil {
			syscall.CloseOnExec(descriptor)
			_ = syscall.Close(descriptor) // likewise
		}
	}
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("this system does not list the open files of a program: ", err)
	}
	lab.RequireNotInherited(t, path, withFlag, story)

	r := record(t, func(tb testing.TB) { lab.RequireNotInherited(tb, path, without, story) })
	require.True(t, r.failed)
	got, err := verdict.Decode(r.attr)
	require.NoError(t, err)
	require.Equal(t, "one has lock open", got.Found)
}
