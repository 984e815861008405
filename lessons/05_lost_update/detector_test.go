package lostupdate_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// "Data Race Detector" (go.dev): it finds races "that happen at runtime", of accesses to memory. The Go Memory Model names what
// orders two accesses: channels, package sync, sync/atomic and a few more. Files and their locks are not among them.
func TestRaceDetector(t *testing.T) {
	t.Parallel()
	detector := buildWithRace(t)

	t.Run("the race detector reports two goroutines that count in memory", func(t *testing.T) {
		t.Parallel()
		output, err := detect(t, detector, "memory")
		require.Contains(t, output, "WARNING: DATA RACE")
		require.Error(t, err)
	})
	t.Run("the race detector says nothing of two goroutines that count in a file, and one update is lost", func(t *testing.T) {
		t.Parallel()
		output, err := detect(t, detector, "file")
		require.NoError(t, err)
		require.Equal(t, "1\n", output)
	})
	t.Run("the race detector says nothing of two processes that count in a file, and one update is lost", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "counter", "0")
		first, second := step(t, detector, path), step(t, detector, path)
		require.Empty(t, first())
		require.Empty(t, second())
		lab.RequireFile(t, path, "1", lab.Lesson{Says: "the counter"})
	})
	t.Run("the race detector reports memory that only a file lock guards", func(t *testing.T) {
		t.Parallel()
		output, err := detect(t, detector, "lock")
		require.Contains(t, output, "WARNING: DATA RACE")
		require.Error(t, err)
	})
	// syscall, Read and Write: race.Acquire(&ioSync) and race.ReleaseMerge(&ioSync), one variable for all files.
	t.Run("the race detector is silent on the same memory if the section also reads and writes a file", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("this is about package syscall on Unix")
		}
		output, err := detect(t, detector, "lock and file")
		require.NoError(t, err)
		require.Equal(t, "2\n", output)
	})
}

// buildWithRace builds the program in detector/, or skips the test where that cannot be done.
func buildWithRace(t *testing.T) (program string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command here to build a program with -race")
	}
	program = filepath.Join(t.TempDir(), "detector.exe")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-race", "-o", program, "./detector").CombinedOutput()
	for _, reason := range []string{"requires cgo", "-race is not supported", "C compiler", "not found: exec"} {
		if err != nil && strings.Contains(string(output), reason) {
			t.Skipf("the race detector cannot be built for %s/%s here: %s", runtime.GOOS, runtime.GOARCH, output)
		}
	}
	require.NoError(t, err, string(output))
	return program
}

// detect runs the program to its end and returns what it printed, on both streams.
func detect(t *testing.T, program, what string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, what, lab.WriteFile(t, "counter", "0"))
	command.Env = withoutPause()
	output, err := command.CombinedOutput()
	return strings.ReplaceAll(string(output), "\r\n", "\n"), err
}

// withoutPause spares the second that a program built with -race sleeps before it exits.
func withoutPause() []string { return append(os.Environ(), "GORACE=atexit_sleep_ms=0") }

// step starts a program that reads the counter, returns when it has, and gives back what lets it write, and what it then prints on
// standard error.
func step(t *testing.T, program, path string) (write func() string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, "steps", path)
	command.Env = withoutPause()
	stdin, err := command.StdinPipe()
	require.NoError(t, err)
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	command.Stderr = &stderr
	require.NoError(t, command.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "read 0", strings.TrimSpace(line))
	return func() string {
		_, err := stdin.Write([]byte("\n"))
		require.NoError(t, errors.Join(err, command.Wait()))
		return stderr.String()
	}
}
