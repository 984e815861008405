package contention

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example/turnstile/bench/results"
)

// python is the lock of Python's filelock module, in a process of Python.
var python = kind{
	name: "Python filelock", guarantee: results.Exclusion,
	how: "`with FileLock(path):` as its documentation does, which asks every 50 ms; the whole loop is Python's",
}

// available are the kinds that this machine has.
func available() []kind {
	if PythonVersion() == "" {
		return kinds
	}
	return append(slices.Clone(kinds), python)
}

// PythonVersion returns the version of Python's filelock module, or "" if there is none.
func PythonVersion() string {
	_, version := interpreter()
	return version
}

// interpreter returns a Python that has the module, and its version. A distribution's module is for the distribution's Python, which need
// not be the first one on the PATH.
var interpreter = sync.OnceValues(func() (program, version string) {
	for _, program := range []string{"/usr/bin/python3", "python3"} {
		if text, err := exec.Command(program, "-c", "import filelock; print(filelock.__version__)").Output(); err == nil {
			return program, strings.TrimSpace(string(text))
		}
	}
	return "", ""
})

//go:embed contend.py
var script string

// workInPython is one process, whose loop runs in Python.
func workInPython(o order, ready func()) (out outcome, err error) {
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
	command := exec.Command(o.Python, "-c", script, filepath.Join(o.Dir, "lock"), filepath.Join(o.Dir, "counter"),
		seconds(o.Hold), seconds(o.Think), seconds(o.Length))
	var log bytes.Buffer
	command.Stderr = &log
	input, err := command.StdinPipe()
	if err != nil {
		return out, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return out, err
	}
	if err := command.Start(); err != nil {
		return out, err
	}
	lines := bufio.NewReader(output)
	_, readErr := lines.ReadString('\n') // it is ready, or it has failed
	ready()
	text, err := []byte(nil), readErr
	if err == nil {
		if err = input.Close(); err == nil {
			text, err = io.ReadAll(lines)
		}
	}
	if failed := command.Wait(); failed != nil {
		return out, fmt.Errorf("%s: %w: %s", o.Python, failed, log.String())
	}
	if err != nil {
		return out, err
	}
	var said struct {
		Turns  int     `json:"turns"`
		InTime int     `json:"in_time"`
		Waits  []int64 `json:"waits"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return out, err
	}
	waits := hdrhistogram.New(1, int64(10*time.Minute), 3)
	for _, wait := range said.Waits {
		if err := waits.RecordValue(max(1, wait)); err != nil {
			return out, err
		}
	}
	out.Turns, out.InTime = said.Turns, said.InTime
	out.Waits, err = waits.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return out, err
}
