package guide

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// A standing is what is known of one exercise.
type standing struct {
	exercise  *curriculum.Exercise
	untouched bool           // the code is as it was shipped
	result    *gotest.Result // nil where the tests were not asked
}

// done reports whether the learner may go on: the tests pass, or there are none for this system.
func (st standing) done() bool { return st.result != nil && isDone(st.result) }

func isDone(r *gotest.Result) bool {
	return r.Status == gotest.Passed || r.Status == gotest.Skipped
}

// offline keeps go from reaching for the network: a missing module is then reported at once, not after a time limit.
var offline = []string{"GOPROXY=off"}

// find returns the exercise that the command line names, nil if it names none.
func (s *session) find() (*curriculum.Exercise, error) {
	if len(s.options.operands) == 0 {
		return nil, nil
	}
	return s.book.Find(s.options.operands[0])
}

// onExercise makes a verb of what is done to one exercise: the one that the command line names or the next.
func onExercise(do func(*session, *standing) error) func(*session) error {
	return func(s *session) error {
		st, err := s.findOrNext()
		if err != nil {
			return err
		}
		if st == nil {
			return s.congratulate()
		}
		return do(s, st)
	}
}

// findOrNext returns the standing of the exercise that the command line names or, without one, of the first unfinished.
// It runs the tests only in the latter case. nil means that all exercises are done.
func (s *session) findOrNext() (*standing, error) {
	e, err := s.find()
	if err != nil {
		return nil, err
	}
	if e != nil {
		return &standing{exercise: e, untouched: s.isUntouched(e)}, nil
	}
	_, next, err := s.firstUnfinished()
	return next, err
}

// answer returns what is to be tested: the reference or, as nil, the learner's files where they are.
func (s *session) answer(e *curriculum.Exercise) (answer.Answer, error) {
	if s.options.reference {
		return answer.Reference(e)
	}
	_, err := answer.Learner(e) // go would say it in its own words
	return nil, err
}

// isUntouched reports whether the learner has not begun: the code is as it was shipped. Where that cannot be told the
// answer is no, and the tests decide.
func (s *session) isUntouched(e *curriculum.Exercise) bool {
	if s.options.reference {
		return false
	}
	learner, err := answer.Learner(e)
	if err != nil {
		return false
	}
	shipped, err := answer.AsShipped(e)
	return err == nil && learner.Equal(shipped)
}

// test runs the tests of one exercise now.
func (s *session) test(e *curriculum.Exercise) (*gotest.Result, error) {
	code, err := s.answer(e)
	if err != nil {
		return nil, err
	}
	return gotest.Tests{Exercise: e, Answer: code, Env: offline}.Do(s.ctx)
}

// testAll runs the tests of several exercises, the learner's in one go command. Where nothing changed since they passed,
// go answers from its test cache unless fresh is set.
func (s *session) testAll(exercises []*curriculum.Exercise, fresh bool) ([]*gotest.Result, error) {
	if !s.options.reference {
		for _, e := range exercises {
			if _, err := s.answer(e); err != nil {
				return nil, err
			}
		}
		return gotest.Tests{Env: offline, Cached: !fresh}.DoAll(s.ctx, exercises)
	}
	var results []*gotest.Result
	for _, e := range exercises {
		code, err := answer.Reference(e)
		if err != nil {
			return nil, err
		}
		result, err := gotest.Tests{Exercise: e, Answer: code, Env: offline, Cached: !fresh}.Do(s.ctx)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

// firstUnfinished returns the first exercise whose tests do not pass, with what they say, and the one before it. next is
// nil when all are done. It asks the exercises that the learner has begun together, and an untouched one only when
// everything before it is done.
func (s *session) firstUnfinished() (previous, next *standing, err error) {
	defer s.working("looking for your next exercise")()
	for rest := s.book.Exercises; len(rest) > 0; {
		begun := slices.IndexFunc(rest, s.isUntouched)
		untouched := begun == 0
		switch begun {
		case 0:
			begun = 1
		case -1:
			begun = len(rest)
		}
		results, err := s.testAll(rest[:begun], false)
		if err != nil {
			return nil, nil, err
		}
		for i, result := range results {
			st := &standing{exercise: rest[i], untouched: untouched, result: result}
			if !st.done() {
				return previous, st, nil
			}
			previous = st
		}
		rest = rest[begun:]
	}
	return previous, nil, nil
}

// foundations returns the earlier exercises that e builds on, directly or through others, by number.
func (s *session) foundations(e *curriculum.Exercise) []*curriculum.Exercise {
	needed := map[string]bool{e.ID: true}
	for _, other := range slices.Backward(s.book.Exercises) {
		if needed[other.ID] {
			for _, id := range other.BuildsOn {
				needed[id] = true
			}
		}
	}
	var found []*curriculum.Exercise
	for _, other := range s.book.Exercises {
		if needed[other.ID] && other.Number < e.Number {
			found = append(found, other)
		}
	}
	return found
}

// unfinishedFoundations returns those exercises that e builds on and that are not done. The untouched ones are known
// without a test. Of the others, those whose code e imports are asked if ask is set: only they can make e fail, and asking
// takes a go command more.
func (s *session) unfinishedFoundations(e *curriculum.Exercise, ask bool) []*curriculum.Exercise {
	if s.options.reference {
		return nil // the reference builds on the reference
	}
	var unfinished, begun []*curriculum.Exercise
	imported := s.imported(e)
	for _, other := range s.foundations(e) {
		if s.isUntouched(other) {
			unfinished = append(unfinished, other)
		} else if imported[other.ID] {
			begun = append(begun, other)
		}
	}
	if ask && len(begun) > 0 {
		// An error here has nothing to do with e: the learner meets it when they check that exercise.
		results, _ := s.testAll(begun, false)
		for i, result := range results {
			if !isDone(result) {
				unfinished = append(unfinished, begun[i])
			}
		}
	}
	slices.SortFunc(unfinished, func(a, b *curriculum.Exercise) int { return a.Number - b.Number })
	return unfinished
}

// imported tells by ID which earlier exercises the code and the tests of e import, directly or through others.
func (s *session) imported(e *curriculum.Exercise) map[string]bool {
	imported := map[string]bool{e.ID: true}
	for _, other := range slices.Backward(s.book.Exercises) {
		if !imported[other.ID] {
			continue
		}
		for _, id := range importsOf(other) {
			imported[id] = true
		}
	}
	return imported
}

var exerciseImport = regexp.MustCompile(`"` + regexp.QuoteMeta(curriculum.ModulePath) + `/exercises/([0-9]{2}_[a-z0-9_]+)[/"]`)

// importsOf returns the IDs of the exercises that the Go files in the exercise's folder name as imports. A file that
// cannot be read imports nothing: it fails elsewhere.
func importsOf(e *curriculum.Exercise) []string {
	files, _ := filepath.Glob(filepath.Join(e.Folder(), "*.go")) // the pattern is well formed, or matches nothing
	var ids []string
	for _, file := range files {
		code, _ := os.ReadFile(file)
		for _, m := range exerciseImport.FindAllSubmatch(code, -1) {
			ids = append(ids, string(m[1]))
		}
	}
	return ids
}

// title is how an exercise is called on the screen: "03 · Seek and truncate".
func title(e *curriculum.Exercise) string { return fmt.Sprintf("%s · %s", e.ID[:2], e.Title) }

// minutes says how long an exercise takes, "" if its page does not tell.
func minutes(e *curriculum.Exercise) string {
	if e.ReadMinutes+e.DoMinutes == 0 {
		return ""
	}
	return fmt.Sprintf("%d minutes to read, %d to do", e.ReadMinutes, e.DoMinutes)
}

// editPlace returns where to edit: the TODO in the function that the message speaks of, that function itself, or all places
// where the learner's code still says TODO. Where none is left, they are the files that had one as shipped.
func (s *session) editPlace(e *curriculum.Exercise, message string) string {
	code, err := answer.Learner(e)
	if err != nil {
		return s.path(e.Folder())
	}
	at := func(name string, line int) string {
		return fmt.Sprintf("%s:%d", s.path(filepath.Join(e.Folder(), name)), line)
	}
	for _, name := range code.Names() {
		if line := functionPlace(string(code[name]), message); line > 0 {
			return at(name, line)
		}
	}
	var places []string
	for _, name := range code.Names() {
		if line := todoLine(strings.Split(string(code[name]), "\n")); line > 0 {
			places = append(places, at(name, line))
		}
	}
	if len(places) == 0 {
		for _, name := range filesToEdit(e, code) {
			places = append(places, s.path(filepath.Join(e.Folder(), name)))
		}
	}
	return strings.Join(places, ", ")
}

// filesToEdit returns the names of the answer files that say TODO as shipped; all, where that cannot be told.
func filesToEdit(e *curriculum.Exercise, code answer.Answer) []string {
	shipped, err := answer.AsShipped(e)
	if err != nil {
		return code.Names()
	}
	names := slices.DeleteFunc(shipped.Names(), func(name string) bool {
		return todoLine(strings.Split(string(shipped[name]), "\n")) == 0
	})
	if len(names) == 0 {
		return code.Names()
	}
	return names
}

var functionHead = regexp.MustCompile(`^func (?:\([^)]*\) )?([A-Z]\w*)`)

// functionPlace returns the line of the exported function that message names first, or of the TODO in it; 0 if the code
// has none of that name.
func functionPlace(code, message string) int {
	lines := strings.Split(code, "\n")
	words := wordForm.FindAllString(message, -1)
	for _, word := range words {
		for i, line := range lines {
			if m := functionHead.FindStringSubmatch(line); m == nil || m[1] != word {
				continue
			}
			end := slices.Index(lines[i:], "}") // gofmt puts the end of a function at the margin
			if todo := todoLine(lines[i : i+max(end, 1)]); todo > 0 {
				return i + todo
			}
			return i + 1
		}
	}
	return 0
}

var wordForm = regexp.MustCompile(`\w+`)

// todoLine returns the number of the first line with a TODO comment, counted from 1; 0 if there is none.
func todoLine(lines []string) int {
	return 1 + slices.IndexFunc(lines, func(line string) bool {
		_, comment, found := strings.Cut(line, "//")
		return found && strings.Contains(comment, "TODO")
	})
}

// readPlace turns the last line of a failure message (`lessons/05_lost_update, "Why it happens"`) into a path that an
// editor opens at the section. A text in another form is returned as it is.
func (s *session) readPlace(read string) (place, section string) {
	folder, quoted, _ := strings.Cut(read, ", ")
	page := filepath.Join(s.book.Root, filepath.FromSlash(strings.TrimSuffix(folder, "/")), "README.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return read, ""
	}
	place = s.path(page)
	section = strings.Trim(quoted, `"`)
	for i, line := range strings.Split(string(text), "\n") {
		heading := strings.TrimLeft(strings.TrimSpace(line), "#")
		if section != "" && heading != line && strings.TrimSpace(heading) == section {
			return fmt.Sprintf("%s:%d", place, i+1), section
		}
	}
	return place, section
}

// exists reports whether an exercise has the file or folder that a row is about to name.
func exists(e *curriculum.Exercise, name string) bool {
	_, err := os.Stat(filepath.Join(e.Folder(), name))
	return err == nil
}
