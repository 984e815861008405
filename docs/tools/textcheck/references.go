package textcheck

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

var readReference = regexp.MustCompile(`^lessons/([^ ,/]+)/?, "([^"]+)"$`)

// References checks where the messages of an exercise send the learner: every `Read` of a message, and every string that
// has the form `lessons/03_seek_truncate, "Why it happens"`, must name a lesson that exists and a heading of its page.
func References(root, exercise string) ([]Problem, error) {
	files, err := codeBelow(root, path.Join("exercises", exercise))
	if err != nil {
		return nil, err
	}
	var problems []Problem
	for _, file := range files {
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file.Path, strings.Join(file.Lines, "\n"), parser.SkipObjectResolution)
		if err != nil {
			continue // the learner's half-written code; the compiler reports it
		}
		inRead := make(map[ast.Node]bool)
		ast.Inspect(parsed, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.KeyValueExpr:
				if isIdent(n.Key, "Read") {
					inRead[n.Value] = true
				}
			case *ast.BasicLit:
				if what, do := badReference(root, n, inRead[n]); what != "" {
					problems = append(problems, Problem{file.Path, set.Position(n.Pos()).Line, what, do})
				}
			}
			return true
		})
	}
	return problems, nil
}

func badReference(root string, basic *ast.BasicLit, isRead bool) (what, do string) {
	text, err := strconv.Unquote(basic.Value)
	if basic.Kind != token.STRING || err != nil {
		return "", ""
	}
	found := readReference.FindStringSubmatch(text)
	if found == nil {
		if isRead {
			return fmt.Sprintf("the message sends the learner to %q", text), "write it as `lessons/NN_name, \"Heading\"`"
		}
		return "", ""
	}
	page, err := Load(root, PagePath(found[1]))
	if err != nil {
		return fmt.Sprintf("the message sends the learner to lessons/%s, which has no page", found[1]),
			"name a lesson that exists, by its whole directory name"
	}
	var known []string
	for _, heading := range page.Headings {
		if heading.Text == found[2] {
			return "", ""
		}
		if heading.Level == 2 {
			known = append(known, heading.Text)
		}
	}
	return fmt.Sprintf("the message sends the learner to %q in lessons/%s, which has no such heading", found[2], found[1]),
		"its headings are: " + strings.Join(known, ", ")
}
