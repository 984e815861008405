//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package lockedfile_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// What the page says about Python, run by the Python of this machine.
func TestPython(t *testing.T) {
	t.Parallel()
	python := lab.Python(t)
	run := func(t *testing.T, path, code string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), python, "-I", "-c", "import fcntl, json, sys\n"+code, path).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	t.Run("open with w empties a file that another owner has locked", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		locked(t, path, syscall.LOCK_EX)
		run(t, path, `open(sys.argv[1], "w").close()`)
		requireContent(t, path, "")
	})
	t.Run("a LockedFile with r+ locks before it changes anything", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		require.Equal(t, "{'part': 'alice'}", run(t, path, `
class LockedFile:
    def __init__(self, path, mode): self.file = open(path, mode)
    def __enter__(self):
        fcntl.flock(self.file, fcntl.LOCK_EX)
        return self.file
    def __exit__(self, *exception): self.file.close()

with LockedFile(sys.argv[1], "r+") as f:
    data = json.load(f)
    data["part"] = "alice"
    f.seek(0)
    f.truncate()
    json.dump(data, f)
print(json.load(open(sys.argv[1])))`))
	})
	t.Run("with closes the file when an exception leaves it", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", "{}")
		require.Equal(t, "free", run(t, path, `
try:
    with open(sys.argv[1], "r+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        raise ValueError
except ValueError:
    pass
with open(sys.argv[1], "r+") as f:
    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("free")`))
	})
}
