// Package page makes tables, plots and sentences of results, and puts them into the page of the docs. Nobody writes a figure by hand.
package page

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"example/turnstile/bench/results"
)

// block is a part of the page that is generated: what stands between its two markers.
var block = regexp.MustCompile(`(?s)(<!-- bench: (\S+) -->\n)(.*?)(<!-- /bench -->)`)

// Render returns the page with the blocks that the results make. goals are judged.
func Render(text []byte, f *results.File, goals []results.Goal) ([]byte, error) {
	var failed error
	seen := map[string]bool{}
	page := block.ReplaceAllFunc(text, func(found []byte) []byte {
		parts := block.FindSubmatch(found)
		name := string(parts[2])
		content, err := Block(f, goals, name)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		seen[name] = true
		return bytes.Join([][]byte{parts[1], []byte(content), parts[4]}, nil)
	})
	for _, name := range blocks {
		if !seen[name] {
			failed = errors.Join(failed,
				fmt.Errorf("the page has no block `<!-- bench: %s -->` … `<!-- /bench -->`; every part of the results must be in it", name))
		}
	}
	return page, failed
}

const notMeasured = "Not measured in this run.\n"

// blocks are all that a page has, in the order of a run's output.
var blocks = []string{"machine", "primitives", "update", "crossing", "locks", "api", "loop", "behind", "goals", "how"}

// Block returns one part of the page.
func Block(f *results.File, goals []results.Goal, name string) (string, error) {
	switch name {
	case "machine":
		return machine(f), nil
	case "primitives", "update", "locks", "api", "loop":
		return part(f, name), nil
	case "crossing":
		return crossing(f), nil
	case "behind":
		return behind(f), nil
	case "goals":
		return goalTable(f, goals), nil
	case "how":
		return how(f), nil
	}
	return "", fmt.Errorf("the page asks for a block %q, which does not exist", name)
}

// Text returns all parts, for a terminal.
func Text(f *results.File, goals []results.Goal) string {
	var text strings.Builder
	for _, name := range blocks {
		content, _ := Block(f, goals, name)           // blocks has no unknown one
		content = image.ReplaceAllString(content, "") // a terminal shows none
		if content == notMeasured {
			continue
		}
		fmt.Fprintf(&text, "## %s\n\n%s\n", name, strings.TrimSpace(content)+"\n")
	}
	return text.String()
}

var image = regexp.MustCompile(`(?m)^!\[.*\n\n?`)

// Write makes the page and the plots of the results in docs/bench/results.json below root.
func Write(root string, goals []results.Goal) error {
	files, err := all(root, goals)
	if err != nil {
		return err
	}
	for path, content := range files {
		if content == nil {
			if err := os.Remove(path); err != nil {
				return err
			}
		} else if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Check returns an error unless Write would change nothing.
func Check(root string, goals []results.Goal) error {
	files, err := all(root, goals)
	if err != nil {
		return err
	}
	var wrong error
	for path, content := range files {
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		found, err := os.ReadFile(path)
		switch {
		case content == nil:
			wrong = errors.Join(wrong, fmt.Errorf("%s belongs to no result", name))
		case errors.Is(err, fs.ErrNotExist):
			wrong = errors.Join(wrong, fmt.Errorf("%s is missing", name))
		case err != nil:
			return err
		case !bytes.Equal(found, content):
			wrong = errors.Join(wrong, fmt.Errorf("%s is not what the results make of it", name))
		}
	}
	if wrong != nil {
		return fmt.Errorf("%w\nrun: go -C bench run . page", wrong)
	}
	return nil
}

// all returns what the page and its plots should be, by path; nil for a plot that should not exist.
func all(root string, goals []results.Goal) (map[string][]byte, error) {
	dir, path := filepath.Join(root, "docs", "bench"), filepath.Join(root, "docs", "benchmarks.md")
	f, err := results.Read(filepath.Join(dir, "results.json"))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	page, err := Render(text, f, goals)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{path: page}
	old, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil {
		return nil, err
	}
	for _, name := range old {
		files[name] = nil
	}
	plots, err := Plots(f)
	for name, content := range plots {
		files[filepath.Join(dir, name)] = content
	}
	return files, err
}

// WritePlots writes the plots of results into a directory.
func WritePlots(dir string, f *results.File) error {
	plots, err := Plots(f)
	if err != nil {
		return err
	}
	for name, content := range plots {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
