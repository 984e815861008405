//go:build unix

// The way to see that a process has ended without asking again and again is a pipe that it holds open; Windows has no
// pipe in the file system.

package guide

import (
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A terminal that is closed hangs up; Ctrl-\\ quits. Both end the guide as Ctrl-C does, with all that it started.
func TestSignalsThatEndTheGuide(t *testing.T) {
	for _, sent := range []unix.Signal{unix.SIGHUP, unix.SIGQUIT, unix.SIGINT} {
		t.Run(sent.String(), func(t *testing.T) {
			t.Parallel()
			if signal.Ignored(sent) {
				t.Skip("these tests run with this signal ignored (nohup); the guide inherits that, and keeps it ignored")
			}
			b := newBook(t)
			pipe, temp := filepath.Join(t.TempDir(), "pipe"), t.TempDir()
			require.NoError(t, unix.Mkfifo(pipe, 0o600))
			guide := exec.CommandContext(t.Context(), os.Args[0])
			guide.Dir = b.root
			guide.Env = append(os.Environ(), "GUIDE_TEST_MAIN=check 1", "GUIDE_TEST_HANG="+pipe, "TMPDIR="+temp)
			require.NoError(t, guide.Start())
			reader, err := os.Open(pipe) // waits for the test that hangs
			require.NoError(t, err)
			defer func() { require.NoError(t, reader.Close()) }()
			word := make([]byte, len("hanging"))
			_, err = io.ReadFull(reader, word)
			require.NoError(t, err)
			require.NoError(t, guide.Process.Signal(sent))
			require.Error(t, guide.Wait())
			require.Equal(t, exitInterrupted, guide.ProcessState.ExitCode())
			_, err = reader.Read(word)
			require.ErrorIs(t, err, io.EOF, "the test that hung is gone")
			left, err := os.ReadDir(temp)
			require.NoError(t, err)
			require.Empty(t, left, "no temporary directory is left")
		})
	}
}

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
	require.ErrorIs(t, err, io.EOF, "the test that hung is gone, and with it every process that had inherited its pipe")
}
