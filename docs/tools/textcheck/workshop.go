package textcheck

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	extensionast "github.com/yuin/goldmark/extension/ast"

	"example/turnstile/internal/curriculum"
)

var (
	scheduleTitle = regexp.MustCompile(`\b(\d+) minutes$`)
	lessonInLink  = regexp.MustCompile(`(?:^|/)lessons/(\d\d_[a-z0-9_]+)/?$`)
)

// onTheWall marks a lesson of which a class sees the bug and the demo, and does not do the exercise.
const onTheWall = "on the wall"

// Schedules checks the schedules of a page against the minutes of the lessons. A schedule is a third-level heading that ends in
// `N minutes`, with tables of three cells below: when it begins, what, and the minutes, which are `10 + 30` (to read and to do) for a
// lesson that the row links. Each row begins when the one before ends, and together they take N minutes.
func Schedules(p *Page, book *curriculum.Book) []Problem {
	var problems []Problem
	schedules := 0
	var title Problem // where the schedule began
	planned, now := 0, 0
	finish := func() {
		if planned != now {
			title.What = fmt.Sprintf("the rows of the schedule take %d minutes, and its title says %d", now, planned)
			problems = append(problems, title)
		}
		planned, now = 0, 0
	}
	for node := p.root.FirstChild(); node != nil; node = node.NextSibling() {
		switch n := node.(type) {
		case *ast.Heading:
			finish()
			if m := scheduleTitle.FindStringSubmatch(plainText(n, p.Source)); m != nil && n.Level == 3 {
				schedules++
				planned, _ = strconv.Atoi(m[1]) // digits
				title = Problem{p.Path, p.lineOf(n), "", "make the two equal"}
			}
		case *extensionast.Table:
			for row := n.FirstChild(); row != nil && planned > 0; row = row.NextSibling() {
				if _, isHeader := row.(*extensionast.TableHeader); isHeader {
					continue
				}
				minutes, found := scheduleRow(p, row, book, now)
				now += minutes
				problems = append(problems, found...)
			}
		}
	}
	finish()
	if schedules == 0 {
		problems = append(problems, Problem{p.Path, 1, "no schedule", "write `### A day: 480 minutes` and its table"})
	}
	return problems
}

// scheduleRow returns how long a row takes, and what is wrong with it.
func scheduleRow(p *Page, row ast.Node, book *curriculum.Book, now int) (minutes int, problems []Problem) {
	cells := cellTexts(p, row)
	report := func(what, do string) { problems = append(problems, Problem{p.Path, p.lineOf(row), what, do}) }
	if at := fmt.Sprintf("%d:%02d", now/60, now%60); cells[0] != at {
		report(fmt.Sprintf("the row begins at %s, and the one before ends at %s", cells[0], at), "write "+at)
	}
	links := p.linksBelow(row)
	if len(links) == 0 {
		minutes, err := strconv.Atoi(cells[2])
		if err != nil || minutes <= 0 {
			report(fmt.Sprintf("%q is not a number of minutes", cells[2]), "write one, or link the lesson")
		}
		return minutes, problems
	}
	m := lessonInLink.FindStringSubmatch(links[0].Destination)
	at := slices.IndexFunc(book.Exercises, func(e *curriculum.Exercise) bool { return m != nil && e.ID == m[1] })
	if at < 0 {
		report("the row links no lesson", "link lessons/NN_name/")
		return 0, problems
	}
	e := book.Exercises[at]
	do := e.DoMinutes
	if strings.HasSuffix(cells[1], onTheWall) {
		do = 0
	}
	if want := fmt.Sprintf("%d + %d", e.ReadMinutes, do); cells[2] != want {
		report(fmt.Sprintf("lesson %s takes %s, and the row says %s", e.ID[:2], want, cells[2]),
			"write it, and let the rows below begin later; a lesson that is only shown ends in `, "+onTheWall+"`")
	}
	if want := e.ID[:2] + " " + e.Title; links[0].Text != want {
		report(fmt.Sprintf("the row calls the lesson %q", links[0].Text), "write "+want)
	}
	return e.ReadMinutes + do, problems
}

// noteParts are the paragraphs of a lesson in the notes for the facilitator, in their order.
var noteParts = []string{"Note.", "Ask.", "Demo.", "Mistake.", "Stuck.", "Board."}

var notePart = regexp.MustCompile(`(?m)^\*\*(\w+\.)\*\* `)

// Notes checks the notes on one part of the course: a section for each of its lessons, with the lesson's title and minutes, all
// noteParts, a demo that can be typed, a mistake that is one of the lesson's wrong answers, and a drawing.
func Notes(p *Page, lessons []*curriculum.Exercise) []Problem {
	var problems []Problem
	sections := p.Sections()
	for i, e := range lessons {
		title := fmt.Sprintf("%s · %s", e.ID[:2], e.Title)
		if i >= len(sections) || sections[i].Heading != title {
			problems = append(problems, Problem{p.Path, 1, "lesson " + title + " has no section in its place", "write `## " + title + "`"})
			continue
		}
		end := len(p.Source)
		if i+1 < len(sections) {
			end = p.offsetOf(sections[i+1].Line)
		}
		problems = append(problems, noteProblems(p, e, sections[i], string(p.Source[p.offsetOf(sections[i].Line):end]))...)
	}
	if len(sections) > len(lessons) {
		problems = append(problems, Problem{p.Path, sections[len(lessons)].Line, "a section about no lesson of the part", "delete it"})
	}
	return problems
}

func (p *Page) offsetOf(line int) int {
	offset := 0
	for range line - 1 {
		offset += strings.IndexByte(string(p.Source[offset:]), '\n') + 1
	}
	return offset
}

func noteProblems(p *Page, e *curriculum.Exercise, section Section, text string) []Problem {
	var problems []Problem
	report := func(what, do string) { problems = append(problems, Problem{p.Path, section.Line, what, do}) }
	minutes := fmt.Sprintf("[The lesson](../../lessons/%s/), %d + %d minutes.", e.ID, e.ReadMinutes, e.DoMinutes)
	if !strings.Contains(text, "\n"+minutes+"\n") {
		report("lesson "+e.ID[:2]+": its link and its minutes are missing", "write `"+minutes+"`")
	}
	var parts []string
	for _, m := range notePart.FindAllStringSubmatch(text, -1) {
		parts = append(parts, m[1])
	}
	if !slices.Equal(parts, noteParts) {
		report(fmt.Sprintf("lesson %s has the paragraphs %v", e.ID[:2], parts), fmt.Sprintf("write %v", noteParts))
	}
	mistake := false
	for _, node := range section.nodes {
		for _, link := range p.linksBelow(node) {
			mistake = mistake || strings.HasPrefix(path.Join("docs/workshop", link.Destination), "solutions/"+e.ID+"/wrong/")
		}
	}
	if !mistake {
		report("lesson "+e.ID[:2]+" links no mistake", "link one of solutions/"+e.ID+"/wrong/")
	}
	for _, kind := range []string{"sh", "text"} {
		if !strings.Contains(text, "\n```"+kind+"\n") {
			report(fmt.Sprintf("lesson %s has no block of the kind %s", e.ID[:2], kind), "write the demo's commands and the drawing")
		}
	}
	if !strings.Contains(text, fmt.Sprintf("\ngo run ./exercises race %d\n", e.Number)) {
		report("lesson "+e.ID[:2]+": its race demo is missing", fmt.Sprintf("write `go run ./exercises race %d`", e.Number))
	}
	return problems
}
