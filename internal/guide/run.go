package guide

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab/process"
)

// offline keeps go from reaching for the network: the modules are there, or fetch has said that they are not.
var offline = []string{"GOPROXY=off"}

// stall returns how long running tests may be silent. The laboratory's own limits, which end in a message that says
// more, are shorter.
func stall() time.Duration {
	limit := 45 * time.Second
	if runtime.GOOS == "windows" {
		limit = 75 * time.Second // where a worker may take a minute to start
	}
	return max(limit, 3*process.Patience())
}

// damaged is the status of an exercise whose tests cannot be run; the reason says why.
const damaged gotest.Status = "damaged"

// How the tests of several exercises are run.
type manner int

const (
	cached   manner = iota // go may answer from its test cache
	fresh                  // every test runs
	unvetted               // every test runs, and go vet does not
)

// test runs the tests of one exercise now. Go vet runs only if all tests pass: code that fails is about to change, and vet
// costs as much as the tests of a small exercise.
func (s *session) test(ctx context.Context, e *curriculum.Exercise) (*gotest.Result, error) {
	results, err := s.testAll(ctx, []*curriculum.Exercise{e}, unvetted)
	if err != nil {
		return nil, err
	}
	if results[0].Status != gotest.Passed || s.options.reference || s.isUntouched(e) {
		return results[0], nil
	}
	defer s.working("running go vet on %s", title(e)).end()
	lines, err := s.runner.vet(ctx, e)
	if err != nil {
		return nil, err
	}
	if len(lines) > 0 {
		return &gotest.Result{Status: gotest.DoesNotCompile, Vet: true, CompilerLines: lines, Output: results[0].Output}, nil
	}
	return results[0], nil
}

// testAll runs the tests of several exercises, the learner's in one go command. Where nothing changed since they passed, go
// may answer from its test cache, in that manner. An exercise that is damaged has a result that says so; it stops no other.
func (s *session) testAll(ctx context.Context, exercises []*curriculum.Exercise, how manner) ([]*gotest.Result, error) {
	results := make([]*gotest.Result, len(exercises))
	var whole []*curriculum.Exercise
	var at []int
	for i, e := range exercises {
		if damage := s.files(e).damage; damage != "" {
			results[i] = &gotest.Result{Status: damaged, Reason: damage}
			continue
		}
		whole, at = append(whole, e), append(at, i)
	}
	if len(whole) == 0 {
		return results, nil
	}
	ran, err := s.runWhole(ctx, whole, how)
	if err != nil {
		return nil, err
	}
	for i, result := range ran {
		results[at[i]] = result
	}
	return results, nil
}

// runWhole runs the tests of exercises that are whole, and shows that it does.
func (s *session) runWhole(ctx context.Context, exercises []*curriculum.Exercise, how manner) ([]*gotest.Result, error) {
	if err := s.fetch(ctx); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("running the tests of %d exercises", len(exercises))
	if len(exercises) == 1 {
		what = "running the tests of " + title(exercises[0])
	}
	w := s.working("%s", what)
	defer w.end()
	tests := gotest.Tests{
		Env: offline, Cached: how == cached, Stall: stall(), Progress: w.saw,
		// What was shipped is vetted before it is shipped.
		NoVet: how == unvetted || s.options.reference || !slices.ContainsFunc(exercises,
			func(e *curriculum.Exercise) bool { return !s.isUntouched(e) }),
	}
	results, err := s.runWith(ctx, tests, exercises)
	if err != nil {
		return nil, err
	}
	for i, result := range results {
		if result.Status == gotest.DoesNotCompile && !s.mayBlame(exercises[i], result.CompilerLines) {
			return nil, &gotest.MachineError{
				Lines: result.CompilerLines,
				Says: fmt.Sprintf("the code of %s is as it was shipped, and does not compile here",
					title(exercises[i])),
			}
		}
	}
	return results, nil
}

func (s *session) runWith(ctx context.Context, tests gotest.Tests, exercises []*curriculum.Exercise) ([]*gotest.Result, error) {
	if !s.options.reference {
		return s.runner.tests(ctx, tests, exercises)
	}
	var results []*gotest.Result
	for _, e := range exercises {
		code, err := answer.Reference(e)
		if err != nil {
			return nil, err
		}
		tests.Answer = code
		result, err := s.runner.tests(ctx, tests, []*curriculum.Exercise{e})
		if err != nil {
			return nil, err
		}
		results = append(results, result...)
	}
	return results, nil
}

// A runner runs the tests, and go vet, on code.
type runner interface {
	tests(ctx context.Context, tests gotest.Tests, exercises []*curriculum.Exercise) ([]*gotest.Result, error)
	vet(ctx context.Context, e *curriculum.Exercise) ([]string, error)
}

// goCommand is the runner that learners get.
type goCommand struct{}

func (goCommand) tests(ctx context.Context, tests gotest.Tests, exercises []*curriculum.Exercise) ([]*gotest.Result, error) {
	if tests.Answer == nil {
		return tests.DoAll(ctx, exercises)
	}
	tests.Exercise = exercises[0]
	result, err := tests.Do(ctx)
	return []*gotest.Result{result}, err
}

func (goCommand) vet(ctx context.Context, e *curriculum.Exercise) ([]string, error) {
	return gotest.Vet(ctx, e, offline)
}

// mayBlame reports whether code that does not compile can be the learner's doing: the exercise has been begun, or what go says is
// about one that has been.
func (s *session) mayBlame(e *curriculum.Exercise, lines []string) bool {
	if s.options.reference {
		return false
	}
	if !s.isUntouched(e) || addedTests(lines) {
		return true
	}
	return slices.ContainsFunc(s.book.Exercises, func(other *curriculum.Exercise) bool {
		about := func(line string) bool { return strings.HasPrefix(line, "exercises/"+other.ID+"/") }
		return !s.isUntouched(other) && slices.ContainsFunc(lines, about)
	})
}

// addedTests reports whether go speaks of test files, which a learner may have added to.
func addedTests(lines []string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		return strings.Contains(line, "_test.go:") || strings.Contains(line, "multiple definitions of TestMain")
	})
}
