package answers_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// The flags are explained in doc.go.
var (
	race   = flag.Bool("race", false, "build with the race detector")
	count  = flag.Int("count", 1, "runs of each test of a right answer, and of the test that catches a wrong one")
	strict = flag.Bool("strict", false, "demand that the exercises are as shipped")
	goos   = flag.String("goos", runtime.GOOS, "system to build tests and demos for")
	start  = flag.String("exec", "", "program that starts tests and demos")
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	book := openBook(t)
	for _, e := range book.Exercises {
		t.Run(e.ID, func(t *testing.T) {
			t.Parallel()
			reference, err := answer.Reference(e)
			require.NoError(t, err)
			t.Run("reference", func(t *testing.T) {
				t.Parallel()
				requireRight(t, e, reference)
			})
			t.Run("right", func(t *testing.T) { testRightAnswers(t, e, reference) })
			t.Run("wrong", func(t *testing.T) { testWrongAnswers(t, e, reference) })
			t.Run("demo", func(t *testing.T) { testDemo(t, e, reference) })
		})
	}
}

func openBook(t *testing.T) *curriculum.Book {
	t.Helper()
	book, err := curriculum.Open(".")
	require.NoError(t, err)
	require.NotEmpty(t, book.Exercises, "the workbook has no exercises")
	require.NoError(t, readInputs(book.Root))
	return book
}

func testRightAnswers(t *testing.T, e *curriculum.Exercise, reference answer.Answer) {
	patches, err := answer.Right(e)
	require.NoError(t, err)
	if testing.Short() {
		t.Skip("-short runs a sample")
	}
	for _, patch := range patches {
		t.Run(answerName(patch), func(t *testing.T) {
			t.Parallel()
			requireRight(t, e, apply(t, patch, reference))
		})
	}
}

func testWrongAnswers(t *testing.T, e *curriculum.Exercise, reference answer.Answer) {
	patches, err := answer.Wrong(e)
	require.NoError(t, err)
	if testing.Short() {
		patches = patches[:min(2, len(patches))]
	}
	seen := &sightings{failed: map[string]bool{}}
	t.Cleanup(func() { // when the parallel subtests have ended
		if idle := seen.idle(); *count == 1 && seen.results == len(patches) && len(idle) > 0 && !testing.Short() {
			t.Errorf("%s: no wrong answer makes these tests fail, so they guard against nothing; add the wrong answer that they are for: %s",
				e.ID, strings.Join(idle, ", "))
		}
	})
	for _, patch := range patches {
		t.Run(answerName(patch), func(t *testing.T) {
			t.Parallel()
			if !patch.RunsOn(*goos) {
				seen.addElsewhere(patch)
			}
			run := gotest.Tests{Exercise: e, Answer: apply(t, patch, reference)}
			if *count > 1 {
				run.Count, run.Run = *count, only(patch.CaughtBy)
			}
			result := runTests(t, run)
			seen.add(result)
			if reason := cannotTell(patch, result); reason != "" {
				t.Skip(reason)
			}
			if problem := judgeWrong(e.ID, patch, result); problem != "" {
				t.Fatal("\n" + problem)
			}
			named, _ := result.Test(patch.CaughtBy)
			t.Logf("caught by %s in %d of %d runs: %s", patch.CaughtBy, named.Failures, named.Runs, patch.Sentence)
		})
	}
}

// only is the -run pattern for one test or subtest.
func only(test string) string {
	names := strings.Split(test, "/")
	for i, name := range names {
		names[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	return strings.Join(names, "/")
}

// sightings remembers which tests of one exercise were seen to fail. It may be used by several goroutines.
type sightings struct {
	mu      sync.Mutex
	results int
	failed  map[string]bool // a top-level test that was run and not skipped: did it ever fail
}

func (s *sightings) add(result *gotest.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results++
	for _, test := range result.Tests {
		if !strings.Contains(test.Name, "/") && wasJudged(result, test) {
			s.failed[test.Name] = s.failed[test.Name] || test.Status == gotest.Failed
		}
	}
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

// addElsewhere takes the patch's word for its test: it fails on a system that is not this one.
func (s *sightings) addElsewhere(patch answer.Patch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results++
	name, _, _ := strings.Cut(patch.CaughtBy, "/")
	s.failed[name] = true
}

// idle returns the tests that never failed.
func (s *sightings) idle() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, failed := range s.failed {
		if !failed {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// testDemo demands that the race demo shows the race on the code as shipped (exit status 1), and none on the reference.
func testDemo(t *testing.T, e *curriculum.Exercise, reference answer.Answer) {
	if testing.Short() {
		t.Skip("-short runs a sample")
	}
	t.Run("as_shipped", func(t *testing.T) {
		t.Parallel()
		asShipped, err := answer.AsShipped(e)
		require.NoError(t, err)
		requireDemo(t, e, asShipped, 1)
	})
	t.Run("reference", func(t *testing.T) {
		t.Parallel()
		requireDemo(t, e, reference, 0)
	})
}

func requireDemo(t *testing.T, e *curriculum.Exercise, code answer.Answer, status int) {
	t.Helper()
	ctx, cancel := within(t)
	defer cancel()
	demo := gotest.Demo{Exercise: e, Answer: code, GOOS: *goos, Exec: *start, Race: *race}
	command, remove, err := demo.Command(ctx)
	require.NoError(t, err)
	defer remove()
	printed := &bytes.Buffer{}
	command.Stdout, command.Stderr = printed, printed
	err = command.Run()
	require.NoError(t, ctx.Err(), "the demo of %s did not end in time; it printed:\n%s", e.ID, printed)
	require.NotNil(t, command.ProcessState, "start the demo of %s: %v", e.ID, err)
	if command.ProcessState.ExitCode() == demoNotOnThisSystem {
		t.Skip(strings.TrimSpace(printed.String()))
	}
	if got := command.ProcessState.ExitCode(); got != status || crashed.MatchString(printed.String()) {
		t.Fatalf("the race demo of %s ended with exit status %d instead of %d; it printed:\n%s", e.ID, got, status, printed)
	}
}

// demoNotOnThisSystem is the exit status of a demo that returned race.ErrSystem.
const demoNotOnThisSystem = 3

var crashed = regexp.MustCompile(`(?m)^goroutine [0-9]+ .*:$`)

func answerName(p answer.Patch) string {
	_, name, _ := strings.Cut(p.Name, "/")
	return name
}

func apply(t *testing.T, patch answer.Patch, reference answer.Answer) answer.Answer {
	t.Helper()
	if !patch.RunsOn(*goos) {
		t.Skipf("only on %s", strings.Join(patch.OnlyOn, ", "))
	}
	code, err := patch.Apply(reference)
	require.NoError(t, err)
	return code
}

func requireRight(t *testing.T, e *curriculum.Exercise, code answer.Answer) {
	t.Helper()
	result := runTests(t, gotest.Tests{Exercise: e, Answer: code, Count: *count, Race: *race})
	if result.Status == gotest.Skipped {
		t.Skip(result.Reason)
	}
	if problem := judgeRight(result); problem != "" {
		t.Fatal("\n" + problem)
	}
	for _, test := range result.Tests {
		if test.Status == gotest.Skipped {
			t.Logf("%s is skipped: %s", test.Name, test.SkipReason)
		}
	}
}

// runTests leaves go vet to `go vet ./...`, which sees the same files once and not once an answer. A wrong answer runs
// without the race detector, which must never be the only judge.
func runTests(t *testing.T, run gotest.Tests) *gotest.Result {
	t.Helper()
	ctx, cancel := within(t)
	defer cancel()
	run.NoVet, run.GOOS, run.Exec = true, *goos, *start
	run.Timeout = max(1, time.Duration(run.Count)) * 3 * time.Minute
	result, err := run.Do(ctx)
	require.NoError(t, err)
	return result
}

// within ends before go test's own time limit kills this process, which would leave its children running.
func within(t *testing.T) (context.Context, context.CancelFunc) {
	if deadline, ok := t.Deadline(); ok {
		return context.WithDeadline(t.Context(), deadline.Add(-15*time.Second))
	}
	return context.WithCancel(t.Context())
}

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

// transcript is what the tests said, for whoever has to mend the patch or the tests.
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

// TestAsShipped is the strict check: the exercises in the repository are the solutions with 00_as_shipped.patch applied.
func TestAsShipped(t *testing.T) {
	t.Parallel()
	if !*strict {
		t.Skip("the exercises may hold a learner's work; run with -args -strict before you publish a change")
	}
	for _, e := range openBook(t).Exercises {
		t.Run(e.ID, func(t *testing.T) {
			t.Parallel()
			want, err := answer.AsShipped(e)
			require.NoError(t, err)
			got, err := answer.Learner(e)
			require.NoError(t, err)
			if !got.Equal(want) {
				t.Errorf("exercises/%s is not the code as shipped; `go run ./internal/cmd/patch shipped -force %02d` writes it, "+
					"`go run ./internal/cmd/patch save %02d wrong/00_as_shipped exercises/%s` takes it over:\n%s",
					e.ID, e.Number, e.Number, e.ID, answer.Diff("exercises", "shipped", got, want))
			}
			for _, name := range want.Names() {
				require.NotContains(t, string(want[name]), curriculum.ModulePath+"/solutions/", "exercises/%s/%s stands on an answer: import the package from exercises/", e.ID, name)
			}
		})
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	if *goos != runtime.GOOS && *start == "" {
		fmt.Fprintf(os.Stderr, "-goos=%s needs -exec=PROGRAM, which starts programs of that system here\n", *goos)
		os.Exit(2)
	}
	os.Exit(m.Run())
}
