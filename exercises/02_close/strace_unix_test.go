//go:build unix && !linux

package close_test

import "testing"

func requireNoBufferShared(t *testing.T) {
	t.Skip("strace, which holds up a system call, is a Linux tool")
}
