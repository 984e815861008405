package lockmanager_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func TestPython(t *testing.T) {
	t.Parallel()
	python := func(t *testing.T, program string) string {
		t.Helper()
		output, err := exec.Command(lab.Python(t), "-X", "utf8", "-c", program).CombinedOutput()
		require.NoError(t, err, string(output))
		return strings.TrimSpace(string(output))
	}
	t.Run("casefold makes one name of ß and ss, and EqualFold two", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "True", python(t, `print("Größe".casefold() == "GRÖSSE".casefold())`))
		require.False(t, strings.EqualFold("Größe", "GRÖSSE"))
	})
	t.Run("secrets.token_hex(16) draws an ID", func(t *testing.T) {
		t.Parallel()
		require.Regexp(t, "^[0-9a-f]{32}$", python(t, `import secrets; print(secrets.token_hex(16))`))
	})
	t.Run("a dict that is read and then written loses to a thread in between", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "2", python(t, `
import threading
taken, told = {}, []
looked = threading.Barrier(2)
def take(name):
    if "bracket.step" not in taken:
        looked.wait()
        taken["bracket.step"] = name
        told.append(name)
threads = [threading.Thread(target=take, args=(name,)) for name in ("alice", "bob")]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(told))`))
	})
}
