package repository_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// python runs a program in a directory of its own and returns what it prints.
func python(t *testing.T, program string) string {
	t.Helper()
	command := exec.Command(lab.Python(t), "-c", program)
	command.Dir = t.TempDir()
	require.NoError(t, os.Mkdir(command.Dir+"/parts", 0o700))
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}

func TestPython(t *testing.T) {
	t.Parallel()

	// hashlib documentation: "Return a digest object that has been updated with contents of file object." Since Python 3.11.
	t.Run("hashlib.file_digest hashes a file that is open", func(t *testing.T) {
		t.Parallel()
		got := python(t, `
import hashlib, sys
if sys.version_info < (3, 11):
    print("old")
else:
    open("object", "w").write("solid bracket")
    print(hashlib.file_digest(open("object", "rb"), "sha256").hexdigest())
`)
		if got == "old" {
			t.Skip("this Python is older than 3.11")
		}
		require.Equal(t, nameOf(bracket), got)
	})

	// pathlib: / joins, and an absolute right side replaces the left one.
	t.Run("a path that climbs, or is absolute, leaves the directory that it is joined to", func(t *testing.T) {
		t.Parallel()
		got := python(t, `
import os, pathlib
open("secret", "w").write("secret")
print((pathlib.Path("parts") / "../secret").read_text(), (pathlib.Path("parts") / os.path.abspath("secret")).read_text())
`)
		require.Equal(t, "secret secret", got)
	})
}
