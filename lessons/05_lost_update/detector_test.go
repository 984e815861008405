//go:build unix

package lostupdate_test

import (
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
//
// The program is built once with -race, which compiles the part of the standard library that it imports: the detector sees only what was
// compiled for it, so nothing cheaper shows what it reports.
func TestRaceDetector(t *testing.T) {
	t.Parallel()
	detector := buildWithRace(t)

	t.Run("the race detector reports two goroutines that count in memory", func(t *testing.T) {
		t.Parallel()
		output, _, err := detect(t, detector, "memory")
		require.Contains(t, output, "WARNING: DATA RACE")
		require.Error(t, err)
	})
	t.Run("the race detector reports nothing about two goroutines that count in a file, and one update is lost", func(t *testing.T) {
		t.Parallel()
		output, path, err := detect(t, detector, "file")
		require.NoError(t, err, output)
		lab.RequireFile(t, path, "1", lab.Lesson{Says: "the counter"})
	})
	t.Run("the race detector reports memory that only a file lock guards", func(t *testing.T) {
		t.Parallel()
		output, _, err := detect(t, detector, "lock")
		require.Contains(t, output, "WARNING: DATA RACE")
		require.Error(t, err)
	})
}

// buildWithRace builds the program in detector/, or skips the test where that cannot be done.
func buildWithRace(t *testing.T) (program string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command here to build a program with -race")
	}
	program = filepath.Join(t.TempDir(), "detector")
	command := exec.CommandContext(t.Context(), "go", "build", "-race", "-o", program, "./detector")
	command.Dir = lab.PackageDir()
	output, err := command.CombinedOutput()
	for _, reason := range []string{"requires cgo", "-race is not supported", "C compiler", "not found: exec"} {
		if err != nil && strings.Contains(string(output), reason) {
			t.Skipf("the race detector cannot be built for %s/%s here: %s", runtime.GOOS, runtime.GOARCH, output)
		}
	}
	require.NoError(t, err, string(output))
	return program
}

// detect runs the program to its end. It returns what was printed, on both streams, and the path of the file that held 0.
func detect(t *testing.T, program, what string) (output, path string, err error) {
	t.Helper()
	path = lab.WriteFile(t, "counter", "0")
	command := exec.CommandContext(t.Context(), program)
	// The last one spares the second that such a program sleeps before it exits.
	command.Env = append(os.Environ(), "DETECTOR_CASE="+what, "DETECTOR_FILE="+path, "GORACE=atexit_sleep_ms=0")
	text, err := command.CombinedOutput()
	return string(text), path, err
}
