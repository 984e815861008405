package document_test

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

const twoLocks = `
import fcntl, os, sys
path = sys.argv[1]
first = open(path, "r+")
fcntl.flock(first, fcntl.LOCK_EX)
with open(path + ".new", "w") as f:
    f.write("new")
os.replace(path + ".new", path)
second = open(path, "r+")
fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("two locks")
`

const waysOut = `
import contextlib, sys

class Lock:
    def __enter__(self): pass
    def __exit__(self, *reason): print("given back")

@contextlib.contextmanager
def without_finally():
    yield
    print("given back by the contextmanager")

def leave(way, lock):
    with lock:
        way()
        return

def fail(): raise ValueError()

for way in [lambda: None, fail, sys.exit]:
    try:
        leave(way, Lock())
    except (ValueError, SystemExit):
        pass
leave(lambda: None, without_finally())
try:
    leave(fail, without_finally())
except ValueError:
    print("not given back")
`

func TestPython(t *testing.T) {
	t.Parallel()
	t.Run("a file that os.replace has replaced is locked a second time", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Python has no fcntl on Windows")
		}
		out, err := exec.Command(lab.Python(t), "-c", twoLocks, lab.WriteFile(t, "locks.json", "old")).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, "two locks", strings.TrimSpace(string(out)))
	})
	out, err := exec.Command(lab.Python(t), "-c", waysOut).CombinedOutput()
	require.NoError(t, err, string(out))
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, 5)
	t.Run("the end of a with block runs after a return, an exception and sys.exit", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []string{"given back", "given back", "given back"}, lines[:3])
	})
	t.Run("an exception passes by the end of a contextmanager that has no finally", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []string{"given back by the contextmanager", "not given back"}, lines[3:])
	})
}
