package gotest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/lab/verdict"
)

// An event is one line of `go test -json` (`go doc test2json`, `go help buildjson`).
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	Elapsed     float64
	Key, Value  string // attr
	ImportPath  string // build-output, build-fail
	FailedBuild string // fail
}

// An eventReader is the standard output of `go test -json`. It takes fields where go gives fields (outcomes, attributes,
// build errors) and looks at the text only for what has none: panics and time limits.
type eventReader struct {
	exercises []*curriculum.Exercise
	work      *workspace
	line      []byte // not complete yet
	runs      map[string]*packageRun
	build     map[string][]string // what the compiler said, by import path
	strays    tail                // lines that are not events
	watch     *watchdog
	progress  func(Progress)
	stopped   string // why the watchdog ended the run; "" if it did not
	// room looks whether the tests have room for their files, once, beside what go has built.
	room    func() error
	cramped error
}

// A packageRun is what the events said of one exercise so far.
type packageRun struct {
	output  clip
	outside clip // the part of output that belongs to no test
	tests   []*testRun
	action  string // pass, fail or skip, once it has ended
	failed  string // import path of what did not build
	ended   int    // top-level tests that came to their end
	clean   bool   // package testing ended by itself: it printed its last line, PASS or FAIL
	elapsed time.Duration
}

// A testRun is one test: its current run and, with -count, the worst before.
type testRun struct {
	TestResult
	output         clip
	running        bool
	paused         bool      // waits for its turn (t.Parallel)
	since          time.Time // when it began to run, or went on
	worst          *TestResult
	runs, failures int
}

func newEventReader(exercises []*curriculum.Exercise, work *workspace) *eventReader {
	r := &eventReader{exercises: exercises, work: work, runs: map[string]*packageRun{}, build: map[string][]string{}}
	for _, e := range exercises {
		r.runs[e.Package()] = &packageRun{}
	}
	return r
}

// Write takes the output as it comes, in pieces of any size.
func (r *eventReader) Write(piece []byte) (int, error) {
	r.watch.heard(len(piece))
	r.line = append(r.line, piece...)
	for {
		end := bytes.IndexByte(r.line, '\n')
		if end < 0 {
			return len(piece), nil
		}
		r.take(r.line[:end])
		r.line = r.line[end+1:]
	}
}

func (r *eventReader) take(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		_, _ = r.strays.Write(append(line, '\n'))
		return
	}
	e.Output = r.work.tidy(e.Output)
	if e.Action == "build-output" {
		r.build[e.ImportPath] = append(r.build[e.ImportPath], strings.TrimRight(e.Output, "\n"))
		return
	}
	run := r.runs[e.Package]
	if run == nil {
		return
	}
	if e.Test != "" {
		run.takeTest(e)
	} else {
		run.takePackage(e)
		r.watch.packages(e.Action)
		if e.Action == "start" && r.room != nil {
			r.cramped, r.room = r.room(), nil
		}
	}
	if r.progress != nil && e.Action != "output" {
		r.progress(r.now())
	}
}

func (run *packageRun) takePackage(e event) {
	switch e.Action {
	case "output":
		run.output.add(e.Output)
		run.outside.add(e.Output)
		if e.Output == "PASS\n" || e.Output == "FAIL\n" {
			run.clean = true
		}
	case "pass", "fail", "skip":
		run.action, run.failed = e.Action, e.FailedBuild
		run.elapsed = seconds(e.Elapsed)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (run *packageRun) takeTest(e event) {
	t := run.test(e.Test)
	switch e.Action {
	case "run":
		t.restart()
		t.since = time.Now()
	case "pause":
		t.paused = true
	case "cont":
		t.paused, t.since = false, time.Now()
	case "output":
		run.output.add(e.Output)
		if isFrame(e.Output) {
			t.output.endLine() // what was printed without a newline comes before go test's own line
		} else {
			t.output.add(e.Output)
		}
	case "attr":
		if failure, err := verdict.Decode(e.Value); e.Key == verdict.AttributeKey && err == nil && t.Failure == nil {
			t.Failure = &failure
		}
	case "pass", "fail", "skip":
		t.running = false
		t.runs++
		if !strings.Contains(e.Test, "/") {
			run.ended++
		}
		if e.Action == "fail" {
			t.failures++
		}
		t.Elapsed = seconds(e.Elapsed)
		t.Status = map[string]Status{"pass": Passed, "fail": Failed, "skip": Skipped}[e.Action]
	}
}

func (run *packageRun) test(name string) *testRun {
	at := slices.IndexFunc(run.tests, func(t *testRun) bool { return t.Name == name })
	if at < 0 {
		run.tests = append(run.tests, &testRun{TestResult: TestResult{Name: name}, running: true, since: time.Now()})
		at = len(run.tests) - 1
	}
	return run.tests[at]
}

func (t *testRun) restart() {
	if t.running {
		return
	}
	t.worst = t.finish()
	*t = testRun{TestResult: TestResult{Name: t.Name}, running: true, worst: t.worst, runs: t.runs, failures: t.failures}
}

// finish returns the worst of the runs so far.
func (t *testRun) finish() *TestResult {
	result := t.TestResult
	result.Output = t.output.String()
	if result.Status == Skipped {
		result.SkipReason = skipReason(result.Output)
	}
	severity := []Status{Skipped, Passed, Failed, Broken}
	if t.worst != nil && slices.Index(severity, t.worst.Status) >= slices.Index(severity, result.Status) {
		return t.worst
	}
	return &result
}

var frame = regexp.MustCompile(`^(=== (RUN|PAUSE|CONT|NAME|ATTR) |\s*--- (PASS|FAIL|SKIP): )`)

// isFrame reports whether the line is package testing's own, not the test's.
func isFrame(line string) bool { return frame.MatchString(line) }

var logPlace = regexp.MustCompile(`^\s*[^\s:]+\.go:[0-9]+: `)

// skipReason is the last thing that the test logged.
func skipReason(output string) string {
	var reason []string
	for line := range strings.Lines(output) {
		if at := logPlace.FindStringIndex(line); at != nil {
			reason, line = nil, line[at[1]:]
		}
		reason = append(reason, strings.TrimSpace(line))
	}
	return strings.Join(reason, " ")
}

// results says what became of each exercise. What go wrote to its standard error explains why there is nothing to say.
func (r *eventReader) results(stderr string) ([]*Result, error) {
	var results []*Result
	for _, e := range r.exercises {
		run := r.runs[e.Package()]
		if run.action == "" && len(run.tests) == 0 {
			return nil, r.notStarted(stderr)
		}
		lines := r.compilerLines(run.failed)
		if err := machineTrouble(run.failed, lines); err != nil {
			return nil, err
		}
		result := run.result(e, lines, r.stopped)
		if result.Status == Broken && len(result.Tests) == 0 {
			if err := noStart(result.Output); err != nil {
				return nil, err
			}
		}
		if r.cramped != nil && result.Status != Passed {
			return nil, r.cramped
		}
		result.Output += stderr
		results = append(results, result)
	}
	return results, nil
}

// notStarted says why go did not come to the tests.
func (r *eventReader) notStarted(stderr string) error {
	said := stderr + r.strays.String()
	for _, lines := range r.build {
		said += strings.Join(lines, "\n") + "\n"
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if slices.ContainsFunc(lines, noNetwork.MatchString) {
		return missingModule(lines)
	}
	return &MachineError{Says: "go did not come to the tests", Lines: lines}
}

func (r *eventReader) compilerLines(importPath string) []string {
	if importPath == "" {
		return nil
	}
	var lines []string
	for _, line := range r.build[importPath] {
		if !strings.HasPrefix(line, "# ") {
			lines = append(lines, tidyCompilerLine(line))
		}
	}
	return lines
}

// tidyCompilerLine writes the file's path with forward slashes, so that it is one path on every system.
func tidyCompilerLine(line string) string {
	line = strings.TrimPrefix(line, "vet: ")
	path, rest, isPlace := strings.Cut(line, ".go:")
	if !isPlace {
		return line
	}
	return strings.TrimPrefix(strings.ReplaceAll(path, `\`, "/"), "./") + ".go:" + rest
}

func (run *packageRun) result(e *curriculum.Exercise, compilerLines []string, stopped string) *Result {
	result := &Result{Output: run.output.String(), Elapsed: run.elapsed}
	if run.failed != "" {
		result.Status, result.CompilerLines = DoesNotCompile, compilerLines
		result.Output += strings.Join(compilerLines, "\n") + "\n"
		if slices.ContainsFunc(compilerLines, func(line string) bool {
			return strings.Contains(line, e.Package()+": build constraints exclude all Go files")
		}) {
			result.Status, result.Reason = Skipped, "this exercise has no code for this system"
		}
		return result
	}
	if !run.clean && run.action != "skip" {
		run.judgeCrash(result, e, stopped)
	}
	for _, t := range run.tests {
		worst := *t.finish()
		worst.Runs, worst.Failures = t.runs, t.failures
		result.Tests = append(result.Tests, worst)
	}
	inOrderOfSource(result.Tests)
	if result.Status == "" {
		run.judge(result)
	}
	return result
}

// inOrderOfSource puts the tests, which are in the order of their starts, back behind their parents: a parallel test starts
// its subtests only after all other tests of the package have started.
func inOrderOfSource(tests []TestResult) {
	place := make(map[string]int)
	topLevel := func(name string) string {
		name, _, _ = strings.Cut(name, "/")
		return name
	}
	for i, t := range tests {
		if _, known := place[topLevel(t.Name)]; !known {
			place[topLevel(t.Name)] = i
		}
	}
	slices.SortStableFunc(tests, func(a, b TestResult) int { return place[topLevel(a.Name)] - place[topLevel(b.Name)] })
}

// judge sets the status of a run that came to its end.
func (run *packageRun) judge(result *Result) {
	count := map[Status]int{}
	for _, t := range result.Tests {
		count[t.Status]++
	}
	switch {
	case count[Failed]+count[Broken] > 0:
		result.Status = Failed
	case run.action == "fail":
		result.Status = Broken
		result.Reason = "no test failed, but the test process did: " + lastLine(run.outside.String())
	case len(result.Tests) == 0:
		result.Status, result.Reason = Skipped, "there is no test to run on this system"
	case count[Passed] == 0:
		result.Status, result.Reason = Skipped, result.Tests[0].SkipReason
	default:
		result.Status = Passed
	}
}
