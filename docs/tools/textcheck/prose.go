package textcheck

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	extensionast "github.com/yuin/goldmark/extension/ast"
)

// How much a reader has to read: the core, up to `Your turn`, in ten minutes; the reference part, after it, is for later.
const (
	mostWordsBefore = 1300
	mostWordsAfter  = 2200
	mostWhyProofs   = 12
)

// Prose checks how a lesson page reads, as far as a program can decide: how long its parts are, how many
// proofs are in "Why it happens", that a claim is the text of its link, which words it uses, and that tables show numbers.
func Prose(p *Page) []Problem {
	return slices.Concat(lengths(p), claims(p), Style(p), emptyRows(p))
}

func lengths(p *Page) []Problem {
	var problems []Problem
	for _, section := range p.Sections() {
		before, after, _ := strings.Cut(string(p.Source), "\n## Your turn")
		switch section.Heading {
		case "Your turn":
			if n := words(before); n > mostWordsBefore {
				problems = append(problems, Problem{
					p.Path, section.Line, fmt.Sprintf("%d words are before %q", n, section.Heading),
					fmt.Sprintf("keep the core within %d: move what the exercise does not need to In depth, or delete it", mostWordsBefore),
				})
			}
		case "Takeaways":
			_, after, _ = strings.Cut(after, "\n## ")
			if n := words(after); n > mostWordsAfter {
				problems = append(problems, Problem{
					p.Path, section.Line, fmt.Sprintf("%d words are after \"Your turn\"", n),
					fmt.Sprintf("keep the reference part within %d", mostWordsAfter),
				})
			}
		case "Why it happens":
			proofs := 0
			for _, node := range section.nodes {
				proofs += countProofs(p.linksBelow(node))
			}
			if proofs > mostWhyProofs {
				problems = append(problems, Problem{
					p.Path, section.Line, fmt.Sprintf("%q has %d proofs", section.Heading, proofs),
					fmt.Sprintf("keep it within %d: one idea, and what it rests on", mostWhyProofs),
				})
			}
		}
	}
	return problems
}

var (
	fencedBlock = regexp.MustCompile("(?s)```.*?```")
	linkTarget  = regexp.MustCompile(`\]\([^)]*\)`)
	word        = regexp.MustCompile(`[\p{L}\p{N}_][\p{L}\p{N}_'’-]*`)
)

// words counts what a reader reads: no code blocks, no targets of links.
func words(markdown string) int {
	text := linkTarget.ReplaceAllString(fencedBlock.ReplaceAllString(markdown, " "), "]")
	return len(word.FindAllString(text, -1))
}

// bare are texts of a link that claim nothing.
var bare = []string{"", "proof", "proofs", "test", "tests", "here", "see"}

func claims(p *Page) []Problem {
	var problems []Problem
	for _, link := range p.Links {
		if isProof(link) && slices.Contains(bare, strings.ToLower(strings.Trim(link.Text, " ()"))) {
			problems = append(problems, Problem{
				p.Path, link.Line, fmt.Sprintf("the proof link %q does not say what it proves", link.Text),
				"make the words of the claim the text of the link: `[never shortens the file](truncate_test.go \"a Write never shortens the file\")`",
			})
		}
	}
	return problems
}

// refused are turns of phrase that the house style refuses, each with its rule's number there and what to do instead. Where
// part of a match is fine English, allowed finds that.
var refused = []struct {
	rule             string
	pattern, allowed *regexp.Regexp
	do               string
}{
	{
		"rule 1", regexp.MustCompile(`(?i)\b(?:somebody|nobody|whoever)\b`), nil,
		"name the actor: the process, the kernel, the caller, the reader",
	},
	{
		"rule 4", regexp.MustCompile(`(?i)\b\S+\s+(?:is|are)\s+no\s+\S+`),
		regexp.MustCompile(`(?i)^\W*there\b|\bno\s+(?:longer|more|less|fewer|different|better|worse)\b`), "write *is not*",
	},
	{"rule 5", regexp.MustCompile(`(?i)\bbelongs?\s+into\b`), nil, "write *belongs in*"},
	{"rule 5", regexp.MustCompile(`\bElse\b|[;,]\s+else\b`), nil, "write *otherwise*"},
	{"one word for one thing", regexp.MustCompile(`(?i)\bfolders?\b`), nil, "write *directory*"},
}

// Style checks the words of any Markdown file; code does not count.
func Style(p *Page) []Problem {
	var problems []Problem
	_ = ast.Walk(p.root, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		switch node.Kind() {
		case ast.KindParagraph, ast.KindTextBlock, ast.KindHeading, extensionast.KindTableCell:
			if entering {
				problems = append(problems, phrases(p, node)...)
			}
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return problems
}

var quoted = regexp.MustCompile(`"[^"]*"`)

func phrases(p *Page, node ast.Node) []Problem {
	// What is in quotation marks comes from a message or another text.
	text := quoted.ReplaceAllStringFunc(proseOf(node, p.Source), func(words string) string {
		return `""` + strings.Repeat("\n", strings.Count(words, "\n"))
	})
	var problems []Problem
	for _, phrase := range refused {
		for _, found := range phrase.pattern.FindAllStringIndex(text, -1) {
			match := text[found[0]:found[1]]
			if phrase.allowed != nil && phrase.allowed.MatchString(match) {
				continue
			}
			line := p.lineOf(node) + strings.Count(text[:found[0]], "\n")
			problems = append(problems, Problem{
				p.Path, line, fmt.Sprintf("style (%s): %q", phrase.rule, strings.Join(strings.Fields(match), " ")), phrase.do,
			})
		}
	}
	return problems
}

// proseOf is the text below node with its line ends: the words of links too, code left out.
func proseOf(node ast.Node, source []byte) string {
	var b strings.Builder
	for child := node.FirstChild(); child != nil; child = child.NextSibling() {
		switch n := child.(type) {
		case *ast.CodeSpan:
			b.WriteByte('`')
		case *ast.Text:
			b.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte('\n')
			}
		default:
			b.WriteString(proseOf(child, source))
		}
	}
	return b.String()
}

// labelOnly is a row of output whose every value is left out.
var labelOnly = regexp.MustCompile(`^\s*\S.*?(?:\s{2,}|:\s)` + elision + `(?:\s+` + elision + `)*\s*$`)

// emptyRows finds rows, of a table or of captured output, that hold a label and no value.
func emptyRows(p *Page) []Problem {
	var problems []Problem
	report := func(line int) {
		problems = append(problems, Problem{
			p.Path, line, "a row that shows nothing but `…`",
			"show the captured number (a fence `console varies` lets numbers differ from run to run), or leave the row out",
		})
	}
	for _, fence := range p.Fences {
		for i, line := range fence.Code {
			if fence.Kind == "console" && labelOnly.MatchString(line) {
				report(fence.Line + 1 + i)
			}
		}
	}
	_ = ast.Walk(p.root, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if row, ok := node.(*extensionast.TableRow); ok && entering {
			cells := cellTexts(p, row)
			if len(cells) > 1 && !slices.ContainsFunc(cells[1:], func(cell string) bool { return cell != elision }) {
				report(p.lineOf(row))
			}
		}
		return ast.WalkContinue, nil
	})
	return problems
}
