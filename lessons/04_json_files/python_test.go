package jsonfiles_test

import (
	"encoding/json"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// Python's library reference, json: json.load, json.dump, allow_nan, "Repeated Names Within an Object".
const pythonFacts = `
import json, os, sys
facts = {}
def refused(text):
    try: json.loads(text)
    except ValueError: return True
    return False
facts["tail"] = refused('{"v":2}00}')
facts["half"] = refused('{"v":')
facts["twice"] = json.loads('{"v":1,"v":2}')["v"] == 2
facts["nan"] = json.dumps(float("nan")) == "NaN"
facts["int"] = json.loads(json.dumps(9007199254740993)) == 9007199254740993
path = os.path.join(sys.argv[1], "locks.json")
with open(path, "w") as f: f.write('{"old":1}')
try:
    with open(path, "w") as f: json.dump({"a": 1, "b": object()}, f)
except TypeError: pass
with open(path) as f: facts["torn"] = f.read() not in ('{"old":1}', '') and refused(open(path).read())
print(json.dumps(facts))
`

func TestPython(t *testing.T) {
	t.Parallel()
	python := lab.Python(t)
	if runtime.GOOS == "windows" {
		t.Skip("Python's json module is asked on the system that builds the workbook")
	}
	out, err := exec.CommandContext(t.Context(), python, "-c", pythonFacts, t.TempDir()).Output()
	require.NoError(t, err)
	var facts map[string]bool
	require.NoError(t, json.Unmarshal(out, &facts))

	for name, fact := range map[string]string{
		"json.loads refuses a tail":                        "tail",
		"json.loads refuses half a document":               "half",
		"json.loads takes the last of two equal keys":      "twice",
		"json.dumps writes NaN, which is not JSON":         "nan",
		"an int of Python keeps its digits":                "int",
		"json.dump to a file leaves the part before error": "torn",
	} {
		t.Run(name, func(t *testing.T) { require.True(t, facts[fact]) })
	}
}
