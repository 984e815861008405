//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package contention_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// What the page says about Python, run by the Python of this machine. Source: the library's fcntl and signal, and PEP 475.
func TestPython(t *testing.T) {
	t.Parallel()
	python := lab.Python(t)
	t.Run("an alarm whose handler raises ends the wait of fcntl.flock", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "lock", "")
		out, err := exec.CommandContext(t.Context(), python, "-I", "-c", `
import fcntl, signal, sys
def late(*_): raise TimeoutError
signal.signal(signal.SIGALRM, late)
with open(sys.argv[1], "r+") as f, open(sys.argv[1], "r+") as g:
    fcntl.flock(f, fcntl.LOCK_EX)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        fcntl.flock(g, fcntl.LOCK_EX)
    except TimeoutError:
        print("late")
`, path).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, "late", strings.TrimSpace(string(out)))
	})
}
