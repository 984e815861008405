package fcntl_test

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
)

// What the page says about Python, run by the Python of this machine. Source: the library's fcntl.
func TestPython(t *testing.T) {
	t.Parallel()
	python := lab.Python(t)
	run := func(t *testing.T, path, code string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), python, "-I", "-c", "import fcntl, os, struct, sys\n"+code, path)
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}

	t.Run("fcntl.lockf is a POSIX record lock, and an OFD lock of Go keeps it out", func(t *testing.T) {
		t.Parallel()
		path, file := table(t)
		require.NoError(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Len: 32}))
		require.Equal(t, "BlockingIOError\nthe next row is free", run(t, path, `
with open(sys.argv[1], "r+") as f:
    try:
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 32, 0)
    except OSError as e:
        print(type(e).__name__)
    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 32, 32)
    print("the next row is free")`))
	})
	t.Run("fcntl.lockf loses its lock when a with block closes the file", func(t *testing.T) {
		t.Parallel()
		path, _ := table(t)
		require.Equal(t, "lost", run(t, path, `
f = open(sys.argv[1], "r+")
fcntl.lockf(f, fcntl.LOCK_EX)
with open(sys.argv[1]) as reader:
    reader.read()
pid = os.fork()
if pid == 0:
    with open(sys.argv[1], "r+") as other:
        fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os._exit(0)
_, status = os.waitpid(pid, 0)
print("lost" if status == 0 else "kept")`))
	})
	t.Run("a process that os.fork makes does not have the POSIX locks of its parent", func(t *testing.T) {
		t.Parallel()
		path, _ := table(t)
		require.Equal(t, "kept", run(t, path, `
f = open(sys.argv[1], "r+")
fcntl.lockf(f, fcntl.LOCK_EX)
pid = os.fork()
if pid == 0:
    f.close()  # which ends no lock but its own
    with open(sys.argv[1], "r+") as other:
        try:
            fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os._exit(1)
    os._exit(0)
_, status = os.waitpid(pid, 0)
print("lost" if status == 0 else "kept")`))
	})
	t.Run("fcntl.lockf with LOCK_EX on a file that is open for reading raises EBADF", func(t *testing.T) {
		t.Parallel()
		path, _ := table(t)
		require.Equal(t, "EBADF", run(t, path, `
import errno
with open(sys.argv[1]) as f:
    try:
        fcntl.lockf(f, fcntl.LOCK_EX)
    except OSError as e:
        print(errno.errorcode[e.errno])`))
	})
	t.Run("fcntl.fcntl takes an OFD lock, if the struct is packed by hand", func(t *testing.T) {
		t.Parallel()
		path, file := table(t)
		require.NoError(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Len: 32}))
		require.Equal(t, "locked\nBlockingIOError", run(t, path, `
lock = lambda start: struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, 32, 0)
with open(sys.argv[1], "r+") as f:
    fcntl.fcntl(f, getattr(fcntl, "F_OFD_SETLK", 37), lock(32))
    print("locked")
    try:
        fcntl.fcntl(f, getattr(fcntl, "F_OFD_SETLK", 37), lock(0))
    except OSError as e:
        print(type(e).__name__)`))
	})
}

func table(t *testing.T) (path string, file *os.File) {
	t.Helper()
	path = lab.WriteFile(t, "parts.table", strings.Repeat(".", 64))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return path, file
}
