package answers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab/verdict"
)

func failed(name, says string) gotest.TestResult {
	return gotest.TestResult{Name: name, Status: gotest.Failed, Failure: &verdict.Failure{Says: says}}
}

func times(runs, failures int) gotest.TestResult {
	test := failed("TestX", "left the tail")
	test.Runs, test.Failures = runs, failures
	return test
}

func ran(status gotest.Status, tests ...gotest.TestResult) *gotest.Result {
	return &gotest.Result{Status: status, Reason: "a reason", CompilerLines: []string{"a.go:1:1: a line"}, Tests: tests}
}

// The driver is itself a test that must not let anything slip.
func TestJudgeWrong(t *testing.T) {
	t.Parallel()
	patch := answer.Patch{Name: "wrong/02_x", Sentence: "The mistake in words.", CaughtBy: "TestX", Says: "the tail"}
	passed := gotest.TestResult{Name: "TestX", Status: gotest.Passed}
	other := failed("TestY", "left the tail")
	for _, tt := range []struct {
		name   string
		result *gotest.Result
		want   string
	}{
		{"caught", ran(gotest.Failed, failed("TestX", "left the tail"), other), ""},
		{"caught by a subtest", ran(gotest.Failed, gotest.TestResult{Name: "TestX", Status: gotest.Failed},
			failed("TestX/a", "left the tail")), ""},
		{"survives", ran(gotest.Passed, passed), "survives: every test passes"},
		{"only another test fails", ran(gotest.Failed, passed, other), "survives the test that should catch it"},
		{
			"a test whose name begins the same", ran(gotest.Failed, passed, failed("TestX2", "left the tail")),
			"survives the test that should catch it",
		},
		{"no such test", ran(gotest.Failed, other), "names a test that was not run"},
		{"another message", ran(gotest.Failed, failed("TestX", "left the head")), "the message says something else"},
		{
			"no message of the lab", ran(gotest.Failed, gotest.TestResult{Name: "TestX", Status: gotest.Failed, Output: "the tail"}),
			"fails without a message of the lab",
		},
		{"a message too long to read", ran(gotest.Failed, failed("TestX", "the tail"+strings.Repeat("\n", 12))), "a message of 13 lines"},
		{"does not compile", ran(gotest.DoesNotCompile), "does not compile"},
		{"caught in each of many runs", ran(gotest.Failed, times(100, 100)), ""},
		{"caught in some of many runs", ran(gotest.Failed, times(100, 98)), "survives 2 of 100 runs of the test that should catch it"},
		{"a crash", ran(gotest.Broken, gotest.TestResult{Name: "TestX", Status: gotest.Broken, Panicked: true}), "not with a crash"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := judgeWrong("03_seek", patch, tt.result)
			if tt.want == "" {
				assert.Empty(t, got)
				return
			}
			assert.Contains(t, got, tt.want)
			assert.Contains(t, got, "03_seek, wrong/02_x: ")
			assert.Contains(t, got, "The mistake in words.")
			for _, test := range tt.result.Tests {
				assert.Contains(t, got, test.Name)
			}
		})
	}
}

func TestJudgeRight(t *testing.T) {
	t.Parallel()
	assert.Empty(t, judgeRight(ran(gotest.Passed)))
	for _, status := range []gotest.Status{gotest.Failed, gotest.Broken, gotest.DoesNotCompile, gotest.Skipped} {
		assert.Contains(t, judgeRight(ran(status, failed("TestX", "left the tail"))), "left the tail")
	}
}

func TestCannotTell(t *testing.T) {
	t.Parallel()
	patch := answer.Patch{CaughtBy: "TestX/a case"}
	assert.Equal(t, "a reason", cannotTell(patch, ran(gotest.Skipped)))
	skipped := gotest.TestResult{Name: "TestX/a_case", Status: gotest.Skipped, SkipReason: "no FIFO here"}
	assert.Contains(t, cannotTell(patch, ran(gotest.Passed, skipped)), "no FIFO here")
	assert.Empty(t, cannotTell(patch, ran(gotest.Failed, failed("TestX/a_case", "x"))))
	assert.Empty(t, cannotTell(patch, ran(gotest.Failed, failed("TestY", "x"))), "a test that was not run is for judgeWrong")
}

func TestWhatIsSettledAboutIdleTests(t *testing.T) {
	t.Parallel()
	test := func(name string, status gotest.Status) gotest.TestResult {
		return gotest.TestResult{Name: name, Status: status}
	}
	for _, c := range []struct {
		name    string
		tests   []gotest.TestResult
		settled []string
	}{
		{"passed", []gotest.TestResult{test("TestA", gotest.Passed)}, nil},
		{"failed", []gotest.TestResult{test("TestA", gotest.Failed), test("TestA/x", gotest.Failed)}, []string{"TestA"}},
		{"skipped", []gotest.TestResult{test("TestA", gotest.Skipped)}, []string{"TestA"}},
		{
			"all subtests skipped",
			[]gotest.TestResult{test("TestA", gotest.Passed), test("TestA/x", gotest.Skipped), test("TestA/y", gotest.Skipped)},
			[]string{"TestA"},
		},
		{
			"one subtest skipped, one passed",
			[]gotest.TestResult{test("TestA", gotest.Passed), test("TestA/x", gotest.Skipped), test("TestA/y", gotest.Passed)},
			nil,
		},
		{
			"another test's subtests skipped",
			[]gotest.TestResult{test("TestA", gotest.Passed), test("TestAll", gotest.Passed), test("TestAll/x", gotest.Skipped)},
			[]string{"TestAll"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.settled, settled(&gotest.Result{Tests: c.tests}))
		})
	}
}
