package lab

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example/turnstile/internal/lab/trace"
)

// SharedDir returns a directory of the test's own in which an unprivileged worker may work too: t.TempDir lies below a
// directory that only its owner may enter.
func SharedDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o777)) //nolint:gosec // that is the purpose
	setUp(t, "open its directory to other users", err)
	return dir
}

// Strace is for what Trace and Step do not offer. It returns what to put into Options.Wrap so that a worker runs under strace(1) with the
// given arguments, such as
//
//	lab.Strace(t, "-P", path, "-e", "inject=fsync:error=EIO")
//
// and the file that strace will have written its log to when the worker is gone. Where strace cannot be used, the test is
// skipped with that reason.
func Strace(t testing.TB, args ...string) (wrap []string, log string) {
	t.Helper()
	needStrace(t)
	log = filepath.Join(t.TempDir(), "strace.log")
	return append([]string{"strace", "-f", "-qq", "-o", log}, trace.Filtered(args)...), log
}

// Python returns the path of Python 3, which is asked what the text says about it. Where there is none, the test is skipped with that
// reason. It runs what it finds to get its real path: a shim or a store page may have the name.
func Python(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"python3", "python"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(t.Context(), path, "-I", "-c", "import sys; print(sys.version_info[0], sys.executable, end='')").Output()
		if real, is3 := strings.CutPrefix(string(out), "3 "); err == nil && is3 && filepath.IsAbs(real) {
			return real
		}
	}
	t.Skip("Python 3 is not installed: what the text says about it is checked where it is")
	return ""
}
