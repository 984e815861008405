package textcheck

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// longestLine is what a code block may hold without a scroll bar on a code host.
const longestLine = 140

// kinds are the info strings that a lesson page may use. What go, console, output and sh say is checked; the others show
// data or another language.
var kinds = []string{"go", "console", "output", "sh", "text", "json", "python", "diff"}

// Fences checks how the code blocks of a lesson page are written, not what they say: a known kind, no tabs outside Go's
// indentation, no trailing blanks, no line that is too long, LF line ends.
func Fences(p *Page) []Problem {
	problems := LineEnds(p.Path, p.Source)
	for _, fence := range p.Fences {
		if fence.Indented {
			problems = append(problems, Problem{p.Path, fence.Line, "an indented code block", "use a fence and name its kind"})
			continue
		}
		if !slices.Contains(kinds, fence.Kind) {
			problems = append(problems, Problem{
				p.Path, fence.Line, fmt.Sprintf("a code block of the kind %q", fence.Kind), "use one of: " + strings.Join(kinds, ", "),
			})
		}
		if len(fence.Code) == 0 {
			problems = append(problems, Problem{p.Path, fence.Line, "an empty code block", "fill it or delete it"})
		}
		for i, line := range fence.Code {
			if what, do := lineTrouble(fence.Kind, line); what != "" {
				problems = append(problems, Problem{p.Path, fence.Line + 1 + i, what, do})
			}
		}
	}
	return problems
}

func lineTrouble(kind, line string) (what, do string) {
	body := line
	if kind == "go" {
		body = strings.TrimLeft(line, "\t")
	}
	width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
	switch {
	case strings.Contains(body, "\t"):
		return "a tab in a code block", "write blanks: a tab is as wide as each reader's screen makes it"
	case strings.TrimRight(line, " \t") != line:
		return "blanks at the end of a line", "delete them; for output that ends in blanks write `…` at the end of the line"
	case width > longestLine:
		return fmt.Sprintf("a line of %d characters in a code block", width),
			fmt.Sprintf("keep it within %d; shorten output with `…`", longestLine)
	}
	return "", ""
}

// LineEnds reports a file that holds a carriage return before a line feed.
func LineEnds(name string, source []byte) []Problem {
	if i := bytes.Index(source, []byte("\r\n")); i >= 0 {
		return []Problem{{
			name, 1 + bytes.Count(source[:i], []byte("\n")), "the line ends in CRLF",
			"save the file with LF line ends (.editorconfig says so)",
		}}
	}
	return nil
}
