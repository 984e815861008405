package guide

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// reportVersion is the version of the schema that docs/report.md describes. Fields may be added within a version;
// nothing is renamed or removed.
const reportVersion = 1

// A reportFile is the report on all exercises asked for.
type reportFile struct {
	Schema    string           `json:"schema"` // "turnstile.report"
	Version   int              `json:"version"`
	System    string           `json:"system"` // "linux/amd64"
	Answer    string           `json:"answer"` // "learner" or "reference"
	Exercises []exerciseReport `json:"exercises"`
}

// An exerciseReport is what the report says of one exercise.
type exerciseReport struct {
	Name    string       `json:"name"`
	Number  int          `json:"number"`
	Title   string       `json:"title"`
	Status  string       `json:"status"`
	Changed bool         `json:"changed"`
	Tests   []testReport `json:"tests"`
	Message string       `json:"message"`
	Hints   int          `json:"hints"`
	Seconds float64      `json:"seconds"`
}

// A testReport is what the report says of one test or subtest.
type testReport struct {
	Name    string  `json:"name"`
	Status  string  `json:"status"`
	Message string  `json:"message"`
	Seconds float64 `json:"seconds"`
}

// report prints the state of the exercises for programs. Every test is run now; nothing is taken from go's test cache.
func (s *session) report() error {
	if !s.options.json {
		return &usageError{fmt.Sprintf("report writes for programs: `%s`. For you there is `%s`.", s.command("report --json"), s.command("list"))}
	}
	exercises := s.book.Exercises
	if len(s.options.operands) > 0 {
		exercises = nil
	}
	for _, query := range s.options.operands {
		e, err := s.book.Find(query)
		if err != nil {
			return err
		}
		exercises = append(exercises, e)
	}
	results, err := s.testAll(exercises, true)
	if err != nil {
		return err
	}
	hints, err := s.notebook.hints()
	if err != nil {
		s.remark("The number of hints is not known: %v.", err)
	}
	file := reportFile{
		Schema: "turnstile.report", Version: reportVersion,
		System: runtime.GOOS + "/" + runtime.GOARCH, Answer: "learner", Exercises: []exerciseReport{},
	}
	if s.options.reference {
		file.Answer = "reference"
	}
	for i, result := range results {
		r := reportExercise(exercises[i], result)
		r.Changed, r.Hints = !s.options.reference && !s.isUntouched(exercises[i]), hints[r.Name]
		file.Exercises = append(file.Exercises, r)
	}
	encoder := json.NewEncoder(s.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(file)
}

func reportExercise(e *curriculum.Exercise, result *gotest.Result) exerciseReport {
	r := exerciseReport{
		Name: e.ID, Number: e.Number, Title: e.Title, Status: statusName(result.Status),
		Tests: []testReport{}, Message: result.Reason, Seconds: result.Elapsed.Seconds(),
	}
	if len(result.CompilerLines) > 0 {
		r.Message = strings.Join(result.CompilerLines, "\n")
	}
	for i, failure := range result.Failures() {
		if i == 0 && r.Message == "" {
			r.Message = failure.Message()
		}
	}
	for _, test := range result.Tests {
		t := testReport{Name: test.Name, Status: statusName(test.Status), Seconds: test.Elapsed.Seconds()}
		switch test.Status {
		case gotest.Skipped:
			t.Message = test.SkipReason
		case gotest.Failed, gotest.Broken:
			t.Message = test.Message()
		}
		r.Tests = append(r.Tests, t)
	}
	return r
}

// statusName is a status as the schema names it: one word.
func statusName(status gotest.Status) string {
	return strings.ReplaceAll(string(status), " ", "_")
}
