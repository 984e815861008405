package guide

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// files are what an exercise's directory shows without a test, read once in a session.
type files struct {
	learner   answer.Answer // empty if it could not be read
	shipped   answer.Answer // empty if it is not known
	untouched bool          // the learner has not begun
	// damage is one sentence on why the tests cannot be run, "" if they can; err is the error behind it, if there is one.
	damage string
	err    error
}

// files returns what the exercise's directory shows.
func (s *session) files(e *curriculum.Exercise) *files {
	if known := s.seen[e]; known != nil {
		return known
	}
	f := &files{}
	s.seen[e] = f
	f.learner, f.err = answer.Learner(e)
	// Where the code as shipped is not known the learner has begun, and the tests decide.
	if shipped, err := answer.AsShipped(e); err == nil {
		f.shipped = shipped
		f.untouched = f.err == nil && withoutBOM(f.learner).Equal(shipped)
	}
	f.damage = s.damage(e, f)
	f.untouched = f.untouched && f.damage == ""
	return f
}

// forget makes the session read the exercises again.
func (s *session) forget() { clear(s.seen) }

// isUntouched reports whether the learner has not begun: the code is as it was shipped.
func (s *session) isUntouched(e *curriculum.Exercise) bool {
	return !s.options.reference && s.files(e).untouched
}

// withoutBOM returns the answer without the mark that some editors put before the first byte: the learner did not type it.
func withoutBOM(a answer.Answer) answer.Answer {
	b := answer.Answer{}
	for name, text := range a {
		b[name] = bytes.TrimPrefix(text, []byte("\uFEFF"))
	}
	return b
}

// damage says why the tests of an exercise cannot be run, "" if they can.
func (s *session) damage(e *curriculum.Exercise, f *files) string {
	if module := filepath.Join(e.Folder(), "go.mod"); isFile(module) {
		return fmt.Sprintf("%s makes this directory a module of its own, which the workbook does not see. Remove it; `%s` does so and "+
			"keeps a copy.",
			s.path(module), s.command("reset "+number(e)))
	}
	if !hasTests(e) {
		return fmt.Sprintf("Its tests are missing: %s holds no file named *_test.go. Get them back from a fresh copy of the workbook "+
			"(with git: `git checkout -- %s`).", s.path(e.Folder()), s.path(e.Folder()))
	}
	if s.options.reference || f.err == nil {
		return ""
	}
	if errors.Is(f.err, fs.ErrNotExist) {
		names := "its .go files"
		if len(f.shipped) > 0 {
			names = strings.Join(f.shipped.Names(), ", ")
		}
		return fmt.Sprintf("The code is missing: %s holds no %s. `%s` brings it back as it was shipped.", s.path(e.Folder()), names,
			s.command("reset "+number(e)))
	}
	return s.explainTrouble(f.err)
}

// lost returns the answer files that the exercise was shipped with and that are gone, though others are left.
func (f *files) lost() []string {
	if len(f.learner) == 0 {
		return nil
	}
	return slices.DeleteFunc(f.shipped.Names(), func(name string) bool { _, there := f.learner[name]; return there })
}

func isFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && !info.IsDir()
}

// hasTests reports whether there is a test file; a directory that cannot be read may hold one.
func hasTests(e *curriculum.Exercise) bool {
	entries, err := os.ReadDir(e.Folder())
	return err != nil && !errors.Is(err, fs.ErrNotExist) ||
		slices.ContainsFunc(entries, func(entry fs.DirEntry) bool { return strings.HasSuffix(entry.Name(), "_test.go") })
}

// troubles says what is wrong in the learner's files that do not compile, where go's own message is not clear.
func (s *session) troubles(e *curriculum.Exercise, compilerLines []string) []string {
	f := s.files(e)
	var found []string
	for _, name := range f.lost() {
		found = append(found, fmt.Sprintf("%s is missing, with which the exercise was shipped: `%s` brings all files back and keeps a "+
			"copy of yours.",
			s.path(filepath.Join(e.Folder(), name)), s.command("reset "+number(e))))
	}
	for _, name := range f.learner.Names() {
		if line := conflictMark(f.learner[name]); line > 0 {
			found = append(found, fmt.Sprintf("%s:%d: git has left the marks of a conflict there: keep one of the two versions, and remove the "+
				"lines that begin with <<<<<<<, ======= and >>>>>>>.", s.path(filepath.Join(e.Folder(), name)), line))
		}
	}
	if slices.ContainsFunc(compilerLines, func(line string) bool { return strings.Contains(line, "multiple definitions of TestMain") }) {
		found = append(found, fmt.Sprintf("Two test files declare TestMain (%s), and a package may have one: remove it from the one that "+
			"you added.",
			strings.Join(filesWith(e, "func TestMain("), ", ")))
	}
	return found
}

// conflictMark returns the number of the first line that begins a conflict, counted from 1; 0 if there is none.
func conflictMark(text []byte) int {
	return 1 + slices.IndexFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.HasPrefix(line, "<<<<<<< ") })
}

// filesWith returns the names of the exercise's test files that hold the text.
func filesWith(e *curriculum.Exercise, text string) []string {
	paths, _ := filepath.Glob(filepath.Join(e.Folder(), "*_test.go")) // the pattern is well formed, or matches nothing
	var names []string
	for _, path := range paths {
		if content, err := os.ReadFile(path); err == nil && bytes.Contains(content, []byte(text)) {
			names = append(names, filepath.Base(path))
		}
	}
	return names
}
