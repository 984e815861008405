package answers

import (
	"fmt"
	"slices"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/gotest"
)

// judgeRight returns what is wrong with the result of a right answer, or nothing.
func judgeRight(result *gotest.Result) string {
	if result.Status == gotest.Passed {
		return ""
	}
	return "a right answer must pass, or the test is too strict\n" + transcript(result)
}

// cannotTell returns the reason why this run says nothing about a wrong answer, or nothing: its test was skipped.
func cannotTell(patch answer.Patch, result *gotest.Result) string {
	if result.Status == gotest.Skipped {
		return result.Reason
	}
	test, found := result.Test(patch.CaughtBy)
	if found && test.Status == gotest.Skipped {
		return fmt.Sprintf("cannot be told apart here: %s is skipped: %s", test.Name, test.SkipReason)
	}
	return ""
}

// judgeWrong returns what is wrong with the result of a wrong answer, or nothing: the named test failed, and said what
// the patch promises in a message of the lab.
func judgeWrong(id string, patch answer.Patch, result *gotest.Result) string {
	report := func(problem string) string {
		return fmt.Sprintf("%s, %s: %s\n  the mistake  %s\n  caught by    %s\n  says         %q\n%s",
			id, patch.Name, problem, patch.Sentence, patch.CaughtBy, patch.Says, transcript(result))
	}
	switch result.Status {
	case gotest.DoesNotCompile:
		return report("does not compile, so it shows nothing")
	case gotest.Broken:
		return report("must fail with a message, not with a crash or a time limit")
	case gotest.Passed:
		return report("survives: every test passes")
	}
	named, found := result.Test(patch.CaughtBy)
	switch {
	case !found:
		return report("names a test that was not run; correct `caught by:`")
	case named.Status == gotest.Passed:
		return report("survives the test that should catch it")
	case named.Failures < named.Runs:
		return report(fmt.Sprintf("survives %d of %d runs of the test that should catch it", named.Runs-named.Failures, named.Runs))
	}
	messages := lessonMessages(named.Name, result)
	switch {
	case len(messages) == 0:
		return report("fails without a message of the lab (lab.Require… with a lab.Lesson)")
	case !slices.ContainsFunc(messages, func(m string) bool { return strings.Contains(m, patch.Says) }):
		return report("fails, but the message says something else")
	}
	for _, message := range messages {
		if lines := strings.Count(message, "\n") + 1; lines > 12 {
			return report(fmt.Sprintf("fails with a message of %d lines; a learner reads 12 at most", lines))
		}
	}
	return ""
}

// lessonMessages returns the messages that the test and its subtests published through the lab.
func lessonMessages(name string, result *gotest.Result) []string {
	var messages []string
	for _, test := range result.Tests {
		if (test.Name == name || strings.HasPrefix(test.Name, name+"/")) && test.Failure != nil {
			messages = append(messages, test.Failure.String())
		}
	}
	return messages
}

// transcript is what the tests printed, for the maintainer who has to fix the patch or the tests.
func transcript(result *gotest.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  the tests    %s", result.Status)
	if result.Reason != "" {
		fmt.Fprintf(&b, ": %s", result.Reason)
	}
	b.WriteString("\n")
	for _, line := range result.CompilerLines {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	for _, test := range result.Tests {
		fmt.Fprintf(&b, "    %-7s %s (%.1f s)\n", test.Status, test.Name, test.Elapsed.Seconds())
	}
	for _, test := range result.Failures() {
		fmt.Fprintf(&b, "  %s says\n    %s\n", test.Name, strings.ReplaceAll(strings.TrimSpace(test.Message()), "\n", "\n    "))
	}
	if result.Status == gotest.Broken && len(result.Failures()) == 0 {
		b.WriteString("  output\n" + result.Output)
	}
	return b.String()
}

// settled returns the top-level tests that failed, and those that could not fail here.
func settled(result *gotest.Result) []string {
	var names []string
	for _, test := range result.Tests {
		if !strings.Contains(test.Name, "/") && (test.Status == gotest.Failed || !wasJudged(result, test)) {
			names = append(names, test.Name)
		}
	}
	return names
}

// wasJudged reports whether a top-level test could have failed here. One that was skipped could not, and neither could one
// whose subtests were all skipped: package testing still calls it passed.
func wasJudged(result *gotest.Result, test gotest.TestResult) bool {
	if test.Status != gotest.Passed {
		return test.Status != gotest.Skipped
	}
	subtests, skipped := 0, 0
	for _, other := range result.Tests {
		if strings.HasPrefix(other.Name, test.Name+"/") {
			subtests++
			if other.Status == gotest.Skipped {
				skipped++
			}
		}
	}
	return subtests == 0 || skipped < subtests
}
