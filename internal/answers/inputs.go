package answers

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/overlay"
)

// readInputs reads every file that the verdicts on this lesson depend on. The go commands that the driver starts read them, not the
// driver; go's test cache knows only what the driver itself has read, and would mistake an old verdict for a new one. It reads nothing of
// other lessons than those which this one builds on: a change there must not cost a run of the whole workbook's answers.
func readInputs(e *curriculum.Exercise) error {
	reference, err := answer.Reference(e)
	if err != nil {
		return err
	}
	foundations, err := overlay.Foundations(e, reference)
	if err != nil {
		return err
	}
	trees := []string{e.Folder(), e.SolutionFolder(), filepath.Join(e.Root, "go.mod"), filepath.Join(e.Root, "go.sum")}
	for _, f := range foundations {
		trees = append(trees, f.Folder())
		if _, err := answer.Reference(f); err != nil {
			return err
		}
	}
	for _, tree := range trees {
		if err := readTree(tree, nil); err != nil {
			return err
		}
	}
	return readPackages(e.Root, "internal/lab")
}

// readTree reads a file, or all files below a directory, and calls seen for each.
func readTree(tree string, seen func(path string, text []byte)) error {
	return filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || (err == nil && entry.IsDir()) {
			return nil
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's temp file is gone again
		}
		if err == nil && seen != nil {
			seen(path, text)
		}
		return err
	})
}

// readPackages reads a directory of the workbook's packages, and the directories of those that they import.
func readPackages(root, folder string) error {
	known := map[string]bool{folder: true}
	for wanted := []string{folder}; len(wanted) > 0; wanted = wanted[1:] {
		err := readTree(filepath.Join(root, filepath.FromSlash(wanted[0])), func(path string, text []byte) {
			if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return
			}
			file, _ := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
			for _, spec := range file.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				name, isOurs := strings.CutPrefix(imported, curriculum.ModulePath+"/")
				if err == nil && isOurs && !known[name] && !strings.HasPrefix(name, folder+"/") {
					known[name] = true
					wanted = append(wanted, name)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
