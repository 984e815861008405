//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package flock_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// What the page says about Python, run by the Python of this machine. Source: the library's fcntl, and PEP 446 and PEP 475.
func TestPython(t *testing.T) {
	t.Parallel()
	python := lab.Python(t)
	run := func(t *testing.T, path, code string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), python, "-I", "-c", "import fcntl, os, sys, time\n"+code, path)
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}

	t.Run("fcntl.flock raises BlockingIOError beside a lock of Go", func(t *testing.T) {
		t.Parallel()
		file := locked(t)
		require.Equal(t, "BlockingIOError", run(t, file.Name(), `
with open(sys.argv[1], "r+") as f:
    try:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        print(type(e).__name__)`))
	})
	t.Run("with gives the lock back when it closes the file", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "free", run(t, lab.WriteFile(t, "lock", ""), `
with open(sys.argv[1], "r+") as f:
    fcntl.flock(f, fcntl.LOCK_EX)
with open(sys.argv[1], "r+") as f:
    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("free")`))
	})
	t.Run("a file object that nothing refers to is closed at once, and its lock ends", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "free", run(t, lab.WriteFile(t, "lock", ""), `
def lock(path):
    f = open(path, "r+")
    fcntl.flock(f, fcntl.LOCK_EX)
    return f.fileno()
import warnings
warnings.simplefilter("ignore")
fd = lock(sys.argv[1])
with open(sys.argv[1], "r+") as f:
    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("free")`))
	})
	t.Run("a process that os.fork makes is the same owner, and its LOCK_UN takes the parent's lock", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "free", run(t, lab.WriteFile(t, "lock", ""), `
f = open(sys.argv[1], "r+")
fcntl.flock(f, fcntl.LOCK_EX)
pid = os.fork()
if pid == 0:
    fcntl.flock(f, fcntl.LOCK_UN)  # its clean-up
    os._exit(0)
os.waitpid(pid, 0)
with open(sys.argv[1], "r+") as other:
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("free")`))
	})
}

func locked(t *testing.T) *os.File {
	t.Helper()
	file, err := os.Create(lab.Path(t, "lock"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	require.NoError(t, syscall.Flock(int(file.Fd()), syscall.LOCK_EX))
	return file
}
