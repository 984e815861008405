package seektruncate_test

import (
	"os/exec"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// What the page says about Python, run by the Python of this machine. Source: the library's io (IOBase.truncate, BufferedReader.read).
func TestPython(t *testing.T) {
	t.Parallel()
	python := lab.Python(t)
	for _, c := range []struct{ name, code, prints string }{
		{"truncate without a number cuts where the position is", `
f.seek(0)
f.write('{"bracket.step":"bob"}')
f.truncate()
f.close()
print(open(path).read())`, `{"bracket.step":"bob"}`},
		{"truncate before the write leaves a hole without seek", `
f.read()
f.truncate(0)
f.write("{}")
f.close()
print(open(path, "rb").read().count(0))`, "24"},
		{"read of a buffered file goes on until it has everything", `
import os
r, w = os.pipe()
os.write(w, b"ISO-103")
import threading
threading.Timer(0, lambda: (os.write(w, b"03-21 v1;"))).start()
print(os.fdopen(r, "rb").read(16))`, "b'ISO-10303-21 v1;'"},
		{"os.read returns what has come", `
import os
r, w = os.pipe()
os.write(w, b"ISO-103")
print(os.read(r, 16))`, "b'ISO-103'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code := "import sys\npath = sys.argv[1]\nf = open(path, 'r+')" + c.code
			out, err := exec.CommandContext(t.Context(), python, "-I", "-c", code, lab.WriteFile(t, "locks.json", locksOfAlice)).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, c.prints, strings.TrimSpace(string(out)))
		})
	}
}
