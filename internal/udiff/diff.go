// Package udiff compares sets of text files and applies the differences, in the unified format of `diff -u`
// (POSIX diff, "Diff -u Output Format"). It is strict: what it does not know is an error, so that no change is lost unseen.
//
// Lines end in "\n". A set of files is a map from base name to content.
package udiff

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// contextLines is the number of unchanged lines around each change, as in `diff -u`.
const contextLines = 3

// Diff returns what changes from one set of files to the other as `diff -u` would: unified, three lines of context, files by
// name, new and removed files through /dev/null. Equal sets give no bytes. The names come before the file names:
// Diff("a", "b", …) begins "--- a/file.go".
func Diff(fromName, toName string, from, to map[string][]byte) []byte {
	both := maps.Clone(from)
	if both == nil {
		both = map[string][]byte{}
	}
	maps.Copy(both, to)
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(both)) {
		old, isOld := from[name]
		new, isNew := to[name]
		if isOld && isNew && bytes.Equal(old, new) {
			continue
		}
		fmt.Fprintf(&out, "--- %s\n+++ %s\n", diffName(fromName, name, isOld), diffName(toName, name, isNew))
		writeHunks(&out, compare(splitLines(old), splitLines(new)))
	}
	return out.Bytes()
}

func diffName(prefix, name string, exists bool) string {
	if !exists {
		return "/dev/null"
	}
	return prefix + "/" + name
}

// splitLines returns the lines with their newline; the last one may lack it.
func splitLines(text []byte) []string {
	lines := strings.SplitAfter(string(text), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// An edit is one line of an edit script: kept (' '), removed ('-') or added ('+').
type edit struct {
	kind byte
	line string
}

// compare returns a shortest edit script from old to new (E. W. Myers, "An O(ND) Difference Algorithm and Its
// Variations", 1986). Equal beginnings and ends are set aside first: answers differ in few lines.
func compare(old, new []string) []edit {
	begin := 0
	for begin < len(old) && begin < len(new) && old[begin] == new[begin] {
		begin++
	}
	end := 0
	for end < len(old)-begin && end < len(new)-begin && old[len(old)-1-end] == new[len(new)-1-end] {
		end++
	}
	var script []edit
	for _, line := range old[:begin] {
		script = append(script, edit{' ', line})
	}
	script = append(script, shortestScript(old[begin:len(old)-end], new[begin:len(new)-end])...)
	for _, line := range old[len(old)-end:] {
		script = append(script, edit{' ', line})
	}
	return script
}

// shortestScript runs Myers's greedy search: furthest[k] is how far down old a path with d changes gets on diagonal k
// (lines of old minus lines of new). The rows are kept to walk the way back.
func shortestScript(old, new []string) []edit {
	limit := len(old) + len(new)
	offset := limit + 1
	furthest := make([]int, 2*limit+3)
	var rows [][]int
	for changes := 0; changes <= limit; changes++ {
		rows = append(rows, slices.Clone(furthest))
		for k := -changes; k <= changes; k += 2 {
			var x int
			if goesDown(furthest, offset, k, changes) {
				x = furthest[offset+k+1]
			} else {
				x = furthest[offset+k-1] + 1
			}
			for x < len(old) && x-k < len(new) && old[x] == new[x-k] {
				x++
			}
			furthest[offset+k] = x
			if x >= len(old) && x-k >= len(new) {
				return walkBack(rows, old, new, offset)
			}
		}
	}
	return nil // not reached: limit changes always suffice
}

// goesDown reports whether the best path to diagonal k with that many changes ends by adding a line of new.
func goesDown(furthest []int, offset, k, changes int) bool {
	return k == -changes || (k != changes && furthest[offset+k-1] < furthest[offset+k+1])
}

func walkBack(rows [][]int, old, new []string, offset int) []edit {
	var script []edit // from the end to the beginning
	x, y := len(old), len(new)
	for changes := len(rows) - 1; x > 0 || y > 0; changes-- {
		previousX, previousY := 0, 0
		if changes > 0 {
			k := x - y
			previousK := k - 1
			if goesDown(rows[changes], offset, k, changes) {
				previousK = k + 1
			}
			previousX = rows[changes][offset+previousK]
			previousY = previousX - previousK
		}
		for x > previousX && y > previousY {
			x, y = x-1, y-1
			script = append(script, edit{' ', old[x]})
		}
		switch {
		case x > previousX:
			x--
			script = append(script, edit{'-', old[x]})
		case y > previousY:
			y--
			script = append(script, edit{'+', new[y]})
		}
	}
	slices.Reverse(script)
	return removalsFirst(script)
}

// removalsFirst orders each run of changes as people expect to read it: what goes, then what comes.
func removalsFirst(script []edit) []edit {
	for begin := 0; begin < len(script); {
		end := begin
		for end < len(script) && script[end].kind != ' ' {
			end++
		}
		slices.SortStableFunc(script[begin:end], func(a, b edit) int { return int(b.kind) - int(a.kind) }) // '-' is 45, '+' is 43
		begin = end + 1
	}
	return script
}

// writeHunks writes the script's changes with their context. Changes that share context lines share a hunk.
func writeHunks(out *bytes.Buffer, script []edit) {
	oldLine, newLine := 1, 1 // of script[done]
	for done := 0; ; {
		first := done
		for first < len(script) && script[first].kind == ' ' {
			first++
		}
		if first == len(script) {
			return
		}
		begin := max(done, first-contextLines)
		oldLine, newLine = oldLine+begin-done, newLine+begin-done
		end := hunkEnd(script, first)
		removed, added := writeHunk(out, script[begin:end], oldLine, newLine)
		oldLine, newLine, done = oldLine+removed, newLine+added, end
	}
}

// hunkEnd returns where the hunk that has its first change at first ends: after the context of its last change.
func hunkEnd(script []edit, first int) int {
	end, kept := first, 0
	for at := first; at < len(script) && kept <= 2*contextLines; at++ {
		if script[at].kind == ' ' {
			kept++
			continue
		}
		kept, end = 0, at+1
	}
	return min(end+contextLines, len(script))
}

func writeHunk(out *bytes.Buffer, hunk []edit, oldLine, newLine int) (oldLines, newLines int) {
	for _, e := range hunk {
		if e.kind != '+' {
			oldLines++
		}
		if e.kind != '-' {
			newLines++
		}
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", lineRange(oldLine, oldLines), lineRange(newLine, newLines))
	for _, e := range hunk {
		out.WriteByte(e.kind)
		out.WriteString(e.line)
		if !strings.HasSuffix(e.line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
	return oldLines, newLines
}

// lineRange is a hunk's "start,count". An empty range starts at the line before it, and a count of 1 is left out
// (POSIX diff, "Diff -u Output Format").
func lineRange(start, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", start-1)
	case 1:
		return fmt.Sprint(start)
	}
	return fmt.Sprintf("%d,%d", start, count)
}
