package gotest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"example/turnstile/internal/curriculum"
)

var (
	// Not at the beginning of a line only: the code may have printed something without a newline just before.
	crash     = regexp.MustCompile(`(?:panic|fatal error): .*`)
	traceHead = regexp.MustCompile(`(?m)^(goroutine [0-9]+ .*:|SIGQUIT: quit)$`)
	timedOut  = regexp.MustCompile(`panic: test timed out after (\S+)`)
	atTimeout = regexp.MustCompile(`(?m)^\t\t(\S+) \([0-9a-z.]+\)$`) // below "running tests:"
	exited    = regexp.MustCompile(`(?m)^(exit status [0-9]+|signal: .*)$`)
	goesWord  = regexp.MustCompile(`^((FAIL|ok  )\t.*|FAIL|PASS|exit status [0-9]+|signal: .*)$`)
)

// lastLine returns the last line that is not go's own report of how the package ended.
func lastLine(text string) string {
	for _, line := range slices.Backward(strings.Split(strings.TrimSpace(text), "\n")) {
		if line = strings.TrimSpace(line); line != "" && !goesWord.MatchString(line) {
			return line
		}
	}
	return "it printed nothing"
}

// findCrash returns the line with which the runtime ended the process: the last of its form before the first trace.
func findCrash(output string) (line string, found bool) {
	trace := traceHead.FindStringIndex(output)
	if trace == nil {
		return "", false
	}
	lines := crash.FindAllString(output[:trace[0]], -1)
	if len(lines) == 0 {
		return "", false
	}
	return strings.TrimSuffix(lines[len(lines)-1], " [recovered, repanicked]"), true
}

// judgeCrash sets the status of a run whose process did not come to its end, and marks the tests that it took along.
// stopped says why the watchdog ended it, "" if it did not.
func (run *packageRun) judgeCrash(result *Result, e *curriculum.Exercise, stopped string) {
	result.Status = Broken
	all := run.output.String()
	result.Place = firstPlace(all, e)
	line, panicked := findCrash(all)
	limit := timedOut.FindStringSubmatch(all)
	switch {
	case stopped != "":
		run.markRunning(func(t *testRun) { t.TimedOut = true })
		result.Reason = fmt.Sprintf("%s was stopped: %s", run.broken(), stopped)
	case limit != nil:
		run.markTimedOut(all)
		result.Reason = fmt.Sprintf("%s did not end within %s", run.broken(), limit[1])
	case panicked:
		run.markRunning(func(*testRun) {})
		result.Reason = fmt.Sprintf("%s stopped the whole test process with %s", run.broken(), line)
	case len(run.tests) == 0:
		result.Reason = "the test process ended before the first test: " + lastLine(run.outside.String())
	default:
		run.markRunning(func(*testRun) {})
		result.Reason = fmt.Sprintf("the test process ended in the middle of %s, as os.Exit and log.Fatal end it", run.broken())
		if status := exited.FindString(run.outside.String()); status != "" { // go reports it for a signal, and where nothing was printed
			result.Reason = fmt.Sprintf("the test process ended in the middle of %s with %s", run.broken(), status)
		}
		result.Printed = lastWords(all)
	}
}

// lastWords returns the last lines that the code printed before its process ended.
func lastWords(output string) []string {
	const most = 5
	var words []string
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		// The runtime's own line may follow what was printed without a newline.
		if strings.TrimSpace(line) != "" && !isFrame(line) && !goesWord.MatchString(line) {
			words = append(words, line)
		}
	}
	return words[max(len(words)-most, 0):]
}

// firstPlace returns the first place of a trace that is in the learner's files: "exercises/01_open_modes/open.go:25".
func firstPlace(output string, e *curriculum.Exercise) string {
	trace := traceHead.FindStringIndex(output)
	if trace == nil {
		return ""
	}
	inLearners := regexp.MustCompile(`\bexercises[/\\]` + regexp.QuoteMeta(e.ID) + `[/\\]([^/\\\s]+\.go):([0-9]+)`)
	for _, m := range inLearners.FindAllStringSubmatch(output[trace[0]:], -1) {
		if !strings.HasSuffix(m[1], "_test.go") {
			return fmt.Sprintf("exercises/%s/%s:%s", e.ID, m[1], m[2])
		}
	}
	return ""
}

// markRunning marks the tests that the end of the process took along: those that printed the trace, where that is known, else
// all that were running. A test that only waited for its turn is none of them.
func (run *packageRun) markRunning(mark func(*testRun)) {
	anyMine := false
	for _, t := range run.tests {
		_, t.Panicked = findCrash(t.output.String())
		anyMine = anyMine || t.Panicked
	}
	for _, t := range run.tests {
		if t.Panicked || t.running && !t.paused && !anyMine {
			t.Status = Broken
			mark(t)
		} else if t.running {
			t.Status, t.SkipReason = Skipped, "the test process ended before it"
		}
		t.running = false
	}
}

func (run *packageRun) markTimedOut(output string) {
	var named []string
	for _, m := range atTimeout.FindAllStringSubmatch(output, -1) {
		named = append(named, m[1])
	}
	for _, t := range run.tests {
		if t.running && !t.paused || slices.Contains(named, t.Name) {
			t.running, t.Status, t.TimedOut = false, Broken, true
		}
	}
}

// mostBroken is how many tests the reason names.
const mostBroken = 3

// broken names the tests that were running when the process ended, without the parents of the subtests among them.
func (run *packageRun) broken() string {
	var names []string
	for _, t := range run.tests {
		if t.Status != Broken {
			continue
		}
		names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(t.Name, name+"/") })
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return "the code outside the tests"
	}
	if len(names) > mostBroken {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostBroken], ", "), len(names)-mostBroken)
	}
	return strings.Join(names, ", ")
}
