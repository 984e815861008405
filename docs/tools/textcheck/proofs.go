package textcheck

import (
	"fmt"
	"path"
	"strings"
)

// isProof reports whether a link leads to a fact test: to a test file.
func isProof(link Link) bool {
	return strings.HasSuffix(link.Destination, "_test.go")
}

// Proofs checks that every proof link of a lesson page names a test in the file it links, and that the page links
// every fact of its own lesson. factsOf gives the facts of a lesson: a page may also link those of another one.
func Proofs(p *Page, lesson string, factsOf func(lesson string) ([]*Fact, error)) ([]Problem, error) {
	own, err := factsOf(lesson)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	linked := make(map[*Fact]bool)
	for _, link := range p.Links {
		if !isProof(link) {
			continue
		}
		file := path.Join("lessons", lesson, link.Destination)
		facts := own
		if other := path.Base(path.Dir(file)); other != lesson {
			if facts, err = factsOf(other); err != nil {
				return nil, err
			}
		}
		found, problem := resolve(p, link, file, facts)
		if problem != nil {
			problems = append(problems, *problem)
		}
		for _, fact := range found {
			linked[fact] = true
		}
	}
	return append(problems, unlinked(p, own, linked)...), nil
}

func resolve(p *Page, link Link, file string, facts []*Fact) ([]*Fact, *Problem) {
	if link.Title == "" {
		return nil, &Problem{
			p.Path, link.Line, fmt.Sprintf("the link to %s does not name the test", link.Destination),
			fmt.Sprintf("write `[the claim](%s \"name of the subtest\")`", link.Destination),
		}
	}
	var found []*Fact
	elsewhere := ""
	for _, fact := range facts {
		if fact.Name != link.Title && fact.Path != link.Title {
			continue
		}
		if fact.File == file {
			found = append(found, fact)
		} else {
			elsewhere = fact.File
		}
	}
	switch {
	case len(found) > 0 && found[0].Parent == nil && found[0].HasFacts:
		return nil, &Problem{
			p.Path, link.Line, fmt.Sprintf("the proof %q is a group of subtests", link.Title),
			"link the subtest that proves the sentence",
		}
	case len(found) > 0:
		return found, nil
	case elsewhere != "":
		return nil, &Problem{
			p.Path, link.Line, fmt.Sprintf("the proof %q is not in %s", link.Title, file),
			"it is in " + elsewhere + ": link that file",
		}
	}
	return nil, &Problem{
		p.Path, link.Line, fmt.Sprintf("the proof %q is not a test of %s", link.Title, file),
		"name a subtest of that file, letter by letter, or a top-level test that has none" + nearest(link.Title, file, facts),
	}
}

// nearest names the fact of the file that shares the longest beginning with the title: mostly a reworded claim.
func nearest(title, file string, facts []*Fact) string {
	best, longest := "", 5
	for _, fact := range facts {
		shared := 0
		for shared < min(len(fact.Name), len(title)) && fact.Name[shared] == title[shared] {
			shared++
		}
		if fact.File == file && shared > longest {
			best, longest = fact.Name, shared
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; there is %q", best)
}

func unlinked(p *Page, facts []*Fact, linked map[*Fact]bool) []Problem {
	shown := make(map[string]bool)
	for _, fence := range p.Fences {
		if fence.Kind == "output" {
			shown[outputText(fence.Code)] = true
		}
	}
	var problems []Problem
	for _, fact := range facts {
		if fact.HasFacts || covered(fact, linked) || fact.IsExample && shown[outputText(strings.Split(fact.Output, "\n"))] {
			continue
		}
		problems = append(problems, Problem{
			fact.File, fact.Line, fmt.Sprintf("%s does not link the fact %q", p.Path, fact.Name),
			fmt.Sprintf("link it, `[the claim](%s %q)`, where the text makes this claim, or delete the test", path.Base(fact.File), fact.Name),
		})
	}
	return problems
}

// covered: the fact itself is linked, or a subtest around it.
func covered(fact *Fact, linked map[*Fact]bool) bool {
	for f := fact; f != nil; f = f.Parent {
		if linked[f] {
			return true
		}
	}
	return false
}

// Outputs checks that every output fence is what an Example of the lesson prints.
func Outputs(p *Page, facts []*Fact) []Problem {
	printed := make(map[string]bool)
	for _, fact := range facts {
		if fact.IsExample {
			printed[outputText(strings.Split(fact.Output, "\n"))] = true
		}
	}
	var problems []Problem
	for _, fence := range p.Fences {
		if fence.Kind == "output" && !printed[outputText(fence.Code)] {
			problems = append(problems, Problem{
				p.Path, fence.Line, "no Example of the lesson's tests prints this",
				"copy the lines below `// Output:` of an Example in lessons/" + path.Base(path.Dir(p.Path)) + ", or write one",
			})
		}
	}
	return problems
}

// outputText is what go test compares: without blanks at the ends. Blanks at the end of a line do not count, since no
// reader sees them.
func outputText(lines []string) string {
	trimmed := make([]string, len(lines))
	for i, line := range lines {
		trimmed[i] = strings.TrimRight(line, " \t")
	}
	return strings.TrimSpace(strings.Join(trimmed, "\n"))
}
