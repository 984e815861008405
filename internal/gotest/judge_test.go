package gotest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// The events of this file are what go 1.26 wrote on Linux in each case, shortened.
var judged = &curriculum.Exercise{Number: 1, ID: "01_one", Root: "/book"}

func event(action, test, output string, more ...string) string {
	e := map[string]string{"Action": action, "Package": judged.Package()}
	if test != "" {
		e["Test"] = test
	}
	if output != "" {
		e["Output"] = output
	}
	for i := 0; i < len(more); i += 2 {
		e[more[i]] = more[i+1]
	}
	line, _ := json.Marshal(e) // strings always marshal
	return string(line)
}

// ended are the events of a test process that ended with the status.
func ended(status string) []string {
	return []string{event("output", "", status+"\n"), event("output", "", "FAIL\t"+judged.Package()+"\t0.017s\n"), event("fail", "", "")}
}

func begun(tests ...string) []string {
	events := []string{event("start", "", "")}
	for _, test := range tests {
		events = append(events, event("run", test, ""), event("output", test, "=== RUN   "+test+"\n"))
	}
	return events
}

func TestProcessesThatEndByThemselves(t *testing.T) {
	t.Parallel()
	waiting := append(begun("TestA", "TestB"), event("pause", "TestA", ""), event("pause", "TestB", ""), event("cont", "TestB", ""))
	for _, tt := range []struct {
		name    string
		events  []string
		reason  string
		place   string
		printed []string
	}{
		{
			"os.Exit", append(begun("TestA"), event("output", "TestA", "opening\n"), event("output", "", "FAIL\t"+judged.Package()+"\t0.017s\n"),
				event("fail", "", "")),
			"the test process ended in the middle of TestA, as os.Exit and log.Fatal end it", "",
			[]string{"opening"},
		},
		{
			"killed", append(begun("TestA"), ended("signal: killed")...),
			"the test process ended in the middle of TestA with signal: killed", "", nil,
		},
		{
			"a stack overflow", append(append(begun("TestA"),
				event("output", "TestA", "runtime: goroutine stack exceeds 1000000000-byte limit\n"),
				event("output", "TestA", "fatal error: stack overflow\n"), event("output", "TestA", "\n"),
				event("output", "TestA", "goroutine 7 [running]:\n"),
				event("output", "TestA", "example/turnstile/exercises/01_one.walk(...)\n"),
				event("output", "TestA", "\t/book/exercises/01_one/one.go:12 +0x1d\n"),
				event("output", "TestA", "\t/book/exercises/01_one/one.go:40 +0x1d\n")), ended("exit status 2")...),
			"TestA stopped the whole test process with fatal error: stack overflow", "exercises/01_one/one.go:12", nil,
		},
		{
			"a test that only waited for its turn is not blamed", append(waiting, ended("exit status 1")...),
			"the test process ended in the middle of TestB with exit status 1", "", nil,
		},
		{
			"before the first test", append(append(begun(), event("output", "", "cannot open the log\n")), ended("exit status 1")...),
			"the test process ended before the first test: cannot open the log", "", nil,
		},
		{
			"the time limit", append(append(begun("TestA"),
				event("output", "TestA", "panic: test timed out after 3m0s\n"), event("output", "TestA", "\trunning tests:\n"),
				event("output", "TestA", "\t\tTestA (3m0s)\n"), event("output", "TestA", "\n"), event("output", "TestA", "goroutine 9 [running]:\n"),
				event("output", "TestA", "\t/book/exercises/01_one/one_test.go:8 +0x1d\n"),
				event("output", "TestA", "\tC:/book/exercises/01_one/one.go:9 +0x1d\n")), ended("exit status 2")...),
			"TestA did not end within 3m0s", "exercises/01_one/one.go:9", nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			result, err := gotest.Judge(judged, tt.events, "")
			require.NoError(t, err)
			assert.Equal(t, gotest.Broken, result.Status)
			assert.Equal(t, tt.reason, result.Reason)
			assert.Equal(t, tt.place, result.Place)
			assert.Equal(t, tt.printed, result.Printed)
		})
	}
}

func TestARunThatTheWatchdogEnded(t *testing.T) {
	t.Parallel()
	events := append(begun("TestA", "TestB"), event("pass", "TestA", ""),
		event("output", "TestB", "SIGQUIT: quit\n"), event("output", "TestB", "PC=0x48c263 m=0 sigcode=0\n"),
		event("output", "TestB", "goroutine 8 gp=0x6d5e80 m=0 mp=0x6d6e80 [select (no cases)]:\n"),
		event("output", "TestB", "\t/book/exercises/01_one/one.go:33 +0x30 fp=0x7ffd1a9eea68 sp=0x7ffd1a9eea10 pc=0x448630\n"))
	result, err := gotest.Judge(judged, append(events, ended("exit status 2")...), "nothing had happened for 45s")
	require.NoError(t, err)
	assert.Equal(t, []any{gotest.Broken, "TestB was stopped: nothing had happened for 45s"}, []any{result.Status, result.Reason})
	assert.Equal(t, "exercises/01_one/one.go:33", result.Place)
	assert.True(t, result.Tests[1].TimedOut)
	assert.False(t, result.Tests[0].TimedOut)
}

// What keeps go from its work says nothing of the code.
func TestTheMachineIsInTheWay(t *testing.T) {
	t.Parallel()
	build := func(importPath string, lines ...string) []string {
		var events []string
		for _, line := range lines {
			text, _ := json.Marshal(line + "\n")
			events = append(events, `{"ImportPath":"`+importPath+`","Action":"build-output","Output":`+string(text)+`}`)
		}
		return append(events, event("start", "", ""), event("fail", "", "", "FailedBuild", importPath))
	}
	own := judged.Package() + " [" + judged.Package() + ".test]"
	for _, tt := range []struct {
		name   string
		events []string
		says   string // "" for code that does not compile
	}{
		{"the learner's mistake", build(own, "# "+own, "exercises/01_one/one.go:3:1: undefined: killed"), ""},
		{"a package that is missing", build("github.com/a/b", "exercises/01_one/one.go:3:8: no required module provides package "+
			"github.com/a/b; to add it:"), ""},
		{
			"no C library", build("runtime/cgo", "# runtime/cgo", "_cgo_export.c:3:10: fatal error: stdlib.h: No such file or directory"),
			"go could not build runtime/cgo",
		},
		{
			"a damaged module", build("github.com/gofrs/flock", "../mod/github.com/gofrs/flock@v0.13.1/flock.go:20:3: syntax error"),
			"go clean -modcache",
		},
		{"a full disk", build(own, "# "+own, "open /tmp/go-build1/b001/_pkg_.a: no space left on device"), "there is no room left"},
		{"a quota", build(judged.Package()+".test", "write /tmp/x: disk quota exceeded"), "there is no room left"},
		{
			"a linker that was killed", build(judged.Package()+".test", "/usr/lib/go/pkg/tool/linux_amd64/link: signal: killed"),
			"close other programs",
		},
		{"no memory", build(own, "fatal error: runtime: cannot allocate memory"), "close other programs"},
		{"a directory without programs", append(append(begun(), event("output", "",
			"fork/exec /tmp/go-build1/b001/one.test: permission denied\n")),
			event("output", "", "FAIL\t"+judged.Package()+"\t0.017s\n"), event("fail", "", "")), "let GOTMPDIR name a directory"},
		{
			"nothing at all",
			[]string{`{"ImportPath":"x","Action":"build-output","Output":"main module does not contain package x\n"}`},
			"main module does not contain",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			result, err := gotest.Judge(judged, tt.events, "")
			if tt.says == "" {
				require.NoError(t, err)
				assert.Equal(t, gotest.DoesNotCompile, result.Status)
				return
			}
			var machine *gotest.MachineError
			require.ErrorAs(t, err, &machine)
			assert.Contains(t, err.Error(), tt.says)
		})
	}
}

func TestTheWatchdogBitesWhereNothingIsHeard(t *testing.T) {
	t.Parallel()
	quit, stopped := make(chan struct{}), make(chan struct{})
	heard, packages, end := gotest.Watch(time.Millisecond, func() { close(quit) }, func() { close(stopped) })
	heard(10)
	select {
	case <-quit:
		t.Fatal("it bit while go was building")
	default:
	}
	packages("start")
	<-quit
	assert.Equal(t, "nothing had happened for 1ms", end())
}

func TestTheWatchdogStopsEndlessOutput(t *testing.T) {
	t.Parallel()
	stops := 0
	heard, packages, end := gotest.Watch(0, func() {}, func() { stops++ })
	packages("start")
	for range 20_000 {
		heard(4 << 10)
	}
	assert.Equal(t, []any{1, "it printed without end"}, []any{stops, end()})
}
