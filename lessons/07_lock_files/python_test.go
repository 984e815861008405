package lockfiles_test

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// What the page says about Python, run by the Python of this machine. Source: the library's os (kill, rename) and built-in exceptions.
func TestPython(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("on Windows os.kill terminates the process")
	}
	python := lab.Python(t)
	for _, c := range []struct{ name, code, prints string }{
		{"os.kill with signal 0 raises ProcessLookupError, an OSError, for a process that is gone", `
import subprocess
p = subprocess.Popen(["true"])
p.wait()
try:
    os.kill(p.pid, 0)
except OSError as e:
    print(type(e).__name__)`, "ProcessLookupError"},
		{"PermissionError is an OSError too", `print(issubclass(PermissionError, OSError))`, "True"},
		{"os.rename replaces an empty directory", `
os.mkdir("a")
os.mkdir("b")
os.rename("a", "b")
print(os.listdir("."))`, "['b']"},
		{"with leaves the lock file after a kill", `
import contextlib, subprocess, sys
code = '''
import os, contextlib
@contextlib.contextmanager
def lock():
    os.close(os.open("lock", os.O_CREAT | os.O_EXCL))
    try:
        yield
    finally:
        os.remove("lock")
with lock():
    os.kill(os.getpid(), 9)
'''
subprocess.run([sys.executable, "-I", "-c", code])
print(os.path.exists("lock"))`, "True"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			command := exec.CommandContext(t.Context(), python, "-I", "-c", "import os\n"+c.code)
			command.Dir = t.TempDir()
			out, err := command.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, c.prints, strings.TrimSpace(string(out)))
		})
	}
}
