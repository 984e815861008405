package textcheck

import (
	"fmt"
	"path"
	"regexp"
	"slices"

	"github.com/yuin/goldmark/ast"
	extensionast "github.com/yuin/goldmark/extension/ast"

	"example/turnstile/internal/curriculum"
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
func Curriculum(book *curriculum.Book) ([]Problem, error) {
	page, err := Load(book.Root, "README.md")
	if err != nil {
		return nil, err
	}
	rows := curriculumRows(page)
	problems := compareRows(page, rows, book)
	var read, do int
	for _, e := range book.Exercises {
		read, do = read+e.ReadMinutes, do+e.DoMinutes
		if !slices.ContainsFunc(rows, func(row curriculumRow) bool { return row.number == e.ID[:2] }) {
			problems = append(problems, Problem{page.Path, 0, "no table lists lessons/" + e.ID, "add its row to the table of its part"})
		}
	}
	problems = append(problems, sums(page, read, do)...)
	Sort(problems)
	return problems, nil
}

func compareRows(page *Page, rows []curriculumRow, book *curriculum.Book) []Problem {
	lessons := make(map[string]*curriculum.Exercise)
	for _, e := range book.Exercises {
		lessons[e.ID[:2]] = e
	}
	var problems []Problem
	for i, row := range rows {
		if row.number != fmt.Sprintf("%02d", i+1) {
			problems = append(problems, Problem{
				page.Path, row.line, fmt.Sprintf("lesson %s is where %02d should be", row.number, i+1), "number the lessons without gaps, in order",
			})
		}
		switch lesson := lessons[row.number]; {
		case lesson == nil && (row.minutes != planned || row.link != ""):
			problems = append(problems, Problem{
				page.Path, row.line, fmt.Sprintf("lesson %s has no directory below lessons/", row.number),
				"take the link out and write `planned` for the minutes",
			})
		case lesson != nil && lesson.ReadMinutes > 0: // what is missing is reported on the lesson's own page
			problems = append(problems, compareRow(page, row, lesson)...)
		}
	}
	return problems
}

func compareRow(page *Page, row curriculumRow, lesson *curriculum.Exercise) []Problem {
	var problems []Problem
	for _, cell := range []struct{ what, here, there string }{
		{"part", row.part, lesson.Part},
		{"title", row.name, lesson.Title},
		{"link", row.link, "lessons/" + lesson.ID + "/"},
		{"minutes", row.minutes, fmt.Sprintf("%d + %d", lesson.ReadMinutes, lesson.DoMinutes)},
	} {
		if cell.here != cell.there {
			problems = append(problems, Problem{
				page.Path, row.line, fmt.Sprintf("the %s of lesson %s: %q here, %q in its page or directory", cell.what, row.number, cell.here,
					cell.there),
				"make them equal",
			})
		}
	}
	return problems
}

func sums(page *Page, read, do int) []Problem {
	found := total.FindSubmatchIndex(page.Source)
	if found == nil {
		return []Problem{{
			page.Path, 0, "the README does not sum up the minutes",
			fmt.Sprintf("write `%d minutes to read and %d to do`", read, do),
		}}
	}
	if got := string(page.Source[found[0]:found[1]]); got != fmt.Sprintf("%d minutes to read and %d to do", read, do) {
		return []Problem{{
			page.Path, page.lineAt(found[0]), "the lessons do not sum up to " + got,
			fmt.Sprintf("write `%d minutes to read and %d to do`", read, do),
		}}
	}
	return nil
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
