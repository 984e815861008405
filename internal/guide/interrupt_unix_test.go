//go:build unix

// The way to see that a process has ended without asking again and again is a pipe that it holds open; Windows has no
// pipe in the file system.

package guide

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAnInterruptedCheckLeavesNothingRunning(t *testing.T) {
	b := newBook(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	t.Setenv("GUIDE_TEST_HANG", pipe)
	ctx, interrupt := context.WithCancel(t.Context())
	status := make(chan int, 1)
	go func() {
		status <- Run(ctx, []string{"check", "1"}, Console{Out: newTranscript(), Err: newTranscript(), Folder: b.root})
	}()

	reader, err := os.Open(pipe) // waits for the test that hangs
	require.NoError(t, err)
	defer func() { require.NoError(t, reader.Close()) }()
	word := make([]byte, len("hanging"))
	_, err = io.ReadFull(reader, word)
	require.NoError(t, err)
	interrupt()

	require.Equal(t, exitInterrupted, <-status)
	_, err = reader.Read(word)
	require.ErrorIs(t, err, io.EOF, "the test that hung is gone, and with it whoever had inherited its pipe")
}
