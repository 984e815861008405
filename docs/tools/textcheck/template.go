package textcheck

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	extensionast "github.com/yuin/goldmark/extension/ast"

	"example/turnstile/internal/curriculum"
)

const mostTakeaways = 5

// Template checks the form of a lesson page: the first lines, the headings and their order, the questions of Predict,
// the columns of Gotchas, the length of Takeaways.
func Template(p *Page) []Problem {
	problems := slices.Concat(firstLines(p), headings(p))
	for _, section := range p.Sections() {
		if len(section.nodes) == 0 {
			problems = append(problems, Problem{
				p.Path, section.Line, fmt.Sprintf("the section %q is empty", section.Heading),
				"leave the heading out if there is nothing to say",
			})
			continue
		}
		switch section.Heading {
		case "Predict":
			problems = append(problems, predict(p, section)...)
		case "Gotchas":
			problems = append(problems, gotchas(p, section)...)
		case "Takeaways":
			problems = append(problems, takeaways(p, section)...)
		}
	}
	return problems
}

func firstLines(p *Page) []Problem {
	head := curriculum.ParseHead(p.Source)
	directory := path.Base(path.Dir(p.Path))
	var problems []Problem
	report := func(line int, what, do string) { problems = append(problems, Problem{p.Path, line, what, do}) }
	switch {
	case head.Number == "":
		report(1, "the first line is not a lesson title", "write `# NN · Title`, NN being the number of the directory")
	case !strings.HasPrefix(directory, head.Number+"_"):
		report(1, fmt.Sprintf("the title says lesson %s, the directory is %s", head.Number, directory), "give both the same number")
	case !head.Exact || !strings.HasSuffix(head.Promise, ".") || head.Part == "":
		report(3, "the lines below the title do not have the fixed form",
			"after one empty line write `**Promise in one sentence.** Part One, Files. N minutes to read, M to do.` and, where it is so, "+
				"`Builds on [NN](../NN_name/), [MM](../MM_name/).`")
	case head.ReadMinutes == 0 || head.DoMinutes == 0:
		report(3, "a lesson of 0 minutes", "say how long reading and doing take a learner")
	}
	for _, earlier := range head.BuildsOn {
		if earlier[:2] >= head.Number {
			report(3, fmt.Sprintf("`Builds on` names %s, which is not an earlier lesson", earlier), "name earlier lessons only")
		}
	}
	return problems
}

var (
	fixedHeadings = []string{
		"The bug", "Why it happens", "Predict", "The fix", "Your turn", "Takeaways", "In depth", "Gotchas", "On each system",
		"Coming from Python", "Going deeper",
	}
	requiredHeadings = fixedHeadings[:6]
)

func headings(p *Page) []Problem {
	var problems []Problem
	report := func(line int, what, do string) { problems = append(problems, Problem{p.Path, line, what, do}) }
	seen := make(map[string]bool)
	latest := -1
	for i, heading := range p.Headings {
		switch {
		case heading.Level == 1 && i > 0:
			report(heading.Line, fmt.Sprintf("a second title, %q", heading.Text), "use `##` for the fixed headings and `###` below them")
		case heading.Level > 3:
			report(heading.Line, fmt.Sprintf("the heading %q is of level %d", heading.Text, heading.Level), "use `###` at most")
		case heading.Level != 2:
		case !slices.Contains(fixedHeadings, heading.Text):
			report(heading.Line, fmt.Sprintf("%q is none of the fixed headings", heading.Text),
				"use `###` for a heading of your own; the fixed ones are: "+strings.Join(fixedHeadings, ", "))
		case seen[heading.Text]:
			report(heading.Line, fmt.Sprintf("the heading %q occurs twice", heading.Text), "join the two sections")
		default:
			seen[heading.Text] = true
			place := slices.Index(fixedHeadings, heading.Text)
			if place < latest {
				report(heading.Line, fmt.Sprintf("%q is after %q", heading.Text, fixedHeadings[latest]),
					"the order is: "+strings.Join(fixedHeadings, ", "))
			}
			latest = max(latest, place)
		}
	}
	for _, name := range requiredHeadings {
		if !seen[name] {
			report(0, fmt.Sprintf("there is no section %q", name), "every lesson has: "+strings.Join(requiredHeadings, ", "))
		}
	}
	return problems
}

var questionStart = regexp.MustCompile(`^\*\*(\d+)\.\*\* `)

// predict wants `**N.** question`, then the folded answer with a proof in it.
func predict(p *Page, section Section) []Problem {
	var problems []Problem
	report := func(line int, what, do string) { problems = append(problems, Problem{p.Path, line, what, do}) }
	questions, answered, proofs := 0, 0, 0
	open := 0 // the line of the answer that is open, 0 when none is
	for _, node := range section.nodes {
		line, raw := p.lineOf(node), p.rawBlock(node)
		_, html := node.(*ast.HTMLBlock)
		switch {
		case html && strings.HasPrefix(raw, "<details>"):
			if raw != "<details><summary>Answer</summary>" {
				report(line, "an answer opens in another way than the template",
					"write `<details><summary>Answer</summary>` on a line and an empty line after it")
			}
			if questions == 0 || answered == questions {
				report(line, "an answer without a question", "put a paragraph `**N.** question` before it")
			}
			answered, open, proofs = questions, line, 0
		case html && raw == "</details>":
			if open > 0 && proofs == 0 {
				report(open, fmt.Sprintf("the answer to question %d has no proof", questions),
					"link the fact test: `[the claim](file_test.go \"name of the subtest\")`")
			}
			open = 0
		case open > 0:
			proofs += countProofs(p.linksBelow(node))
		default:
			found := questionStart.FindStringSubmatch(raw)
			if found == nil {
				continue
			}
			questions++
			if found[1] != fmt.Sprint(questions) {
				report(line, fmt.Sprintf("question %s is the %dth of the section", found[1], questions), "number the questions 1, 2, 3 …")
			}
		}
	}
	if open > 0 {
		report(open, "an answer is not closed", "write `</details>` on a line of its own between two empty lines")
	}
	if questions != 2 {
		report(section.Line, fmt.Sprintf("Predict asks %d questions", questions), "ask two, each a paragraph that begins `**N.** `")
	} else if answered < questions {
		report(section.Line, "the last question has no answer", "fold the answer below it: `<details><summary>Answer</summary>` … `</details>`")
	}
	return problems
}

// rawBlock is the source of a block of text or HTML.
func (p *Page) rawBlock(node ast.Node) string {
	if node.Type() != ast.TypeBlock || node.Lines() == nil {
		return ""
	}
	var b strings.Builder
	for i := range node.Lines().Len() {
		segment := node.Lines().At(i)
		b.Write(segment.Value(p.Source))
	}
	if html, ok := node.(*ast.HTMLBlock); ok && html.HasClosure() {
		b.Write(html.ClosureLine.Value(p.Source))
	}
	return strings.TrimSpace(b.String())
}

func countProofs(links []Link) int {
	count := 0
	for _, link := range links {
		if isProof(link) {
			count++
		}
	}
	return count
}

var gotchaColumns = []string{"symptom", "cause", "right way", "proof"}

// gotchas wants a table of the four columns with a proof in every row.
func gotchas(p *Page, section Section) []Problem {
	for _, node := range section.nodes {
		table, ok := node.(*extensionast.Table)
		if !ok {
			continue
		}
		return gotchaRows(p, table)
	}
	return []Problem{{p.Path, section.Line, "Gotchas has no table", "make a table with the columns " + strings.Join(gotchaColumns, ", ")}}
}

func gotchaRows(p *Page, table *extensionast.Table) []Problem {
	var problems []Problem
	for row := table.FirstChild(); row != nil; row = row.NextSibling() {
		if _, ok := row.(*extensionast.TableHeader); ok {
			if cells := cellTexts(p, row); !slices.Equal(cells, gotchaColumns) {
				problems = append(problems, Problem{
					p.Path, p.lineOf(row), "the columns of Gotchas are " + strings.Join(cells, ", "),
					"name them " + strings.Join(gotchaColumns, ", "),
				})
			}
			continue
		}
		links := p.linksBelow(row)
		if countProofs(links) == 0 && !slices.ContainsFunc(links, isExperiment) {
			problems = append(problems, Problem{
				p.Path, p.lineOf(row), "a gotcha without a proof",
				"link the fact test in the last column: `[the claim](file_test.go \"name of the subtest\")`",
			})
		}
	}
	return problems
}

// isExperiment reports whether a link leads to a program under docs/: the proof of what no test can do, such as cutting the power.
func isExperiment(link Link) bool {
	return strings.HasPrefix(link.Destination, "../../docs/") && strings.HasSuffix(link.Destination, "/")
}

func cellTexts(p *Page, row ast.Node) []string {
	var cells []string
	for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
		cells = append(cells, strings.TrimSpace(plainText(cell, p.Source)))
	}
	return cells
}

func takeaways(p *Page, section Section) []Problem {
	items := 0
	for _, node := range section.nodes {
		if _, ok := node.(*ast.List); ok {
			items += node.ChildCount()
		}
	}
	if items == 0 || items > mostTakeaways {
		return []Problem{{
			p.Path, section.Line, fmt.Sprintf("Takeaways has %d lines", items),
			fmt.Sprintf("make it a list of one to %d", mostTakeaways),
		}}
	}
	return nil
}
