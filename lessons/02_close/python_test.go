package close_test

import (
	"os/exec"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// What the page says about Python, run by the Python of this machine.
// Source: The Python Language Reference, 8.5 "The with statement" and 3.3.9 "With Statement Context Managers"; the library's
// contextlib, io, sys.exit and os._exit.
func TestPython(t *testing.T) {
	t.Parallel()
	python := lab.Python(t)
	tests := []struct{ name, code, prints string }{
		{
			"with closes and lets the exception go on", `
try:
    with open(path, "w") as f:
        raise ValueError("taken")
except ValueError as e:
    print(f.closed, e)`, "True taken",
		},
		{
			"ExitStack leaves in the reverse order, as defer does", `
import contextlib
with contextlib.ExitStack() as stack:
    stack.callback(print, "first")
    stack.callback(print, "second")`, "second\nfirst",
		},
		{
			"a with in a loop closes in every turn", `
seen = []
for i in range(3):
    with open(path, "w") as f:
        seen.append(f)
    print(seen[-1].closed, end=" ")`, "True True True",
		},
		{
			"close flushes the buffer", `
f = open(path, "w")
f.write("bracket.step alice")
before = open(path).read()
f.close()
print(len(before), len(open(path).read()))`, "0 18",
		},
		{
			"close may be called twice", `
f = open(path, "w")
f.close()
f.close()
print("no error")`, "no error",
		},
		{
			"sys.exit is an exception, and with closes", `
import sys
class Part:
    def __enter__(self): return self
    def __exit__(self, *how): print("closed")
with Part():
    sys.exit()`, "closed",
		},
		{
			"os._exit closes nothing", `
import os
class Part:
    def __enter__(self): return self
    def __exit__(self, *how): print("closed", flush=True)
with Part():
    print("inside", flush=True)
    os._exit(0)`, "inside",
		},
		{
			"CPython closes a file as its last reference goes", `
import os, platform
def number():
    return open(path, "w").fileno()
n = number()
try:
    os.fstat(n)
    print("closed" if platform.python_implementation() != "CPython" else "open")
except OSError:
    print("closed")`, "closed",
		},
		{
			"an exception in __exit__ remembers the one of the block", `
class Part:
    def __enter__(self): return self
    def __exit__(self, *how): raise OSError("close failed")
try:
    with Part():
        raise ValueError("taken")
except OSError as e:
    print(e, "|", e.__context__)`, "close failed | taken",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code := "import sys\npath = sys.argv[1]" + test.code
			out, err := exec.CommandContext(t.Context(), python, "-I", "-c", code, lab.Path(t, "locks.json")).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, test.prints, strings.TrimSpace(strings.ReplaceAll(string(out), "\r\n", "\n")))
		})
	}
}
