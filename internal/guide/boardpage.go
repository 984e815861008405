package guide

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"example/turnstile/internal/curriculum"
)

var (
	//go:embed board.html
	boardTemplate string
	// The page allows itself this style and nothing else: no script, no image, no other address.
	//go:embed board.css
	boardStyle string
)

// A boardPage is what the template shows. Every text in it went through shown.
type boardPage struct {
	Style   template.CSS // ours, from board.css
	Policy  string
	Made    string
	Summary string
	Parts   []boardPart
	Columns []boardColumn
	Rows    []boardRow
	Stops   []boardStop
	Problem []boardProblem
	Unknown []string
	Trouble []string
}

type boardPart struct {
	Name    string
	Columns int
}

type boardColumn struct {
	Number, Title string
	Done          int
	People        int
}

type boardRow struct {
	Name  string
	At    string // the first exercise that is not done: "05"
	Done  int
	Cells []boardCell
}

// A boardCell says its state by a sign, by a word and by a colour.
type boardCell struct{ Class, Sign, Short, Title string }

type boardProblem struct{ Name, Says string }

// A boardStop is a test that is the first to fail in the code of one or more people.
type boardStop struct {
	Exercise, Test, Says, Read string
	Count, Begun               int
	Names                      []string
	More                       int
}

const (
	mostStops   = 12
	mostShown   = 160 // letters of a name or a message
	mostTrouble = 100
)

// shown makes a stranger's text fit for the page: one line, nothing invisible, not too long. html/template does the rest.
func shown(text string) string {
	runes := []rune(strings.Join(strings.Fields(visible(clipBytes(text))), " "))
	if len(runes) > mostShown {
		runes = append(runes[:mostShown-1], '…')
	}
	if len(runes) == 0 {
		return "(no name)"
	}
	return string(runes)
}

// clipBytes keeps what shown may show, so that a text of many megabytes is not turned into runes.
func clipBytes(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), 8*mostShown)], "\uFFFD")
}

func allShown(texts []string, most int) []string {
	var list []string
	for _, text := range texts {
		if len(list) == most {
			return append(list, fmt.Sprintf("… and %d more", len(texts)-most))
		}
		list = append(list, shown(text))
	}
	return list
}

// page makes the HTML. It needs no other file, no script and no network.
func (c *class) page(book *curriculum.Book, exercises []*curriculum.Exercise, now time.Time) ([]byte, error) {
	sum := sha256.Sum256([]byte(boardStyle))
	p := boardPage{
		Style:  template.CSS(boardStyle),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'",
		Made:   now.Format("Monday 2 January 2006, 15:04"),
	}
	p.Parts = boardParts(book, exercises)
	done := 0
	for _, e := range exercises {
		p.Columns = append(p.Columns, boardColumn{Number: e.ID[:2], Title: shown(e.Title), People: len(c.people)})
	}
	for _, who := range c.people {
		if who.problem != "" {
			p.Problem = append(p.Problem, boardProblem{shown(who.name), shown(who.problem)})
			continue
		}
		row := rowOf(who, exercises)
		done += row.Done
		for i, cell := range row.Cells {
			if cell.Class == "done" {
				p.Columns[i].Done++
			}
		}
		p.Rows = append(p.Rows, row)
	}
	p.Summary = fmt.Sprintf("%s, %s: %d of %d done", boardCounted(len(c.people), "person", "people"),
		counted(len(exercises), "exercise"), done, len(c.people)*len(exercises))
	p.Stops = c.stops(exercises)
	p.Unknown = allShown(append(slices.Clone(c.unknown), pageUnknown()...), mostTrouble)
	p.Trouble = allShown(c.trouble, mostTrouble)
	var text bytes.Buffer
	if err := template.Must(template.New("board").Parse(boardTemplate)).Execute(&text, p); err != nil {
		return nil, fmt.Errorf("make the page: %w", err)
	}
	return text.Bytes(), nil
}

// pageUnknown lists what this page cannot know, whatever the reports say.
func pageUnknown() []string {
	return []string{
		"when a report was made: the page shows that moment, and not this one",
		"what a person understood: a done exercise may be copied, and an open one nearly right",
		"whether a report from a person's own machine was edited; a directory that is tested here was not",
	}
}

func boardCounted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func boardParts(book *curriculum.Book, exercises []*curriculum.Exercise) []boardPart {
	var parts []boardPart
	for _, part := range book.Parts {
		n := 0
		for _, e := range part.Exercises {
			if slices.Contains(exercises, e) {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, boardPart{shown(part.Name), n})
		}
	}
	return parts
}

// findStrangers reports exercises that this edition of the workbook does not have.
func (c *class) findStrangers(all []*curriculum.Exercise) {
	var strangers []string
	for _, who := range c.people {
		for _, e := range who.exercises {
			known := slices.ContainsFunc(all, func(k *curriculum.Exercise) bool { return k.ID == e.Name })
			if !known && !slices.Contains(strangers, shown(e.Name)) && len(strangers) < mostTrouble {
				strangers = append(strangers, shown(e.Name))
			}
		}
	}
	if len(strangers) > 0 {
		c.refuse("The reports hold exercises that this edition of the workbook does not have: %s.", strings.Join(strangers, ", "))
	}
}

func rowOf(who person, exercises []*curriculum.Exercise) boardRow {
	row := boardRow{Name: shown(who.name), At: "all done"}
	for _, e := range exercises {
		cell := boardCell{"none", "?", "", "not in the report"}
		if r := who.exercise(e.ID); r != nil {
			cell = cellOf(*r)
		}
		if cell.Class == "done" {
			row.Done++
		} else if row.At == "all done" {
			row.At = e.ID[:2]
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

func (who person) exercise(id string) *exerciseReport {
	at := slices.IndexFunc(who.exercises, func(r exerciseReport) bool { return r.Name == id })
	if at < 0 {
		return nil
	}
	return &who.exercises[at]
}

func cellOf(r exerciseReport) boardCell {
	passed, all := 0, 0
	for _, test := range r.Tests {
		if !strings.Contains(test.Name, "/") {
			all++
			if test.Status == "passed" {
				passed++
			}
		}
	}
	switch {
	case r.Status == "passed":
		return boardCell{"done", "✓", "", "done"}
	case r.Status == "skipped":
		return boardCell{"done", "–", "", "not for this system"}
	case !r.Changed:
		return boardCell{"unbegun", "·", "", "not begun"}
	case r.Status == "does_not_compile":
		return boardCell{"failed", "✗", "build", "does not compile: " + shown(r.Message)}
	case r.Status == "broken":
		return boardCell{"failed", "✗", "stop", "the tests were stopped: " + shown(r.Message)}
	}
	return boardCell{"failed", "✗", fmt.Sprintf("%d/%d", passed, all), fmt.Sprintf("%d of %d tests pass: %s", passed, all, shown(r.Message))}
}

// stops returns the tests that are the first to fail, those first that stop most people.
func (c *class) stops(exercises []*curriculum.Exercise) []boardStop {
	var stops []*boardStop
	for _, e := range exercises {
		found := map[string]*boardStop{}
		begun := 0
		for _, who := range c.people {
			r := who.exercise(e.ID)
			if r == nil || !r.Changed {
				continue
			}
			begun++
			test, message := firstFailure(*r)
			if test == "" {
				continue
			}
			stop := found[test]
			if stop == nil {
				stop = &boardStop{Exercise: e.ID[:2] + " " + shown(e.Title), Test: shown(test), Says: headline(message), Read: readIn(message)}
				found[test] = stop
				stops = append(stops, stop)
			}
			stop.Count++
			if len(stop.Names) < mostStops {
				stop.Names = append(stop.Names, shown(who.name))
			} else {
				stop.More++
			}
		}
		for _, stop := range found {
			stop.Begun = begun
		}
	}
	slices.SortStableFunc(stops, func(a, b *boardStop) int { return cmp.Compare(b.Count, a.Count) })
	var list []boardStop
	for _, stop := range stops[:min(len(stops), mostStops)] {
		list = append(list, *stop)
	}
	return list
}

// firstFailure returns the test that a person meets first, without its case, and what it says; "" if none fails.
func firstFailure(r exerciseReport) (test, message string) {
	switch r.Status {
	case "passed", "skipped":
		return "", ""
	case "does_not_compile":
		return "(does not compile)", r.Message
	}
	for i, test := range r.Tests {
		if test.Status != "failed" && test.Status != "broken" {
			continue
		}
		deeper := i+1 < len(r.Tests) && strings.HasPrefix(r.Tests[i+1].Name, test.Name+"/")
		if deeper && strings.TrimSpace(test.Message) == "" {
			continue // it failed through one of its cases
		}
		name, _, _ := strings.Cut(test.Name, "/")
		return name, test.Message
	}
	return "(the tests were stopped)", r.Message
}

func headline(message string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(clipBytes(message)), "\n")
	if first == "" {
		return "no message"
	}
	return shown(first)
}

// readIn returns the section of the lesson that a message names, "" if it names none.
func readIn(message string) string {
	for line := range strings.Lines(message[:min(len(message), 4096)]) {
		if place, found := strings.CutPrefix(strings.TrimSpace(line), "read "); found && strings.Contains(place, "lessons/") {
			return shown(place)
		}
	}
	return ""
}
