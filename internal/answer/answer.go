// Package answer holds what a learner, the reference, and every checked-in right and wrong answer have in common: files laid
// over an exercise, and patches that make one answer from another.
package answer

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example/turnstile/internal/atomicfile"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/udiff"
)

// An Answer is what a learner writes: the base name of each answer file, and its content with LF line endings.
//
// Answer files are the .go files directly in the exercise's directory that are not tests and that go does not ignore
// (a name that begins with a dot or an underscore).
type Answer map[string][]byte

// Equal reports whether both answers have the same files with the same content, whatever their line endings.
func (a Answer) Equal(b Answer) bool {
	return maps.EqualFunc(a, b, func(x, y []byte) bool { return bytes.Equal(LF(x), LF(y)) })
}

// Names returns the names of the answer's files in order.
func (a Answer) Names() []string { return slices.Sorted(maps.Keys(a)) }

// InExercises returns the answer as it must read below exercises/: solutions import solutions, exercises import exercises.
func (a Answer) InExercises() Answer {
	b := Answer{}
	for name, text := range a {
		b[name] = RenameImports(text, func(path string) string {
			if rest, isSolution := strings.CutPrefix(path, curriculum.ModulePath+"/solutions/"); isSolution {
				return curriculum.ModulePath + "/exercises/" + rest
			}
			return path
		})
		if bytes.Equal(b[name], text) {
			continue
		}
		if sorted, err := format.Source(b[name]); err == nil { // gofmt orders imports by their paths
			b[name] = sorted
		}
	}
	return b
}

// RenameImports returns the Go file with rename called on each import path, and everything else unchanged. What follows a mistake
// in the file's head is left alone: the compiler is to name the mistake.
func RenameImports(text []byte, rename func(path string) string) []byte {
	positions := token.NewFileSet()
	file, _ := parser.ParseFile(positions, "", text, parser.ImportsOnly) // not nil, even with an error
	var out []byte
	done := 0
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || rename(path) == path {
			continue
		}
		begin, end := positions.Position(spec.Path.Pos()).Offset, positions.Position(spec.Path.End()).Offset
		out = append(append(out, text[done:begin]...), strconv.Quote(rename(path))...)
		done = end
	}
	return append(out, text[done:]...)
}

var carriageReturns = regexp.MustCompile(`\r+(\n|$)`)

// LF gives every line of text an LF ending: a file that an editor or git has turned to CRLF is the same answer.
func LF(text []byte) []byte {
	if !bytes.Contains(text, []byte("\r")) {
		return text
	}
	return carriageReturns.ReplaceAll(text, []byte("$1"))
}

// Diff returns what changes from one answer to the other, as udiff.Diff. CRLF counts as LF.
func Diff(fromName, toName string, from, to Answer) []byte {
	return udiff.Diff(fromName, toName, clone(from), clone(to))
}

// Learner returns the answer that is in the exercise's directory now. A directory without answer files is an error that
// matches fs.ErrNotExist.
func Learner(e *curriculum.Exercise) (Answer, error) {
	a, err := Read(e.Folder())
	if err != nil {
		return nil, fmt.Errorf("read your code of %s: %w; `go run ./exercises reset %s` brings the files back", e.ID, err, e.ID[:2])
	}
	return a, nil
}

// Reference returns the answer in solutions/.
func Reference(e *curriculum.Exercise) (Answer, error) {
	a, err := Read(e.SolutionFolder())
	if err != nil {
		return nil, fmt.Errorf("read the reference answer of %s: %w; `git checkout solutions/%s` brings it back", e.ID, err, e.ID)
	}
	return a, nil
}

// AsShipped returns the answer as the workbook came: the reference with wrong/00_as_shipped.patch applied, importing exercises where the
// reference imports solutions.
func AsShipped(e *curriculum.Exercise) (Answer, error) {
	reference, err := Reference(e)
	if err != nil {
		return nil, err
	}
	patch, err := ReadPatch(filepath.Join(e.SolutionFolder(), "wrong", "00_as_shipped.patch"))
	if err != nil {
		return nil, fmt.Errorf("find %s as it was shipped: %w", e.ID, err)
	}
	shipped, err := patch.Apply(reference)
	if err != nil {
		return nil, err
	}
	return shipped.InExercises(), nil
}

// Read returns the answer files in any directory, CRLF turned into LF. None is an error that matches fs.ErrNotExist.
func Read(folder string) (Answer, error) {
	names, err := Files(folder)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, &fs.PathError{Op: "find a .go file in", Path: folder, Err: fs.ErrNotExist}
	}
	a := Answer{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		a[name] = LF(text)
	}
	return a, nil
}

// Files returns the names of the answer files in a directory, in order.
func Files(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if IsFile(entry.Name()) && !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// IsFile reports whether a file of that base name is an answer file.
func IsFile(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") &&
		!strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") &&
		!strings.ContainsAny(name, `/\:`)
}

// Write puts the answer in place of the learner's files and removes answer files that it does not have.
//
// Each file is written beside its place, synced and renamed, so that a crash leaves every single file old or new, never
// half; between two files a crash leaves some old and some new. Tests, hints and the race demo are not touched.
func Write(e *curriculum.Exercise, a Answer) error {
	if len(a) == 0 {
		return fmt.Errorf("write an answer to %s: it has no file", e.ID)
	}
	for name := range a {
		if !IsFile(name) {
			return fmt.Errorf("write an answer to %s: %q is not the name of an answer file (a .go file that is not a test, "+
				"without a directory)", e.ID, name)
		}
	}
	if err := os.MkdirAll(e.Folder(), 0o777); err != nil {
		return fmt.Errorf("write an answer to %s: %w", e.ID, err)
	}
	before, err := Files(e.Folder())
	if err != nil {
		return fmt.Errorf("write an answer to %s: %w", e.ID, err)
	}
	for _, name := range a.Names() {
		if err := atomicfile.Replace(filepath.Join(e.Folder(), name), LF(a[name])); err != nil {
			return fmt.Errorf("write an answer to %s: %w; close the file in other programs, make its directory writable, and try again", e.ID, err)
		}
	}
	for _, name := range before {
		if _, keep := a[name]; keep {
			continue
		}
		if err := os.Remove(filepath.Join(e.Folder(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write an answer to %s: %w; remove the file yourself: it belongs to another answer", e.ID, err)
		}
	}
	return nil
}
