package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// topLevel are the only entries of the repository's root.
var topLevel = []string{
	".ci", ".devcontainer", ".editorconfig", ".gitattributes", ".github", ".gitignore", "LICENSE", "Makefile", "README.md", "bench", "docs",
	"exercises", "go.mod", "go.sum", "internal", "lessons", "solutions",
}

// requirements are the only direct requirements of the root module.
var requirements = []string{"github.com/gofrs/flock", "github.com/stretchr/testify", "golang.org/x/sys"}

func checkTopLevel(names []string) error {
	present := make(map[string]bool)
	for _, name := range names {
		first, _, _ := strings.Cut(name, "/")
		present[first] = true
	}
	var wrong []string
	for entry := range present {
		if !slices.Contains(topLevel, entry) {
			wrong = append(wrong, entry+" does not belong there")
		}
	}
	for _, entry := range topLevel {
		if !present[entry] {
			wrong = append(wrong, entry+" is missing")
		}
	}
	return lines(wrong)
}

// machinePath finds the home directory of the person who wrote a file. The names are spelt so that this file does not hold what it
// looks for.
var machinePath = regexp.MustCompile(`(?:^|[^\w./\\-])(?:/(?:home|Users)/[\w.-]+/|/roo` + `t/|[A-Za-z]:\\+Users\\+[\w.-]+\\)`)

// checkMachinePaths finds names of the machine that a file was made on: its home directories, the directory of this clone, the
// parent of that.
func checkMachinePaths(root string, names []string) error {
	var own [][]byte
	for _, directory := range []string{root, filepath.Dir(root)} {
		// A short parent such as /tmp is in many honest texts.
		if strings.Count(filepath.ToSlash(directory), "/") > 1 {
			own = append(own, []byte(filepath.ToSlash(directory)+"/"), []byte(directory))
		}
	}
	return eachFile(root, names, func(content []byte) (int, string) {
		if at := machinePath.FindIndex(content); at != nil {
			return at[0] + 1, "holds the path of a home directory: " + string(bytes.TrimSpace(content[at[0]:at[1]]))
		}
		for _, path := range own {
			if at := bytes.Index(content, path); at >= 0 {
				return at, "holds the path of this clone: " + string(path)
			}
		}
		return 0, ""
	})
}

// longest is how many characters a line of Go may have, a tab being one (.editorconfig: max_line_length).
const longest = 140

// checkLineLengths finds lines of Go that are too long. What an Example prints is not judged: a line of its Output cannot be broken.
func checkLineLengths(root string, names []string) error {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasSuffix(name, ".go") })
	return eachFile(root, names, func(content []byte) (int, string) {
		offset, isOutput := 0, false
		for line := range bytes.Lines(content) {
			comment, isComment := bytes.CutPrefix(bytes.TrimSpace(line), []byte("//"))
			isOutput = isComment && (isOutput || outputForm.Match(comment))
			if count := utf8.RuneCount(bytes.TrimRight(line, "\r\n")); count > longest && !isOutput {
				return offset, fmt.Sprintf("has %d characters", count)
			}
			offset += len(line)
		}
		return 0, ""
	})
}

// outputForm is how the comment begins that go test compares with what an Example prints.
var outputForm = regexp.MustCompile(`^ *(?:Unordered output|Output):`)

func checkLineEnds(root string, names []string) error {
	return eachFile(root, names, func(content []byte) (int, string) {
		if at := bytes.Index(content, []byte("\r\n")); at >= 0 {
			return at, "ends in CRLF"
		}
		if len(content) > 0 && content[len(content)-1] != '\n' {
			return len(content) - 1, "is the last line and ends in no newline"
		}
		return 0, ""
	})
}

// eachFile gives every text file to look and collects what it says, with the line.
func eachFile(root string, names []string, look func(content []byte) (offset int, what string)) error {
	var wrong []string
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if bytes.IndexByte(content, 0) >= 0 {
			continue // no text
		}
		if offset, what := look(content); what != "" {
			wrong = append(wrong, fmt.Sprintf("%s:%d %s", name, 1+bytes.Count(content[:offset], []byte("\n")), what))
		}
	}
	return lines(wrong)
}

func checkRequirements(ctx context.Context, root string) error {
	text, err := command(ctx, root, nil, "go", "mod", "edit", "-json")
	if err != nil {
		return err
	}
	var module struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal([]byte(text), &module); err != nil {
		return fmt.Errorf("read what `go mod edit -json` says: %w", err)
	}
	var direct []string
	for _, required := range module.Require {
		if !required.Indirect {
			direct = append(direct, required.Path)
		}
	}
	slices.Sort(direct)
	if !slices.Equal(direct, requirements) {
		return fmt.Errorf("go.mod requires directly: %s\nit should:                 %s", strings.Join(direct, ", "),
			strings.Join(requirements, ", "))
	}
	return nil
}

func lines(wrong []string) error {
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("%s", strings.Join(wrong, "\n"))
}
