package openmodes_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// flagsOfModes asks Python itself: the opener of open() is given the flags that open() would pass to the system.
const flagsOfModes = `
import json, os, sys
flags = {}
for mode in ["r", "r+", "w", "w+", "a", "a+", "x", "x+"]:
    path = os.path.join(sys.argv[1], mode)
    if "x" not in mode:
        os.close(os.open(path, os.O_CREAT, 0o600))
    def opener(name, flag):
        flags[mode] = flag & ~os.O_CLOEXEC
        return os.open(name, flag, 0o600)
    open(path, mode, opener=opener).close()
print(json.dumps(flags))
`

// positions and modes of what Python opens and creates, and the bytes of a line in text mode.
const otherFacts = `
import json, os, sys
os.umask(0)
def path(name): return os.path.join(sys.argv[1], name)
with open(path("log"), "w") as f: f.write("one\n")
with open(path("log"), "a+") as f: position, read = f.tell(), f.read()
with open(path("text"), "w", newline="\r\n") as f: f.write("a\n")
with open(path("text"), "rb") as f: raw = list(f.read())
with open(path("text")) as f: text = f.read()
os.close(os.open(path("low"), os.O_CREAT | os.O_WRONLY))
mode = lambda name: os.stat(path(name)).st_mode & 0o777
print(json.dumps({"position": position, "read": read, "raw": raw, "text": text, "open": mode("log"), "os.open": mode("low")}))
`

// runPython runs a script in a directory of its own and decodes what it prints.
func runPython(t *testing.T, script string, result any) {
	t.Helper()
	python := lab.Python(t)
	if runtime.GOOS == "windows" {
		t.Skip("Python's flags on Windows are those of the C library there, not those of Go")
	}
	out, err := exec.CommandContext(t.Context(), python, "-c", script, t.TempDir()).Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, result))
}

// Python's modes (Python's library reference, open() and io.FileIO).
func TestPythonModes(t *testing.T) {
	t.Parallel()
	var flags map[string]int
	runPython(t, flagsOfModes, &flags)
	for _, c := range []struct {
		name, mode string
		flags      int
	}{
		{name: "r is O_RDONLY", mode: "r", flags: os.O_RDONLY},
		{name: "r+ is O_RDWR", mode: "r+", flags: os.O_RDWR},
		{name: "w is O_WRONLY, O_CREATE and O_TRUNC", mode: "w", flags: os.O_WRONLY | os.O_CREATE | os.O_TRUNC},
		{name: "w+ is O_RDWR, O_CREATE and O_TRUNC", mode: "w+", flags: os.O_RDWR | os.O_CREATE | os.O_TRUNC},
		{name: "a is O_WRONLY, O_CREATE and O_APPEND", mode: "a", flags: os.O_WRONLY | os.O_CREATE | os.O_APPEND},
		{name: "a+ is O_RDWR, O_CREATE and O_APPEND", mode: "a+", flags: os.O_RDWR | os.O_CREATE | os.O_APPEND},
		{name: "x is O_WRONLY, O_CREATE and O_EXCL", mode: "x", flags: os.O_WRONLY | os.O_CREATE | os.O_EXCL},
		{name: "x+ is O_RDWR, O_CREATE and O_EXCL", mode: "x+", flags: os.O_RDWR | os.O_CREATE | os.O_EXCL},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.flags, flags[c.mode])
		})
	}
	t.Run("none of Python's modes is O_RDWR with O_CREATE alone", func(t *testing.T) {
		for mode, flag := range flags {
			require.NotEqual(t, os.O_RDWR|os.O_CREATE, flag, mode)
		}
	})
}

// Python's library reference: open() and its newline argument, os.open().
func TestPythonDiffers(t *testing.T) {
	t.Parallel()
	var python struct {
		Position, Open int
		OSOpen         int `json:"os.open"`
		Read, Text     string
		Raw            []int
	}
	runPython(t, otherFacts, &python)
	t.Run("Python's a+ begins at the end, so a read finds nothing", func(t *testing.T) {
		require.Equal(t, len("one\n"), python.Position)
		require.Empty(t, python.Read)
	})
	t.Run("Python's text mode may write another newline, and hides it when reading", func(t *testing.T) {
		require.Equal(t, []int{'a', '\r', '\n'}, python.Raw)
		require.Equal(t, "a\n", python.Text)
	})
	t.Run("a carriage return that Python hides is visible to Go", func(t *testing.T) {
		requireContent(t, "a\r\n", lab.WriteFile(t, "text", "a\r\n"))
	})
	t.Run("Python's open asks for 0666, its os.open for 0777", func(t *testing.T) {
		require.Equal(t, 0o666, python.Open)
		require.Equal(t, 0o777, python.OSOpen)
	})
}
