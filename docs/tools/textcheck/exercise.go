package textcheck

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	markdown "github.com/yuin/goldmark/ast"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

const (
	mostChangedLines = 100
	hintsPerFunction = 3
	mostHintWords    = 45
	// A shorter line of the solution, such as `return err`, is any program's.
	shortestSecret = 12
)

// Exercise checks what belongs to a lesson page: the hints, the size of the exercise, the Examples of the reference.
func Exercise(e *curriculum.Exercise) ([]Problem, error) {
	hints, err := Load(e.Root, path.Join("exercises", e.ID, "hints.md"))
	if err != nil {
		return nil, err
	}
	shipped, err := answer.AsShipped(e)
	if err != nil {
		return nil, err
	}
	reference, err := answer.Reference(e)
	if err != nil {
		return nil, err
	}
	problems := slices.Concat(hintSections(hints, e.ID, shipped), secrets(hints, shipped, reference), Style(hints))
	examples, err := hasExample(e.SolutionFolder())
	if err != nil {
		return nil, err
	}
	if n := changedLines(reference, shipped); n > mostChangedLines {
		problems = append(problems, Problem{
			"solutions/" + e.ID + "/wrong/00_as_shipped.patch", 0, fmt.Sprintf("%d lines change from the code as shipped to the reference", n),
			fmt.Sprintf("keep it within %d: give ready-made what is not the lesson's idea", mostChangedLines),
		})
	}
	if !examples {
		problems = append(problems, Problem{
			"solutions/" + e.ID, 0, "the reference has no Example", "show its main function in an Example with an output, in an example_test.go",
		})
	}
	return problems, nil
}

func changedLines(from, to answer.Answer) int {
	changed := 0
	for line := range bytes.Lines(answer.Diff("a", "b", from, to)) {
		added := bytes.HasPrefix(line, []byte("+")) && !bytes.HasPrefix(line, []byte("+++ "))
		removed := bytes.HasPrefix(line, []byte("-")) && !bytes.HasPrefix(line, []byte("--- "))
		if added || removed {
			changed++
		}
	}
	return changed
}

func hasExample(directory string) (bool, error) {
	names, err := filepath.Glob(filepath.Join(directory, "*_test.go"))
	if err != nil {
		return false, fmt.Errorf("list the tests of the reference: %w", err)
	}
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			return false, fmt.Errorf("read a test of the reference: %w", err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
		if err != nil {
			return false, fmt.Errorf("parse a test of the reference: %w", err)
		}
		for _, example := range doc.Examples(file) {
			if example.Output != "" || example.EmptyOutput { // one without is never run
				return true, nil
			}
		}
	}
	return false, nil
}

// declared returns the functions and types of the answer; a method under its own name and under Type.Name.
func declared(a answer.Answer) map[string]bool {
	names := make(map[string]bool)
	for _, name := range a.Names() {
		file, err := parser.ParseFile(token.NewFileSet(), name, a[name], parser.SkipObjectResolution)
		if err != nil {
			continue // the driver reports an answer that does not compile
		}
		for _, declaration := range file.Decls {
			if types, ok := declaration.(*ast.GenDecl); ok && types.Tok == token.TYPE {
				for _, spec := range types.Specs {
					names[identName(spec.(*ast.TypeSpec).Name)] = true //nolint:forcetypeassert // token.TYPE says so
				}
			}
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			names[function.Name.Name] = true
			if function.Recv != nil && len(function.Recv.List) == 1 {
				receiver := function.Recv.List[0].Type
				if star, ok := receiver.(*ast.StarExpr); ok {
					receiver = star.X
				}
				names[identName(receiver)+"."+function.Name.Name] = true
			}
		}
	}
	return names
}

// hintSections wants the title, and below each function's heading three hints of few words.
func hintSections(p *Page, id string, shipped answer.Answer) []Problem {
	var problems []Problem
	report := func(line int, what, do string) { problems = append(problems, Problem{p.Path, line, what, do}) }
	if len(p.Headings) == 0 || p.Headings[0].Level != 1 || p.Headings[0].Text != "Hints for "+id {
		report(1, "the file has another title", "write `# Hints for "+id+"`")
	}
	functions := declared(shipped)
	sections := p.Sections()
	if len(sections) == 0 {
		report(0, "there are no hints", "write a section `## Function` for each function that has a test, with three hints")
	}
	for _, section := range sections {
		if !functions[section.Heading] {
			report(section.Line, fmt.Sprintf("%q is not a function or a type of the exercise", section.Heading),
				"name what the answer files declare, as shipped")
		}
		items := hintItems(section)
		if len(items) != hintsPerFunction || len(section.nodes) != 1 {
			report(section.Line, fmt.Sprintf("%s has %d hints", section.Heading, len(items)),
				"write one numbered list of three: the phenomenon, the idea, the means")
		}
		for i, item := range items {
			if n := len(word.FindAllString(linkTarget.ReplaceAllString(p.sourceOf(item), "]"), -1)); n > mostHintWords {
				report(p.lineOf(item), fmt.Sprintf("hint %d for %s has %d words", i+1, section.Heading, n),
					fmt.Sprintf("say one thing, in at most %d", mostHintWords))
			}
		}
	}
	return problems
}

func hintItems(section Section) []markdown.Node {
	var items []markdown.Node
	for _, node := range section.nodes {
		list, ok := node.(*markdown.List)
		if !ok || !list.IsOrdered() {
			continue
		}
		for item := list.FirstChild(); item != nil; item = item.NextSibling() {
			items = append(items, item)
		}
	}
	return items
}

// sourceOf is the source of all text below node.
func (p *Page) sourceOf(node markdown.Node) string {
	var b strings.Builder
	_ = markdown.Walk(node, func(n markdown.Node, entering bool) (markdown.WalkStatus, error) {
		if entering && n.Type() == markdown.TypeBlock && n.Lines() != nil {
			b.Write(n.Lines().Value(p.Source))
			b.WriteByte('\n')
		}
		return markdown.WalkContinue, nil
	})
	return b.String()
}

var blanksAndTicks = regexp.MustCompile("[\\s`]+")

// secrets finds lines of the reference that the exercise does not have, in the hints.
func secrets(p *Page, shipped, reference answer.Answer) []Problem {
	known := make(map[string]bool)
	for _, text := range shipped {
		for _, line := range splitLines(text) {
			known[strings.TrimSpace(line)] = true
		}
	}
	var problems []Problem
	for i, line := range splitLines(p.Source) {
		plain := blanksAndTicks.ReplaceAllString(line, " ")
		for _, name := range reference.Names() {
			for _, code := range splitLines(reference[name]) {
				code = strings.TrimSpace(code)
				if known[code] || len(code) < shortestSecret || strings.HasPrefix(code, "//") || strings.HasPrefix(code, "return err") {
					continue
				}
				if strings.Contains(plain, code) {
					known[code] = true
					problems = append(problems, Problem{p.Path, i + 1, "a hint holds a line of the solution: " + code, "name the means, not the line"})
				}
			}
		}
	}
	return problems
}
