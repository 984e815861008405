package overlay

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// Foundations returns the lessons that an answer to the exercise builds on, and those that they build on, by number: all that the
// answer, the references, the tests, the race demos and the given packages import. Only Root and ID of each are set.
//
// What a lesson's page names after "Builds on" does not count: it is about ideas, and go compiles imports. A lesson without a reference is
// left out: the compiler says what is missing.
func Foundations(e *curriculum.Exercise, a answer.Answer) ([]*curriculum.Exercise, error) {
	var found []*curriculum.Exercise
	wanted, err := neededBy(e, a)
	for known := map[string]bool{e.ID: true}; err == nil && len(wanted) > 0; {
		id := wanted[0]
		wanted = wanted[1:]
		if known[id] {
			continue
		}
		known[id] = true
		f := &curriculum.Exercise{Root: e.Root, ID: id}
		var reference answer.Answer
		reference, err = answer.Reference(f)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
			continue
		}
		if err == nil {
			var more []string
			more, err = neededBy(f, reference)
			found, wanted = append(found, f), append(wanted, more...)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find what an answer to %s builds on: %w", e.ID, err)
	}
	slices.SortFunc(found, func(a, b *curriculum.Exercise) int { return strings.Compare(a.ID, b.ID) })
	return found, nil
}

// neededBy returns the IDs of the lessons that this one needs by itself.
func neededBy(e *curriculum.Exercise, a answer.Answer) ([]string, error) {
	var ids []string
	for _, text := range a {
		ids = append(ids, lessonsIn(text)...)
	}
	err := filepath.WalkDir(e.Folder(), func(path string, entry fs.DirEntry, err error) error {
		ofLearner := filepath.Dir(path) == e.Folder() && answer.IsFile(entry.Name())
		if err != nil || entry.IsDir() || ofLearner || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's temp file is gone again
		}
		ids = append(ids, lessonsIn(text)...)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // a lesson without an exercise: go says so
	}
	return ids, err
}

var ofLesson = regexp.MustCompile(`^` + regexp.QuoteMeta(curriculum.ModulePath) + `/(?:exercises|solutions)/([0-9]{2}_[a-z0-9_]+)(?:/|$)`)

// lessonsIn returns the IDs of the lessons whose packages a Go file imports. What cannot be parsed is the compiler's to report.
func lessonsIn(text []byte) []string {
	file, _ := parser.ParseFile(token.NewFileSet(), "", text, parser.ImportsOnly)
	var ids []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if m := ofLesson.FindStringSubmatch(path); err == nil && m != nil {
			ids = append(ids, m[1])
		}
	}
	return ids
}
