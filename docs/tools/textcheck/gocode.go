package textcheck

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// A CodeFile is a Go file of the workbook, split into lines.
type CodeFile struct {
	Path  string
	Lines []string
}

// LessonCode returns the Go files of a lesson's three directories, the exercise's answer files as shipped, whatever the learner
// has made of them.
func LessonCode(e *curriculum.Exercise) ([]CodeFile, error) {
	var files []CodeFile
	for _, room := range []string{"lessons", "exercises", "solutions"} {
		found, err := codeBelow(e.Root, path.Join(room, e.ID))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	directory := path.Join("exercises", e.ID)
	files = slices.DeleteFunc(files, func(f CodeFile) bool {
		return path.Dir(f.Path) == directory && answer.IsFile(path.Base(f.Path))
	})
	shipped, err := answer.AsShipped(e)
	if err != nil {
		return nil, err
	}
	for _, name := range shipped.Names() {
		files = append(files, CodeFile{path.Join(directory, name), splitLines(shipped[name])})
	}
	return files, nil
}

func codeBelow(root, directory string) ([]CodeFile, error) {
	var files []CodeFile
	top := filepath.Join(root, filepath.FromSlash(directory))
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if name == top && errors.Is(err, fs.ErrNotExist) {
				return filepath.SkipAll
			}
			return err
		}
		if entry.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		files = append(files, CodeFile{filepath.ToSlash(relative), splitLines(content)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the Go files of %s: %w", directory, err)
	}
	return files, nil
}

func splitLines(content []byte) []string {
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// GoBlocks checks that every go fence is a run of lines in one of the files. The whole block may stand deeper or less deep
// than in the file; within it, indentation counts, a tab being as good as four blanks. A line of only `…` or `// …`
// stands for any number of lines.
func GoBlocks(p *Page, files []CodeFile) []Problem {
	var problems []Problem
	for _, fence := range p.Fences {
		if fence.Kind != "go" {
			continue
		}
		if problem, ok := goBlock(p, fence, files); !ok {
			problems = append(problems, problem)
		}
	}
	return problems
}

func goBlock(p *Page, fence Fence, files []CodeFile) (Problem, bool) {
	block, skipped := withoutLeadingElisions(dedent(fence.Code))
	best, bestFile, bestStart := mismatch{Matched: -1}, CodeFile{}, 0
	for _, file := range files {
		lines := make([]string, len(file.Lines))
		for i, line := range file.Lines {
			lines[i] = blanks(line)
		}
		for start := range lines {
			deeper := len(indentation(lines[start])) - len(indentation(block[0]))
			if deeper < 0 {
				continue
			}
			prefix := strings.Repeat(" ", deeper)
			m := matcher{block: block, skips: skipsCode, equal: func(blockLine, line string) bool {
				return blockLine == "" && line == "" || blockLine != "" && prefix+blockLine == line
			}}
			ok, reached := m.match(lines, start, false)
			if ok {
				return Problem{}, true
			}
			if reached.Matched > best.Matched {
				best, bestFile, bestStart = reached, file, start
			}
		}
	}
	problem := Problem{
		File: p.Path, Line: fence.Line, What: "this Go code stands in no file of the lesson's three directories",
		Do: "copy a run of lines from a tested file; for code that only illustrates, write a fact test or an Example and show that",
	}
	if best.Matched > 0 && best.Matched < len(block) {
		problem.Line += 1 + skipped + best.Matched
		found := "ends"
		if best.Line < len(bestFile.Lines) {
			found = "goes on: " + strings.TrimSpace(bestFile.Lines[best.Line])
		}
		problem.What = fmt.Sprintf("this Go code is that of %s:%d up to the line before; here the file %s", bestFile.Path, bestStart+1, found)
		problem.Do = "copy the lines again, or elide some with a line of only `…`"
	}
	return problem, false
}

// withoutLeadingElisions returns the block from its first line of code on, and how many lines stand before that one. A block
// of nothing but elisions and empty lines, which would stand anywhere, is returned as a line that stands nowhere.
func withoutLeadingElisions(block []string) ([]string, int) {
	for i, line := range block {
		if line != "" && !skipsCode(line) {
			return block[i:], i
		}
	}
	return []string{elision + elision}, 0
}

func skipsCode(line string) bool {
	line = strings.TrimSpace(line)
	return line == elision || line == "// "+elision
}

// blanks writes each leading tab as four blanks.
func blanks(line string) string {
	body := strings.TrimLeft(line, "\t")
	return strings.Repeat("    ", len(line)-len(body)) + strings.TrimRight(body, " \t")
}

func indentation(line string) string {
	return line[:len(line)-len(strings.TrimLeft(line, " "))]
}

// dedent takes the indentation that all lines share off them.
func dedent(code []string) []string {
	lines := make([]string, len(code))
	shared := -1
	for i, line := range code {
		lines[i] = blanks(line)
		if lines[i] != "" && !skipsCode(line) && (shared < 0 || len(indentation(lines[i])) < shared) {
			shared = len(indentation(lines[i]))
		}
	}
	for i, line := range lines {
		lines[i] = line[min(max(shared, 0), len(indentation(line))):]
	}
	return lines
}
