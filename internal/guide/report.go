package guide

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/atomicfile"
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
	Learners  []learnerReport  `json:"learners,omitempty"`
	Unknown   []string         `json:"unknown"`
}

// A learnerReport is the report on the answers in one learner's directory.
type learnerReport struct {
	Directory string           `json:"directory"` // as the command line names it
	Problem   string           `json:"problem"`   // why Exercises is empty; "" otherwise
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
func (s *session) report(ctx context.Context) error {
	if s.options.json == s.options.junit {
		return &usageError{fmt.Sprintf("report writes for programs: `%s`, or --junit in its place. For you there is `%s`.",
			s.command("report --json"), s.command("list"))}
	}
	encode, ending := encodeJSON, ".json"
	if s.options.junit {
		encode, ending = encodeJUnit, ".xml"
	}
	if err := s.checkOutput(ending); err != nil {
		return err
	}
	exercises, directories, err := s.reportOperands()
	if err != nil {
		return err
	}
	file := reportFile{
		Schema: "turnstile.report", Version: reportVersion,
		System: runtime.GOOS + "/" + runtime.GOARCH, Answer: "learner", Exercises: []exerciseReport{}, Unknown: unknown(len(directories) > 0),
	}
	if s.options.reference {
		file.Answer = "reference"
	}
	if len(directories) > 0 {
		file.Learners, err = s.reportLearners(ctx, exercises, directories)
	} else {
		file.Exercises, err = s.reportOwn(ctx, exercises)
	}
	if err != nil {
		return err
	}
	text, err := encode(file)
	if err != nil {
		return err
	}
	return s.deliver(text)
}

func encodeJSON(file reportFile) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(file)
	return text.Bytes(), err
}

// checkOutput refuses a name for -o that does not end as such files do. A shell makes `-o *.json` to one name for the output and the
// rest for the input: the first learner's report would be overwritten by the page on all.
func (s *session) checkOutput(ending string) error {
	if s.options.output != "" && !strings.EqualFold(filepath.Ext(s.options.output), ending) {
		return &usageError{fmt.Sprintf("-o %s: the name must end in %s.", s.options.output, ending)}
	}
	return nil
}

// deliver writes what a verb has made to standard output, or in one step to the file of -o.
func (s *session) deliver(content []byte) error {
	if s.options.output == "" {
		_, err := s.Out.Write(content)
		return err
	}
	path := s.absolute(s.options.output)
	if err := atomicfile.Replace(path, content); err != nil {
		// Not %w: explain would take a missing directory for a damaged workbook.
		return fmt.Errorf("write %s: %v; name a file in a directory that exists and that you may write", s.path(path), err)
	}
	s.remark("Written to %s.", s.path(path))
	return nil
}

// unknown lists what a report does not know.
func unknown(graded bool) []string {
	list := []string{
		"whether the code is the learner's own work",
		"how often a test that passes would fail: each was run once, without the race detector",
		"what was skipped on this system",
	}
	if graded {
		return append(list, "whether the code deceives the tests: it runs in one process with them",
			"how many hints were shown: 0 stands for every learner")
	}
	return append(list, "whether the tests of this directory were edited; for graders there is report --json DIR")
}

// reportOperands sorts the operands into exercises, all if none is named, and directories of learners.
func (s *session) reportOperands() (exercises []*curriculum.Exercise, directories []string, err error) {
	for _, word := range s.options.operands {
		if s.isOutside(word) {
			directories = append(directories, word)
			continue
		}
		e, err := s.findNamed(word)
		if err != nil {
			if strings.ContainsAny(word, `/\`) {
				directories = append(directories, word) // it does not exist: its entry says so, and stops no other
				continue
			}
			return nil, nil, err
		}
		exercises = append(exercises, e)
	}
	if len(exercises) == 0 {
		exercises = s.book.Exercises
	}
	if s.options.reference && len(directories) > 0 {
		return nil, nil, &usageError{"The reference is not in a learner's directory: leave out -solution or the directories."}
	}
	return exercises, directories, nil
}

// isOutside reports whether word is the path of a directory that is not one of this workbook's exercises.
func (s *session) isOutside(word string) bool {
	path := s.absolute(word)
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	_, err = s.book.Find(path)
	return err != nil
}

func (s *session) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(s.Folder, filepath.FromSlash(path))
}

func (s *session) reportOwn(ctx context.Context, exercises []*curriculum.Exercise) ([]exerciseReport, error) {
	results, err := s.testAll(ctx, exercises, fresh)
	if err != nil {
		return nil, err
	}
	hints, err := s.notebook.hints()
	if err != nil {
		s.remark("The number of hints is not known: %v.", err)
	}
	var reports []exerciseReport
	for i, result := range results {
		r := reportExercise(exercises[i], result)
		r.Changed = !s.options.reference && !s.isUntouched(exercises[i])
		for key, count := range hints {
			if id, _, _ := strings.Cut(key, "/"); id == r.Name {
				r.Hints += count
			}
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// reportLearners runs this clone's tests over the answers in each of the directories. What is wrong with one stops no other.
func (s *session) reportLearners(ctx context.Context, exercises []*curriculum.Exercise, directories []string) ([]learnerReport, error) {
	if err := s.fetch(ctx); err != nil {
		return nil, err
	}
	reports := []learnerReport{}
	for i, directory := range directories {
		report, err := s.reportLearner(ctx, exercises, directory, fmt.Sprintf("%d of %d: %s", i+1, len(directories), directory))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, gotest.ErrModulesMissing) {
			return nil, err // every learner's run would fail the same way
		}
		if err != nil {
			report = learnerReport{Problem: plain(err.Error()), Exercises: []exerciseReport{}}
		}
		report.Directory = directory
		reports = append(reports, report)
	}
	return reports, nil
}

func (s *session) reportLearner(ctx context.Context, exercises []*curriculum.Exercise, directory, what string) (learnerReport, error) {
	home, err := learnersHome(s.absolute(directory), exercises)
	if err != nil {
		return learnerReport{}, err
	}
	report := learnerReport{Exercises: make([]exerciseReport, len(exercises))}
	answers := map[string]answer.Answer{}
	var whole []*curriculum.Exercise
	for i, e := range exercises {
		code, err := readForeign(filepath.Join(home, e.ID))
		if err != nil {
			report.Exercises[i] = reportExercise(e, &gotest.Result{Status: damaged, Reason: err.Error()})
			report.Exercises[i].Changed = true
			continue
		}
		answers[e.ID] = code
		whole = append(whole, e)
	}
	w := s.working("running the tests on %s", what)
	results, err := gotest.Tests{Env: offline, Stall: stall(), Progress: w.saw, Answers: s.withFoundations(home, answers)}.DoAll(ctx, whole)
	w.end()
	if err != nil {
		return learnerReport{}, err
	}
	for i, e := range exercises {
		for j, tested := range whole {
			if tested == e {
				report.Exercises[i] = reportExercise(e, results[j])
				report.Exercises[i].Changed = !withoutBOM(answers[e.ID]).Equal(s.files(e).shipped)
			}
		}
	}
	return report, nil
}

// withFoundations adds to the answers those to the other exercises, which the ones asked for may import.
func (s *session) withFoundations(home string, answers map[string]answer.Answer) map[string]answer.Answer {
	for _, e := range s.book.Exercises {
		if answers[e.ID] != nil {
			continue
		}
		if code, err := readForeign(filepath.Join(home, e.ID)); err == nil {
			answers[e.ID] = code
		} else {
			answers[e.ID] = s.files(e).shipped
		}
	}
	return answers
}

// learnersHome returns the directory that holds the directories of exercises: DIR/exercises of a clone, or DIR itself.
func learnersHome(directory string, exercises []*curriculum.Exercise) (string, error) {
	if _, err := os.ReadDir(directory); err != nil {
		return "", err
	}
	for _, home := range []string{filepath.Join(directory, "exercises"), directory} {
		for _, e := range exercises {
			if info, err := os.Stat(filepath.Join(home, e.ID)); err == nil && info.IsDir() {
				return home, nil
			}
		}
	}
	return "", fmt.Errorf("%s holds no directory of an exercise: neither exercises/%s nor %[2]s", directory, exercises[0].ID)
}

// mostForeign is the size up to which a file is taken for code.
const mostForeign = 1 << 20

// readForeign reads the answer files in a directory that another person has filled: regular files only, of a sensible size.
func readForeign(directory string) (answer.Answer, error) {
	names, err := answer.Files(directory)
	if err != nil {
		return nil, err
	}
	code := answer.Answer{}
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(directory, name))
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || info.Size() > mostForeign {
			return nil, fmt.Errorf("%s is not a file of up to 1 MB", name)
		}
		text, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			return nil, err
		}
		code[name] = answer.LF(text)
	}
	if len(code) == 0 {
		return nil, fmt.Errorf("there is no .go file in %s", filepath.Base(directory))
	}
	return code, nil
}

func reportExercise(e *curriculum.Exercise, result *gotest.Result) exerciseReport {
	r := exerciseReport{
		Name: e.ID, Number: e.Number, Title: e.Title, Status: statusName(result.Status),
		Tests: []testReport{}, Message: result.Reason, Seconds: result.Elapsed.Seconds(),
	}
	if len(result.CompilerLines) > 0 {
		r.Message = strings.Join(result.CompilerLines, "\n")
	}
	if failures := result.Failures(); len(failures) > 0 && r.Message == "" {
		r.Message = failures[0].Message()
	}
	r.Message = plain(r.Message)
	for _, test := range result.Tests {
		t := testReport{Name: plain(test.Name), Status: statusName(test.Status), Seconds: test.Elapsed.Seconds()}
		switch test.Status {
		case gotest.Skipped:
			t.Message = plain(test.SkipReason)
		case gotest.Failed, gotest.Broken:
			t.Message = plain(test.Message())
		}
		r.Tests = append(r.Tests, t)
	}
	return r
}

// plain leaves out what would turn the order of letters round on a grader's screen. JSON itself keeps other control characters harmless.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// statusName is a status as the schema names it: one word.
func statusName(status gotest.Status) string {
	if status == damaged {
		status = gotest.Broken
	}
	return strings.ReplaceAll(string(status), " ", "_")
}
