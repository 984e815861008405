package guide

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab/verdict"
)

// newQuickBook is newBook without a go command: the code of its exercises is one expression, which is reckoned here.
func newQuickBook(t *testing.T) *fakeBook {
	t.Helper()
	b := newBook(t)
	b.runner = reckoner{}
	return b
}

// A reckoner is a runner for the expressions in the exercises of newBook and their answers.
type reckoner struct{}

func (reckoner) vet(context.Context, *curriculum.Exercise) ([]string, error) { return nil, nil }

func (r reckoner) tests(ctx context.Context, tests gotest.Tests, exercises []*curriculum.Exercise) ([]*gotest.Result, error) {
	var results []*gotest.Result
	for _, e := range exercises {
		do, err := r.do(e, tests.Answer)
		if err != nil {
			return nil, err
		}
		results = append(results, judge(e, do))
	}
	return results, ctx.Err()
}

func judge(e *curriculum.Exercise, do func(int) int) *gotest.Result {
	factor := map[int]int{1: 2, 2: 4, 3: 3}[e.Number]
	result := &gotest.Result{Status: gotest.Passed, Tests: []gotest.TestResult{{Name: "TestZero", Status: gotest.Passed}}}
	for _, n := range []int{5, 7} {
		test := gotest.TestResult{Name: map[int]string{5: "TestFive", 7: "TestSeven"}[n], Status: gotest.Passed}
		if do(n) != factor*n {
			says := fmt.Sprintf("Do(%d) is wrong", n)
			test.Status, result.Status = gotest.Failed, gotest.Failed
			test.Failure = &verdict.Failure{Says: says, Read: "lessons/" + e.ID + `, "Why it happens"`}
		}
		result.Tests = append(result.Tests, test)
	}
	return result
}

// do returns what the code computes: the answer's over that of the references, or the learner's over the learner's.
func (r reckoner) do(e *curriculum.Exercise, a answer.Answer) (func(int) int, error) {
	code, first := a, &curriculum.Exercise{Number: 1, ID: "01_double", Root: e.Root}
	var below answer.Answer
	var err error
	if a == nil {
		code, err = answer.Learner(e)
	} else if e.Number == 2 {
		below, err = answer.Reference(first)
	}
	if err != nil {
		return nil, err
	}
	double := func(n int) int { return 2 * n }
	if e.Number == 2 {
		if double, err = r.do(first, below); err != nil {
			return nil, err
		}
	}
	text := string(code[e.ID[3:]+".go"])
	_, expression, _ := strings.Cut(text, "return ")
	expression, _, _ = strings.Cut(expression, "\n")
	expression, _, _ = strings.Cut(expression, "//")
	known := map[string]func(int) int{
		"n": func(n int) int { return n }, "n + 1": func(n int) int { return n + 1 }, "n - 1": func(n int) int { return n - 1 },
		"2 * n": func(n int) int { return 2 * n }, "n + n": func(n int) int { return 2 * n },
		"3 * n": func(n int) int { return 3 * n }, "n + n + n": func(n int) int { return 3 * n },
		"double.Do(n)": double, "double.Do(double.Do(n))": func(n int) int { return double(double(n)) },
		"double.Do(n) + double.Do(n)": func(n int) int { return 2 * double(n) },
	}
	do := known[strings.Trim(expression, " }")]
	if do == nil {
		return nil, fmt.Errorf("%s: no value is known for %q", e.ID, expression)
	}
	return do, nil
}

// What is reckoned is what go's tests say.
func TestTheReckonerAgreesWithGo(t *testing.T) {
	t.Parallel()
	needsGo(t)
	b := newBook(t)
	b.repair(t, "02_quadruple")
	for _, runner := range []runner{goCommand{}, reckoner{}} {
		b.runner = runner
		require.Equal(t, exitDone, b.guide(t, "list"))
		require.Contains(t, b.out.String(), "✗ 02 · The quadruple   1 of 3 tests pass")
	}
}
