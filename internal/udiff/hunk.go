package udiff

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A File is what a unified diff says of one file.
type File struct {
	Name             string // base name
	creates, removes bool
	hunks            []hunk
}

// A Mismatch says where a diff does not fit the files that it is applied to.
type Mismatch struct {
	File string
	Hunk int // 1 is the file's first; 0 if no hunk is to blame
	Line int // of the file before the diff
	// Expected is the line (or state) that the diff relies on, and Found the actual one.
	Expected, Found string
}

// A Refit says what File.Refit had to do.
type Refit struct {
	Moved    int      // hunks found at another line than the diff says
	Rejected []string // hunks that fit nowhere, or in several places, and whole files that are not as the diff needs them
}

// A hunk replaces the lines old, which begin at line start (from 1), by new.
type hunk struct {
	start    int
	old, new []string
	text     []string // as in the diff, with the header
}

// Parse reads a unified diff. It takes what Diff and `diff -u` write (a tab and a date may follow a file's name) and
// nothing else. Files are known by their base names; a diff that names one twice or renames one is an error.
func Parse(diff []byte) ([]File, error) {
	lines := splitLines(diff)
	var files []File
	for at := 0; at < len(lines); {
		f, next, err := parseFile(lines, at)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(files, func(g File) bool { return g.Name == f.Name }) {
			return nil, fmt.Errorf("line %d of the diff: %s comes twice", at+1, f.Name)
		}
		files = append(files, f)
		at = next
	}
	return files, nil
}

func parseFile(lines []string, at int) (f File, next int, err error) {
	from, isFrom := strings.CutPrefix(lines[at], "--- ")
	if !isFrom || at+1 == len(lines) || !strings.HasPrefix(lines[at+1], "+++ ") {
		return f, 0, fmt.Errorf("line %d of the diff, %q: expected `--- a/FILE` and `+++ b/FILE`", at+1, chomp(lines[at]))
	}
	from, to := diffFile(from), diffFile(strings.TrimPrefix(lines[at+1], "+++ "))
	f = File{Name: path.Base(to), creates: from == "/dev/null", removes: to == "/dev/null"}
	if f.removes {
		f.Name = path.Base(from)
	}
	switch {
	case f.creates && f.removes:
		return f, 0, fmt.Errorf("line %d of the diff: a file cannot come from /dev/null and go there", at+1)
	case !f.creates && !f.removes && path.Base(from) != path.Base(to):
		return f, 0, fmt.Errorf("line %d of the diff: a file is not renamed by a patch (%s, %s): remove one and create the other", at+1, from, to)
	}
	at += 2
	for at < len(lines) && strings.HasPrefix(lines[at], "@@ ") {
		h, after, err := parseHunk(lines, at)
		if err != nil {
			return f, 0, err
		}
		f.hunks = append(f.hunks, h)
		at = after
	}
	if len(f.hunks) == 0 && !f.creates && !f.removes {
		return f, 0, fmt.Errorf("line %d of the diff: %s has no hunk (a line that begins with @@)", at, f.Name)
	}
	return f, at, nil
}

func chomp(line string) string { return strings.TrimSuffix(line, "\n") }

func diffFile(rest string) string {
	name, _, _ := strings.Cut(chomp(rest), "\t")
	return strings.TrimSpace(name)
}

var hunkHeader = regexp.MustCompile(`^@@ -([0-9]+)(?:,([0-9]+))? \+([0-9]+)(?:,([0-9]+))? @@`)

func parseHunk(lines []string, at int) (h hunk, next int, err error) {
	m := hunkHeader.FindStringSubmatch(lines[at])
	if m == nil {
		return h, 0, fmt.Errorf("line %d of the diff, %q: expected a header such as @@ -12,7 +12,6 @@", at+1, chomp(lines[at]))
	}
	start, oldLines, newLines, err := hunkRange(m)
	if err != nil {
		return h, 0, fmt.Errorf("line %d of the diff, %q: %w", at+1, chomp(lines[at]), err)
	}
	h.start = start
	next = at + 1
	for ; next < len(lines); next++ {
		line := lines[next]
		complete := len(h.old) == oldLines && len(h.new) == newLines
		if strings.HasPrefix(line, `\`) { // "\ No newline at end of file" is about the line above
			h.dropNewline(lines[next-1])
			continue
		}
		if complete {
			break
		}
		switch {
		case line == "\n": // an editor took the space of an empty context line away
			h.old, h.new = append(h.old, line), append(h.new, line)
		case line[0] == ' ':
			h.old, h.new = append(h.old, line[1:]), append(h.new, line[1:])
		case line[0] == '-':
			h.old = append(h.old, line[1:])
		case line[0] == '+':
			h.new = append(h.new, line[1:])
		default:
			return h, 0, fmt.Errorf("line %d of the diff, %q: expected a line of the hunk (space, - or +)", next+1, chomp(line))
		}
	}
	if len(h.old) != oldLines || len(h.new) != newLines {
		return h, 0, fmt.Errorf("line %d of the diff, %q: the hunk has %d old and %d new lines", at+1, chomp(lines[at]), len(h.old), len(h.new))
	}
	h.text = lines[at:next]
	return h, next, nil
}

func hunkRange(m []string) (start, oldLines, newLines int, err error) {
	numbers := [4]int{1: 1, 3: 1} // a count that is left out is 1
	for i, digits := range m[1:] {
		if digits == "" {
			continue
		}
		if numbers[i], err = strconv.Atoi(digits); err != nil {
			return 0, 0, 0, err
		}
	}
	start = numbers[0]
	if numbers[1] == 0 { // an empty range starts at the line before it
		start++
	}
	if start == 0 {
		return 0, 0, 0, errors.New("lines are counted from 1")
	}
	return start, numbers[1], numbers[3], nil
}

// dropNewline takes the newline from the last old line, the last new line or both, whichever the diff line was.
func (h *hunk) dropNewline(diffLine string) {
	drop := func(lines []string) {
		if n := len(lines); n > 0 {
			lines[n-1] = chomp(lines[n-1])
		}
	}
	if diffLine[0] != '+' {
		drop(h.old)
	}
	if diffLine[0] != '-' {
		drop(h.new)
	}
}

// Apply changes files, in place. Every hunk must fit at its line, to the letter; otherwise the result says where it does
// not, and files is unchanged.
func (f File) Apply(files map[string][]byte) *Mismatch {
	lines, mismatch := f.begin(files)
	if mismatch != nil {
		return mismatch
	}
	shift := 0 // by the hunks before
	for i, h := range f.hunks {
		at := h.start - 1 + shift
		if line, expected, found, ok := h.fits(lines, at); !ok {
			return &Mismatch{File: f.Name, Hunk: i + 1, Line: line - shift, Expected: expected, Found: found}
		}
		lines = slices.Replace(slices.Clone(lines), at, at+len(h.old), h.new...)
		shift += len(h.new) - len(h.old)
	}
	if mismatch := f.end(files, lines); mismatch != nil {
		return mismatch
	}
	return nil
}

// begin returns the file's lines, after checking that the file exists or is missing as the diff needs it.
func (f File) begin(files map[string][]byte) ([]string, *Mismatch) {
	text, exists := files[f.Name]
	switch {
	case f.creates && exists:
		return nil, &Mismatch{File: f.Name, Expected: "no such file in the reference", Found: "one"}
	case !f.creates && !exists:
		return nil, &Mismatch{File: f.Name, Expected: "the file in the reference", Found: strings.Join(slices.Sorted(maps.Keys(files)), ", ")}
	}
	return splitLines(text), nil
}

// end stores the lines, or removes the file after checking that nothing of it is left.
func (f File) end(files map[string][]byte, lines []string) *Mismatch {
	if !f.removes {
		files[f.Name] = []byte(strings.Join(lines, ""))
		return nil
	}
	if len(lines) > 0 {
		return &Mismatch{File: f.Name, Expected: "nothing left after the removal", Found: strconv.Quote(chomp(lines[0]))}
	}
	delete(files, f.Name)
	return nil
}

// fits compares the hunk's old lines with those at that index; line is the first one that differs, from 1.
func (h hunk) fits(lines []string, at int) (line int, expected, found string, ok bool) {
	if at > len(lines) {
		return at + 1, "a line", "the end of the file", false
	}
	for i, old := range h.old {
		switch {
		case at+i >= len(lines):
			return at + i + 1, strconv.Quote(chomp(old)), "the end of the file", false
		case lines[at+i] != old:
			return at + i + 1, strconv.Quote(chomp(old)), strconv.Quote(chomp(lines[at+i])), false
		}
	}
	return 0, "", "", true
}

// Refit applies to files, in place, what fits: a hunk that fits in exactly one other place goes there, one that does not is
// left out and listed.
func (f File) Refit(files map[string][]byte, refit *Refit) {
	lines, mismatch := f.begin(files)
	if mismatch != nil {
		refit.Rejected = append(refit.Rejected, fmt.Sprintf("%s: expected %s", f.Name, mismatch.Expected))
		return
	}
	if f.removes {
		delete(files, f.Name) // whatever it holds now: the answer is to have no such file
		return
	}
	shift, from := 0, 0 // hunks stay in order: each is looked for after the one before
	for _, h := range f.hunks {
		at, moved, ok := h.find(lines, from, h.start-1+shift)
		if !ok {
			refit.Rejected = append(refit.Rejected, f.Name+"\n"+strings.Join(h.text, ""))
			continue
		}
		if moved {
			refit.Moved++
		}
		lines = slices.Replace(slices.Clone(lines), at, at+len(h.old), h.new...)
		shift, from = at-(h.start-1)+len(h.new)-len(h.old), at+len(h.new)
	}
	files[f.Name] = []byte(strings.Join(lines, ""))
}

// find returns the index where the hunk fits: the expected one, or the only other.
func (h hunk) find(lines []string, from, expected int) (at int, moved, ok bool) {
	if expected >= from {
		if _, _, _, fits := h.fits(lines, expected); fits {
			return expected, false, true
		}
	}
	if len(h.old) == 0 { // an insertion without context fits everywhere, so nowhere for certain
		return 0, false, false
	}
	places := 0
	for i := from; i <= len(lines)-len(h.old); i++ {
		if _, _, _, fits := h.fits(lines, i); fits {
			at = i
			places++
		}
	}
	return at, true, places == 1
}
