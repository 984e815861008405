//go:build unix

package lab_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func requireNoProcess(t *testing.T, pid string) {
	t.Helper()
	number, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.ErrorIs(t, unix.Kill(number, 0), unix.ESRCH)
}
