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
}
