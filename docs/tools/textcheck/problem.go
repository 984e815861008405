// Package textcheck holds the texts of the workbook to docs/contributing.md: the form of a lesson page, the code and the
// output it shows, the tests it names as proof, its links, and the places that point back at it.
//
// Every check is a function that returns Problems and changes nothing. A check never runs code, with one exception:
// Console runs the commands of console blocks, from an allow-list, in a copy of the workbook as shipped.
//
// What no check can decide: whether a sentence is true, or whether the linked test proves it. That is the author's work.
package textcheck

import (
	"cmp"
	"fmt"
	"slices"
)

// A Problem is one thing that is wrong at one place, and what to do about it.
type Problem struct {
	File string // slash-separated, relative to the root of the workbook
	Line int    // counted from 1; 0 when the whole file is meant
	What string
	Do   string
}

// String gives the problem as `file:line: what` and, on a line of its own, what to do.
func (p Problem) String() string {
	place := p.File
	if p.Line > 0 {
		place = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s: %s\n    %s", place, p.What, p.Do)
}

// Sort orders problems by file and line, so that a report reads from top to bottom.
func Sort(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}
