package solutions_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/workbook"
	"example/turnstile/lessons/lab/verdict"
)

func failed(name, says string) workbook.TestResult {
	return workbook.TestResult{Name: name, Status: workbook.Failed, Failure: &verdict.Failure{Says: says}}
}

func times(runs, failures int) workbook.TestResult {
	test := failed("TestX", "left the tail")
	test.Runs, test.Failures = runs, failures
	return test
}

func ran(status workbook.Status, tests ...workbook.TestResult) *workbook.Result {
	return &workbook.Result{Status: status, Reason: "a reason", CompilerLines: []string{"a.go:1:1: a line"}, Tests: tests}
}

// The driver is itself a test that must not let anything slip.
func TestJudgeWrong(t *testing.T) {
	t.Parallel()
	patch := workbook.Patch{Name: "wrong/02_x", Sentence: "The mistake in words.", CaughtBy: "TestX", Says: "the tail"}
	passed := workbook.TestResult{Name: "TestX", Status: workbook.Passed}
	other := failed("TestY", "left the tail")
	for _, tt := range []struct {
		name   string
		result *workbook.Result
		want   string
	}{
		{"caught", ran(workbook.Failed, failed("TestX", "left the tail"), other), ""},
		{"caught by a subtest", ran(workbook.Failed, workbook.TestResult{Name: "TestX", Status: workbook.Failed}, failed("TestX/a", "left the tail")), ""},
		{"survives", ran(workbook.Passed, passed), "survives: every test passes"},
		{"only another test fails", ran(workbook.Failed, passed, other), "survives the test that should catch it"},
		{"a test whose name begins the same", ran(workbook.Failed, passed, failed("TestX2", "left the tail")), "survives the test that should catch it"},
		{"no such test", ran(workbook.Failed, other), "names a test that was not run"},
		{"another message", ran(workbook.Failed, failed("TestX", "left the head")), "the message says something else"},
		{"no message of the lab", ran(workbook.Failed, workbook.TestResult{Name: "TestX", Status: workbook.Failed, Output: "the tail"}), "fails without a message of the lab"},
		{"a message nobody reads", ran(workbook.Failed, failed("TestX", "the tail"+strings.Repeat("\n", 12))), "a message of 13 lines"},
		{"does not compile", ran(workbook.DoesNotCompile), "does not compile"},
		{"caught in each of many runs", ran(workbook.Failed, times(100, 100)), ""},
		{"caught in some of many runs", ran(workbook.Failed, times(100, 98)), "survives 2 of 100 runs of the test that should catch it"},
		{"a crash", ran(workbook.Broken, workbook.TestResult{Name: "TestX", Status: workbook.Broken, Panicked: true}), "not with a crash"},
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
	assert.Empty(t, judgeRight(ran(workbook.Passed)))
	for _, status := range []workbook.Status{workbook.Failed, workbook.Broken, workbook.DoesNotCompile, workbook.Skipped} {
		assert.Contains(t, judgeRight(ran(status, failed("TestX", "left the tail"))), "left the tail")
	}
}

func TestCannotTell(t *testing.T) {
	t.Parallel()
	patch := workbook.Patch{CaughtBy: "TestX/a case"}
	assert.Equal(t, "a reason", cannotTell(patch, ran(workbook.Skipped)))
	skipped := workbook.TestResult{Name: "TestX/a_case", Status: workbook.Skipped, SkipReason: "no FIFO here"}
	assert.Contains(t, cannotTell(patch, ran(workbook.Passed, skipped)), "no FIFO here")
	assert.Empty(t, cannotTell(patch, ran(workbook.Failed, failed("TestX/a_case", "x"))))
	assert.Empty(t, cannotTell(patch, ran(workbook.Failed, failed("TestY", "x"))), "a test that was not run is for judgeWrong")
}

func TestSightings(t *testing.T) {
	t.Parallel()
	seen := &sightings{failed: map[string]bool{}}
	passed := func(name string) workbook.TestResult {
		return workbook.TestResult{Name: name, Status: workbook.Passed}
	}
	seen.add(ran(workbook.Failed, failed("TestX", "x"), passed("TestY"), passed("TestZ"), passed("TestX/a")))
	seen.add(ran(workbook.Failed, passed("TestX"), failed("TestZ", "x"), workbook.TestResult{Name: "TestS", Status: workbook.Skipped}))
	assert.Equal(t, 2, seen.results)
	assert.Equal(t, []string{"TestY"}, seen.idle())
	seen.addElsewhere(workbook.Patch{CaughtBy: "TestY/on Windows"})
	assert.Equal(t, 3, seen.results)
	assert.Empty(t, seen.idle())
}

func TestATestThatOnlySkippedIsNotIdle(t *testing.T) {
	t.Parallel()
	test := func(name string, status workbook.Status) workbook.TestResult {
		return workbook.TestResult{Name: name, Status: status}
	}
	for _, c := range []struct {
		name  string
		tests []workbook.TestResult
		idle  []string
	}{
		{"passed", []workbook.TestResult{test("TestA", workbook.Passed)}, []string{"TestA"}},
		{"failed", []workbook.TestResult{test("TestA", workbook.Failed)}, nil},
		{"skipped", []workbook.TestResult{test("TestA", workbook.Skipped)}, nil},
		{
			"all subtests skipped",
			[]workbook.TestResult{test("TestA", workbook.Passed), test("TestA/x", workbook.Skipped), test("TestA/y", workbook.Skipped)},
			nil,
		},
		{
			"one subtest skipped, one passed",
			[]workbook.TestResult{test("TestA", workbook.Passed), test("TestA/x", workbook.Skipped), test("TestA/y", workbook.Passed)},
			[]string{"TestA"},
		},
		{
			"another test's subtests skipped",
			[]workbook.TestResult{test("TestA", workbook.Passed), test("TestAll", workbook.Passed), test("TestAll/x", workbook.Skipped)},
			[]string{"TestA"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seen := &sightings{failed: map[string]bool{}}
			seen.add(&workbook.Result{Tests: c.tests})
			require.Equal(t, c.idle, seen.idle())
		})
	}
}
