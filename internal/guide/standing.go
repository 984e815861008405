package guide

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// A standing is what is known of one exercise.
type standing struct {
	exercise  *curriculum.Exercise
	untouched bool           // the code is as it was shipped
	result    *gotest.Result // nil where the tests were not run
}

// done reports whether the learner may go on: the tests pass, or there are none for this system.
func (st standing) done() bool { return st.result != nil && isDone(st.result) }

func isDone(r *gotest.Result) bool {
	return r.Status == gotest.Passed || r.Status == gotest.Skipped
}

// find returns the exercise that the command line names, nil if it names none.
func (s *session) find() (*curriculum.Exercise, error) {
	if len(s.options.operands) == 0 {
		return nil, nil
	}
	return s.findNamed(s.options.operands[0])
}

// findNamed returns the exercise that a word names. A path is one from where the learner is: "." or a file's name, too.
func (s *session) findNamed(word string) (*curriculum.Exercise, error) {
	path := word
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.Folder, filepath.FromSlash(word))
	}
	if _, err := os.Stat(path); err == nil {
		if e, err := s.book.Find(path); err == nil {
			return e, nil
		}
	}
	return s.book.Find(word)
}

// onExercise makes a verb of what is done to one exercise: the one that the command line names or the next.
func onExercise(do func(*session, context.Context, *standing) error) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		st, err := s.findOrNext(ctx)
		if err != nil {
			return err
		}
		if st == nil {
			return s.congratulate(ctx)
		}
		return do(s, ctx, st)
	}
}

// findOrNext returns the standing of the exercise that the command line names or, without one, of the first unfinished.
// It runs the tests only in the latter case. nil means that all exercises are done.
func (s *session) findOrNext(ctx context.Context) (*standing, error) {
	e, err := s.find()
	if err != nil {
		return nil, err
	}
	if e != nil {
		return &standing{exercise: e, untouched: s.isUntouched(e)}, nil
	}
	_, next, err := s.firstUnfinished(ctx)
	return next, err
}

// firstUnfinished returns the first exercise whose tests do not pass, with what they say, and the one before it. next is
// nil when all are done. It runs those of the exercises that the learner has begun together, and an untouched one only when
// everything before it is done.
func (s *session) firstUnfinished(ctx context.Context) (previous, next *standing, err error) {
	for rest := s.book.Exercises; len(rest) > 0; {
		begun := slices.IndexFunc(rest, s.isUntouched)
		untouched := begun == 0
		switch begun {
		case 0:
			begun = 1
		case -1:
			begun = len(rest)
		}
		results, err := s.testAll(ctx, rest[:begun], cached)
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
// without a test. Of the others, those whose code e imports are tested if ask is set: only they can make e fail, and testing them
// takes a go command more.
func (s *session) unfinishedFoundations(ctx context.Context, e *curriculum.Exercise, ask bool) []*curriculum.Exercise {
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
		results, _ := s.testAll(ctx, begun, cached)
		for i, result := range results {
			if !isDone(result) {
				unfinished = append(unfinished, begun[i])
			}
		}
	}
	slices.SortFunc(unfinished, func(a, b *curriculum.Exercise) int { return a.Number - b.Number })
	return unfinished
}

// imported returns by ID which earlier exercises the code and the tests of e import, directly or through others.
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

// importsOf returns the IDs of the exercises that the Go files in the exercise's directory name as imports. A file that
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

// minutes says how long an exercise takes, "" if its page does not say.
func minutes(e *curriculum.Exercise) string {
	if e.ReadMinutes+e.DoMinutes == 0 {
		return ""
	}
	return fmt.Sprintf("%d minutes to read, %d to do", e.ReadMinutes, e.DoMinutes)
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
