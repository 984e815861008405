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

// ReferenceCode returns the Go files of all references.
func ReferenceCode(root string) ([]CodeFile, error) { return codeBelow(root, "solutions") }

// fewestGivenAway is from how many lines on a block that a reference holds too gives the answer away.
const fewestGivenAway = 3

// GoBlocks checks that every go fence is a run of lines of the file that it names, relative to the page: one of the lesson's
// or the exercise's, and that it is not part of a reference. The whole block may be indented deeper or less deep than in the file;
// within it, indentation counts, a tab being as good as four blanks. A line of only `…` or `// …` is any number of lines.
func GoBlocks(p *Page, files, references []CodeFile) []Problem {
	var problems []Problem
	for _, fence := range p.Fences {
		if fence.Kind != "go" {
			continue
		}
		candidates, problem := namedFile(p, fence, files)
		if problem != nil {
			problems = append(problems, *problem)
			continue
		}
		if problem := givenAway(p, fence, references); problem != nil {
			problems = append(problems, *problem)
		}
		if r := findRegion(fence, candidates); !r.found {
			problems = append(problems, r.problem(p, fence, candidates))
		}
	}
	return problems
}

// namedFile returns the file that the fence names.
func namedFile(p *Page, fence Fence, files []CodeFile) ([]CodeFile, *Problem) {
	named := path.Join(path.Dir(p.Path), fence.Extra)
	what, do := fmt.Sprintf("the Go block names %q, which is not a Go file of the lesson or of its exercise", fence.Extra),
		"name the file that holds these lines, relative to this page: `go shelves_test.go`"
	if fence.Extra == "" {
		what = "the Go block does not name its file"
	}
	if !strings.HasPrefix(named, "solutions/") {
		for _, file := range files {
			if file.Path == named {
				return []CodeFile{file}, nil
			}
		}
	}
	return nil, &Problem{p.Path, fence.Line, what, do}
}

func givenAway(p *Page, fence Fence, references []CodeFile) *Problem {
	lines := 0
	for _, line := range fence.Code {
		if strings.TrimSpace(line) != "" && !skipsCode(line) {
			lines++
		}
	}
	if lines < fewestGivenAway {
		return nil
	}
	r := findRegion(fence, references)
	if !r.found {
		return nil
	}
	return &Problem{
		p.Path, fence.Line, fmt.Sprintf("this Go code is that of the reference, %s:%d", r.file.Path, r.start+1),
		"show the code of a sibling problem: the exercise is the reader's",
	}
}

// A region is where a block was found in a file, or how far the best place fits.
type region struct {
	found        bool
	file         CodeFile
	start        int // index of the first line
	reached      mismatch
	skipped, len int // lines of the block before its first line of code; lines from there on
}

func findRegion(fence Fence, files []CodeFile) region {
	block, skipped := withoutLeadingElisions(dedent(fence.Code))
	best := region{reached: mismatch{Matched: -1}, skipped: skipped, len: len(block)}
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
			if ok || reached.Matched > best.reached.Matched {
				best = region{ok, file, start, reached, skipped, len(block)}
			}
			if ok {
				return best
			}
		}
	}
	return best
}

func (r region) problem(p *Page, fence Fence, candidates []CodeFile) Problem {
	where := "in no file of the lesson's three directories"
	if len(candidates) == 1 {
		where = "not in " + candidates[0].Path
	}
	problem := Problem{
		File: p.Path, Line: fence.Line, What: "this Go code is " + where,
		Do: "copy a run of lines from a tested file; for code that only illustrates, write a fact test or an Example and show that",
	}
	if r.reached.Matched > 0 && r.reached.Matched < r.len {
		problem.Line += 1 + r.skipped + r.reached.Matched
		found := "ends"
		if r.reached.Line < len(r.file.Lines) {
			found = "goes on: " + strings.TrimSpace(r.file.Lines[r.reached.Line])
		}
		problem.What = fmt.Sprintf("this Go code is that of %s:%d up to the line before; here the file %s", r.file.Path, r.start+1, found)
		problem.Do = "copy the lines again, or elide some with a line of only `…`"
	}
	return problem
}

// withoutLeadingElisions returns the block from its first line of code on, and how many lines come before that one. A block
// of nothing but elisions and empty lines, which would match anywhere, is returned as a line that matches nowhere.
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
