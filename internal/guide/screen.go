package guide

import (
	"fmt"
	"slices"
	"strings"

	"example/turnstile/internal/gotest"
	"example/turnstile/internal/lab/verdict"
)

// A screen is everything that the guide says of one exercise at one time.
type screen struct {
	title     string   // "03 · Seek and truncate"
	before    []string // paragraphs to read before the verdict
	after     string   // a paragraph below a success
	result    *gotest.Result
	reference bool     // the reference was tested, not the learner's code
	elsewhere []string // paragraphs on other systems, below a success
	rows      []row
}

// Bounds on what is shown: of a message that a test wrote in its own words, of what the compiler said, of the names of
// other failing tests.
const (
	mostLines         = 12
	mostCompilerLines = 3
	mostNames         = 9 // an exercise has ten tests at most
)

// String lays the screen out for the palette.
func (p palette) screen(s screen) string {
	var b strings.Builder
	for _, paragraph := range s.before {
		b.WriteString(wrap(paragraph, "", p.width) + "\n\n")
	}
	b.WriteString(p.headline(s) + "\n")
	if body := p.body(s); body != "" {
		b.WriteString("\n" + body + "\n")
	}
	for _, paragraph := range s.elsewhere {
		b.WriteString("\n" + p.red(wrap(paragraph, "", p.width)) + "\n")
	}
	if s.after != "" {
		b.WriteString("\n" + wrap(s.after, "", p.width) + "\n")
	}
	if len(s.rows) > 0 {
		b.WriteString("\n" + p.rows(s.rows))
	}
	return b.String()
}

func (p palette) headline(s screen) string {
	name := p.bold(s.title)
	if s.reference {
		name += " (reference)"
	}
	text := progress(s.result)
	if isDone(s.result) {
		return p.green("✓ ") + name + ": " + p.green(text)
	}
	return p.red("✗ ") + name + ": " + p.red(text)
}

// progress says in a few words how far an answer is.
func progress(r *gotest.Result) string {
	passed, skipped, all := countTests(r)
	switch r.Status {
	case gotest.Passed:
		text := fmt.Sprintf("all %d tests pass", all)
		if all == 1 {
			text = "the test passes"
		}
		if skipped > 0 {
			text = fmt.Sprintf("%d tests pass, %d skipped", passed, skipped)
		}
		if skipped > 0 && passed == 1 {
			text = fmt.Sprintf("1 test passes, %d skipped", skipped)
		}
		if cases := skippedCases(r); skipped == 0 && cases > 0 {
			text += fmt.Sprintf(", %s not run here", counted(cases, "case"))
		}
		return text
	case gotest.Skipped:
		return "not for this system"
	case gotest.DoesNotCompile:
		if r.Vet {
			return "go vet refuses it"
		}
		return "does not compile yet"
	case damaged:
		return "cannot be tested"
	case gotest.Broken:
		return "the tests were stopped"
	}
	return fmt.Sprintf("%d of %d tests pass", passed, all) // a total without the skipped ones would grow with the next step
}

// countTests counts the tests as the learner sees them in the source: subtests belong to their test.
func countTests(r *gotest.Result) (passed, skipped, all int) {
	for _, test := range r.Tests {
		if strings.Contains(test.Name, "/") {
			continue
		}
		all++
		switch test.Status {
		case gotest.Passed:
			passed++
		case gotest.Skipped:
			skipped++
		}
	}
	return passed, skipped, all
}

// body is the verdict itself.
func (p palette) body(s screen) string {
	switch s.result.Status {
	case gotest.Failed:
		return p.failure(s.result)
	case gotest.DoesNotCompile:
		return p.compilerLines(s)
	case gotest.Broken:
		return p.broken(s.result)
	case damaged:
		return wrap(s.result.Reason, "", p.width)
	case gotest.Skipped:
		return wrap("Nothing to do here: "+sentence(visible(s.result.Reason)), "", p.width)
	}
	return p.skipReasons(s.result)
}

// sentence ends text with a full stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?") {
		return text
	}
	return text + "."
}

// failure shows the first failing test in the order of the source, and names the others.
func (p palette) failure(r *gotest.Result) string {
	failures := r.Failures()
	if len(failures) == 0 {
		return wrap(sentence(visible(r.Reason)), "", p.width)
	}
	first := failures[0]
	text := p.message(first) + "\n\n" + "  " + p.dim(padded("test", labelWidth)) + visible(first.Name)
	name, _, _ := strings.Cut(first.Name, "/")
	if passed, all := cases(r, name); all > 1 {
		text += p.dim(fmt.Sprintf("   %d of %d cases of this test pass", passed, all))
	}
	others := otherTests(r, failures)
	if len(others) == 0 {
		return text
	}
	indent := strings.Repeat(" ", 2+labelWidth)
	count := fmt.Sprintf("and %d other tests fail: ", len(others))
	if len(others) == 1 {
		count = "and 1 other test fails: "
	}
	if len(others) > mostNames {
		others = append(others[:mostNames], "…")
	}
	return text + "\n" + indent + p.dim(wrap(count+visible(strings.Join(others, ", ")), indent, p.width))
}

// otherTests returns the names of the failing tests except that of the first failure, with how many of their cases pass.
func otherTests(r *gotest.Result, failures []gotest.TestResult) []string {
	first, _, _ := strings.Cut(failures[0].Name, "/")
	seen := []string{first}
	var names []string
	for _, failure := range failures[1:] {
		name, _, _ := strings.Cut(failure.Name, "/")
		if slices.Contains(seen, name) {
			continue
		}
		seen = append(seen, name)
		if passed, all := cases(r, name); all > 1 {
			name += fmt.Sprintf(" (%d of %d)", passed, all)
		}
		names = append(names, name)
	}
	return names
}

// cases counts the subtests of a test that have none themselves, and those of them that passed. Skipped ones do not count.
func cases(r *gotest.Result, test string) (passed, all int) {
	for _, sub := range leaves(r) {
		if !strings.HasPrefix(sub.Name, test+"/") || sub.Status == gotest.Skipped {
			continue
		}
		all++
		if sub.Status == gotest.Passed {
			passed++
		}
	}
	return passed, all
}

// leaves returns the tests and subtests that have no subtests.
func leaves(r *gotest.Result) []gotest.TestResult {
	var leaves []gotest.TestResult
	for _, test := range r.Tests {
		parent := func(other gotest.TestResult) bool { return strings.HasPrefix(other.Name, test.Name+"/") }
		if !slices.ContainsFunc(r.Tests, parent) {
			leaves = append(leaves, test)
		}
	}
	return leaves
}

// skippedCases counts the subtests that were skipped.
func skippedCases(r *gotest.Result) int {
	n := 0
	for _, test := range leaves(r) {
		if test.Status == gotest.Skipped && strings.Contains(test.Name, "/") {
			n++
		}
	}
	return n
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// broken says why the tests were stopped, and what the code printed last.
func (p palette) broken(r *gotest.Result) string {
	reason := sentence(visible(r.Reason))
	if reason != "" {
		reason = strings.ToUpper(reason[:1]) + reason[1:]
	}
	text := wrap(reason, "", p.width)
	if len(r.Printed) == 0 {
		return text
	}
	text += "\n\nIt printed last:\n"
	for _, line := range r.Printed {
		text += "\n  " + cut(strings.ReplaceAll(visible(line), "\t", "    "), "  ", p.width)
	}
	return text
}

// message shows what a failing test says: the fields that it published, otherwise its own words.
func (p palette) message(test gotest.TestResult) string {
	if test.Failure != nil {
		return p.verdict(*test.Failure)
	}
	lines := strings.Split(strings.Trim(visible(test.Message()), "\n"), "\n")
	if len(lines) > mostLines {
		lines = append(lines[:mostLines], "…")
	}
	for i, line := range lines {
		lines[i] = "  " + cut(strings.ReplaceAll(line, "\t", "    "), "  ", p.width)
	}
	return strings.Join(lines, "\n")
}

// verdict lays a failure message out like verdict.Failure.String, within the width. Bytes of files are cut, not wrapped.
func (p palette) verdict(f verdict.Failure) string {
	indent := strings.Repeat(" ", 2+labelWidth)
	text := p.bold(wrap(visible(f.Says), "", p.width))
	row := func(label, value string, lay func(text, indent string, width int) string) {
		if value = strings.TrimRight(visible(value), "\n"); value != "" {
			text += "\n  " + p.dim(padded(label, labelWidth)) + lay(value, indent, p.width)
		}
	}
	row("did", f.Did, wrap)
	row("expected", f.Expected, cut)
	row("found", f.Found, cut)
	row("means", f.Means, wrap)
	row("read", f.Read, wrap)
	return text
}

// compilerLines shows what the compiler said first: the rest mostly follows from it.
func (p palette) compilerLines(s screen) string {
	lines := s.result.CompilerLines
	more := ""
	if len(lines) > mostCompilerLines {
		more = fmt.Sprintf("\n  and %d more lines", len(lines)-mostCompilerLines)
		lines = lines[:mostCompilerLines]
	}
	whose := "Your code"
	if s.reference {
		whose = "The reference"
	}
	text := whose + " does not compile yet:\n"
	if s.result.Vet {
		text = "It compiles, and go vet refuses it, since it cannot mean what it says:\n"
	}
	for _, line := range lines {
		text += "\n  " + cut(strings.ReplaceAll(visible(line), "\t", "    "), "    ", p.width)
	}
	return text + p.dim(more)
}

// mostSkips is how many tests are named beside the reason for which they were skipped.
const mostSkips = 3

// skipReasons says once for each reason what was not run although the tests passed.
func (p palette) skipReasons(r *gotest.Result) string {
	var reasons []string
	names := map[string][]string{}
	for _, test := range leaves(r) {
		if test.Status != gotest.Skipped {
			continue
		}
		if len(names[test.SkipReason]) == 0 {
			reasons = append(reasons, test.SkipReason)
		}
		names[test.SkipReason] = append(names[test.SkipReason], test.Name)
	}
	var lines []string
	for _, reason := range reasons {
		list := names[reason]
		which := strings.Join(list[:min(len(list), mostSkips)], ", ")
		if len(list) > mostSkips {
			which += fmt.Sprintf(" and %d more", len(list)-mostSkips)
		}
		if reason == "" {
			reason = "no reason given"
		}
		lines = append(lines, "  "+wrap(fmt.Sprintf("not run here: %s (%s)", visible(reason), visible(which)), "    ", p.width))
	}
	return strings.Join(lines, "\n")
}
