package textcheck

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/yuin/goldmark/ast"
	extensionast "github.com/yuin/goldmark/extension/ast"
)

// planned stands for the minutes of a lesson that has no directory yet.
const planned = "planned"

var (
	rowNumber = regexp.MustCompile(`^\d\d$`)
	total     = regexp.MustCompile(`(\d+) minutes to read and (\d+) to do`)
)

type curriculumRow struct {
	line                        int
	part, number, name, minutes string
	link                        string
}

// Curriculum checks the tables of the README against the lesson directories. Each part has a heading and below it a table whose rows
// begin with the lesson's number, then its title, linked to its directory; the last cell holds `20 + 25`, the minutes to read and
// to do, or `planned` for a lesson without a directory, which is not linked. A sentence with `N minutes to read and M to do`
// gives the sums.
func Curriculum(root string) ([]Problem, error) {
	page, err := Load(root, "README.md")
	if err != nil {
		return nil, err
	}
	lessons, err := Lessons(root)
	if err != nil {
		return nil, err
	}
	directories := make(map[string]string)
	for _, lesson := range lessons {
		directories[lesson[:2]] = lesson
	}
	var problems []Problem
	listed := make(map[string]bool)
	var read, do int
	for i, row := range curriculumRows(page) {
		listed[row.number] = true
		if row.number != fmt.Sprintf("%02d", i+1) {
			problems = append(problems, Problem{
				page.Path, row.line, fmt.Sprintf("lesson %s stands where %02d should", row.number, i+1), "number the lessons without gaps, in order",
			})
		}
		lesson, exists := directories[row.number]
		if !exists {
			if row.minutes != planned || row.link != "" {
				problems = append(problems, Problem{
					page.Path, row.line, fmt.Sprintf("lesson %s has no directory below lessons/", row.number),
					"take the link out and write `planned` for the minutes",
				})
			}
			continue
		}
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(PagePath(lesson))))
		if err != nil {
			return nil, fmt.Errorf("read the lesson page: %w", err)
		}
		if intro, ok := ParseIntroduction(source); ok { // what is not is reported on the lesson's own page
			read, do = read+number(intro.ReadMinutes), do+number(intro.DoMinutes)
			problems = append(problems, compareRow(page, row, lesson, intro)...)
		}
	}
	for _, lesson := range lessons {
		if !listed[lesson[:2]] {
			problems = append(problems, Problem{page.Path, 0, "no table lists lessons/" + lesson, "add its row to the table of its part"})
		}
	}
	problems = append(problems, sums(page, read, do)...)
	Sort(problems)
	return problems, nil
}

func compareRow(page *Page, row curriculumRow, lesson string, intro Introduction) []Problem {
	var problems []Problem
	for _, cell := range []struct{ what, here, there string }{
		{"part", row.part, intro.Part},
		{"title", row.name, intro.Title},
		{"link", row.link, "lessons/" + lesson + "/"},
		{"minutes", row.minutes, intro.ReadMinutes + " + " + intro.DoMinutes},
	} {
		if cell.here != cell.there {
			problems = append(problems, Problem{
				page.Path, row.line, fmt.Sprintf("the %s of lesson %s: %q here, %q in its page or directory", cell.what, row.number, cell.here, cell.there),
				"make them equal",
			})
		}
	}
	return problems
}

func sums(page *Page, read, do int) []Problem {
	found := total.FindSubmatchIndex(page.Source)
	if found == nil {
		return []Problem{{page.Path, 0, "the README does not sum up the minutes", fmt.Sprintf("write `%d minutes to read and %d to do`", read, do)}}
	}
	if got := string(page.Source[found[0]:found[1]]); got != fmt.Sprintf("%d minutes to read and %d to do", read, do) {
		return []Problem{{page.Path, page.lineAt(found[0]), "the lessons do not sum up to " + got, fmt.Sprintf("write `%d minutes to read and %d to do`", read, do)}}
	}
	return nil
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits) // matched as digits; a number too long for an int is a wrong sum, which is reported
	return n
}

func curriculumRows(page *Page) []curriculumRow {
	var rows []curriculumRow
	part := ""
	for node := page.root.FirstChild(); node != nil; node = node.NextSibling() {
		switch n := node.(type) {
		case *ast.Heading:
			part = plainText(n, page.Source)
		case *extensionast.Table:
			for row := n.FirstChild(); row != nil; row = row.NextSibling() {
				cells := cellTexts(page, row)
				if len(cells) < 3 || !rowNumber.MatchString(cells[0]) {
					continue
				}
				found := curriculumRow{line: page.lineOf(row), part: part, number: cells[0], name: cells[1], minutes: cells[len(cells)-1]}
				if links := page.linksBelow(row.FirstChild().NextSibling()); len(links) > 0 {
					found.link = path.Clean(links[0].Destination) + "/"
				}
				rows = append(rows, found)
			}
		}
	}
	return rows
}
