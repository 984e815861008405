package textcheck

import (
	"regexp"
	"strings"
)

// elision in a block means what is left out or varies.
const elision = "…"

// matcher compares the lines of a block with lines of another text. A block's line for which skips is true
// stands for any number of lines.
type matcher struct {
	block []string
	skips func(line string) bool
	equal func(blockLine, line string) bool
}

// A mismatch is the furthest point up to which a block could be matched: block[:Matched] fits, Line is the index of the
// line that does not fit, or len(lines) when they end too early.
type mismatch struct{ Matched, Line int }

// match reports whether the block is found in lines from index start on; with whole, up to their end.
func (m matcher) match(lines []string, start int, whole bool) (bool, mismatch) {
	furthest := mismatch{-1, start}
	tried := make(map[[2]int]bool)
	var from func(i, j int) bool
	from = func(i, j int) bool {
		if i > furthest.Matched {
			furthest = mismatch{i, j}
		}
		if tried[[2]int{i, j}] {
			return false
		}
		tried[[2]int{i, j}] = true
		switch {
		case i == len(m.block):
			return !whole || j == len(lines)
		case m.skips(m.block[i]):
			return from(i+1, j) || j < len(lines) && from(i, j+1)
		default:
			return j < len(lines) && m.equal(m.block[i], lines[j]) && from(i+1, j+1)
		}
	}
	return from(0, start), furthest
}

// matchLine reports whether line fits pattern, in which `…` stands for anything, blanks around it included, so that a
// number may be wider or narrower in its column.
func matchLine(pattern, line string) bool {
	parts := strings.Split(pattern, elision)
	if len(parts) == 1 {
		return pattern == line
	}
	for i := range parts {
		if i > 0 {
			parts[i] = strings.TrimLeft(parts[i], " ")
		}
		if i < len(parts)-1 {
			parts[i] = strings.TrimRight(parts[i], " ")
		}
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(line, first) || len(line) < len(first)+len(last) || !strings.HasSuffix(line, last) {
		return false
	}
	middle := line[len(first) : len(line)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(middle, part)
		if i < 0 {
			return false
		}
		middle = middle[i+len(part):]
	}
	return true
}

// matchNumbers is matchLine for output whose numbers differ from run to run: a number fits every number, but 0 only 0, and
// columns may move. In the verdict a number other than 0 must stay one: a race that is there has lost something, while one
// row of a table may well be 0 in the next run. A status is part of what a command promises: that line is compared as it is.
func matchNumbers(pattern, line string, verdict bool) bool {
	if strings.HasPrefix(pattern, "exit status ") {
		return pattern == line
	}
	var expression strings.Builder
	end := 0
	for _, at := range shownToken.FindAllStringIndex(pattern, -1) {
		expression.WriteString(regexp.QuoteMeta(pattern[end:at[0]]))
		found := pattern[at[0]:at[1]]
		end = at[1]
		switch {
		case strings.Contains(found, elision):
			expression.WriteString(`.*`)
		case found[0] == ' ':
			expression.WriteString(` +`)
		case zero.MatchString(found):
			expression.WriteString(`0(?:[.,]0+)*`)
		case verdict:
			expression.WriteString(`[\d.,]*[1-9][\d.,]*`)
		default:
			expression.WriteString(`\d+(?:[.,]\d+)*`)
		}
	}
	expression.WriteString(regexp.QuoteMeta(pattern[end:]))
	return regexp.MustCompile(`^(?:` + expression.String() + `)$`).MatchString(line)
}

var (
	shownToken = regexp.MustCompile(` *` + elision + ` *| +|\d+(?:[.,]\d+)*`)
	zero       = regexp.MustCompile(`^[0.,]+$`)
)
