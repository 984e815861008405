// Sitedata prints, as one JSON document, what the documentation site needs to know of the workbook and what Go code already reads: the
// heads of the lessons, the tests with their lines, the wrong answers, the systems that a Go file is for.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"example/turnstile/docs/tools/textcheck"
	"example/turnstile/docs/tools/tree"
	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// systems are those that the site names, in its order.
var systems = []string{"linux", "darwin", "freebsd", "windows"}

type workbook struct {
	Parts []part `json:"parts"`
	// Files are all files of the repository.
	Files []string `json:"files"`
	// Systems are the systems that a Go file of the rooms is built for.
	Systems map[string][]string `json:"systems"`
	// Tests are the tests of a file, by its path.
	Tests map[string][]test `json:"tests"`
}

type part struct {
	Name    string   `json:"name"`
	Lessons []lesson `json:"lessons"`
}

type lesson struct {
	ID       string   `json:"id"`
	Number   string   `json:"number"`
	Title    string   `json:"title"`
	Promise  string   `json:"promise"`
	Read     int      `json:"read"`
	Do       int      `json:"do"`
	BuildsOn []string `json:"buildsOn"`
	Answers  []string `json:"answers"`
	Wrong    []wrong  `json:"wrong"`
}

type wrong struct {
	Name     string   `json:"name"`
	Sentence string   `json:"sentence"`
	Says     string   `json:"says"`
	OnlyOn   []string `json:"onlyOn"`
	CaughtBy string   `json:"caughtBy"`
	// File and Path are the test that catches it; of a subtest with a computed name, the test around it.
	File string `json:"file"`
	Path string `json:"path"`
}

type test struct {
	Path  string `json:"path"` // "TestHole/a hole reads as zeros"
	Name  string `json:"name"` // "a hole reads as zeros"
	Line  int    `json:"line"`
	Group bool   `json:"group"` // its subtests are the claims
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "sitedata:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	book, err := curriculum.Open(".")
	if err != nil {
		return err
	}
	if err := errors.Join(book.Problems...); err != nil {
		return fmt.Errorf("read the lessons: %w", err)
	}
	w := workbook{Systems: make(map[string][]string), Tests: make(map[string][]test)}
	if w.Files, err = tree.Files(ctx, book.Root); err != nil {
		return err
	}
	for _, name := range w.Files {
		if room, _, _ := strings.Cut(name, "/"); path.Ext(name) == ".go" && (room == "lessons" || room == "exercises") {
			if w.Systems[name], err = systemsOf(book.Root, name); err != nil {
				return err
			}
		}
	}
	for _, p := range book.Parts {
		read := part{Name: p.Name}
		for _, e := range p.Exercises {
			l, err := w.lesson(e)
			if err != nil {
				return err
			}
			read.Lessons = append(read.Lessons, l)
		}
		w.Parts = append(w.Parts, read)
	}
	return json.NewEncoder(os.Stdout).Encode(w)
}

func systemsOf(root, name string) ([]string, error) {
	var built []string
	for _, system := range systems {
		target := build.Default
		target.GOOS, target.GOARCH, target.CgoEnabled = system, "amd64", false
		matches, err := target.MatchFile(filepath.Join(root, filepath.FromSlash(path.Dir(name))), path.Base(name))
		if err != nil {
			return nil, fmt.Errorf("read the build constraints of %s: %w", name, err)
		}
		if matches {
			built = append(built, system)
		}
	}
	return built, nil
}

// lesson reads one lesson, and adds its tests and those of its exercise to the workbook's.
func (w *workbook) lesson(e *curriculum.Exercise) (lesson, error) {
	l := lesson{
		ID: e.ID, Number: e.ID[:2], Title: e.Title, Promise: e.Promise, Read: e.ReadMinutes, Do: e.DoMinutes, BuildsOn: e.BuildsOn,
	}
	facts, err := textcheck.Facts(e.Root, e.ID)
	if err != nil {
		return lesson{}, err
	}
	w.add(facts)
	tests, err := textcheck.Tests(e.Root, path.Join("exercises", e.ID))
	if err != nil {
		return lesson{}, err
	}
	w.add(tests)
	reference, err := answer.Reference(e)
	if err != nil {
		return lesson{}, err
	}
	l.Answers = reference.Names()
	patches, err := answer.Wrong(e)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil // a lesson under way
	}
	if err != nil {
		return lesson{}, err
	}
	for _, patch := range patches {
		found := wrong{
			Name: path.Base(patch.Name), Sentence: patch.Sentence, Says: patch.Says, OnlyOn: patch.OnlyOn, CaughtBy: patch.CaughtBy,
		}
		for _, candidate := range tests {
			name := strings.ReplaceAll(candidate.Path, " ", "_") // as go test writes it
			if name == patch.CaughtBy || strings.HasPrefix(patch.CaughtBy, name+"/") && len(candidate.Path) > len(found.Path) {
				found.File, found.Path = candidate.File, candidate.Path
			}
		}
		if found.File == "" {
			return lesson{}, fmt.Errorf("%s/%s is caught by %s: no such test in %s", e.ID, patch.Name, patch.CaughtBy, e.Folder())
		}
		l.Wrong = append(l.Wrong, found)
	}
	return l, nil
}

func (w *workbook) add(facts []*textcheck.Fact) {
	for _, fact := range facts {
		w.Tests[fact.File] = append(w.Tests[fact.File], test{Path: fact.Path, Name: fact.Name, Line: fact.Line, Group: fact.HasFacts})
	}
}
