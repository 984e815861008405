package curriculum

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An UnknownError says that a query names no exercise, or several.
type UnknownError struct {
	Query string
	// Near are the IDs that the query may have meant, the likeliest first; all IDs if none is near.
	Near []string
	// Ambiguous says that each of Near fits the query, so that it must be made longer.
	Ambiguous bool
}

func (e *UnknownError) Error() string {
	switch {
	case e.Ambiguous:
		return fmt.Sprintf("%q fits several exercises: %s; type one of them in full", e.Query, strings.Join(e.Near, ", "))
	case len(e.Near) == 0:
		return fmt.Sprintf("no exercise %q: this workbook has no exercises yet", e.Query)
	}
	return fmt.Sprintf("no exercise %q; near it: %s", e.Query, strings.Join(e.Near, ", "))
}

// Find returns the exercise that query names: its number (3, 03), its ID (03_seek_truncate), its slug or an unambiguous
// part of it (seek), or a path to or into one of its directories (exercises/03_seek_truncate/race, absolute or relative to
// the current directory or to the root). Letter case does not matter. Otherwise the error is an *UnknownError.
func (b *Book) Find(query string) (*Exercise, error) {
	wanted := strings.ToLower(strings.TrimSpace(query))
	wanted = strings.NewReplacer(" ", "_", "-", "_").Replace(wanted)
	// The first reading that fits anything decides: "seek" is lesson seek even where there is a seek_truncate.
	readings := []func(*Exercise) bool{
		func(e *Exercise) bool { number, err := strconv.Atoi(wanted); return err == nil && number == e.Number },
		func(e *Exercise) bool { return wanted == e.ID },
		func(e *Exercise) bool { return wanted == e.Slug },
		func(e *Exercise) bool { return b.isPathInto(e, query) },
		func(e *Exercise) bool { return strings.HasPrefix(e.Slug, wanted) || strings.HasPrefix(e.ID, wanted) },
		func(e *Exercise) bool { return strings.Contains(e.Slug, wanted) },
	}
	if wanted == "" {
		readings = nil
	}
	for _, fits := range readings {
		var found []*Exercise
		for _, e := range b.Exercises {
			if fits(e) {
				found = append(found, e)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return nil, &UnknownError{Query: query, Near: IDs(found), Ambiguous: true}
		}
	}
	return nil, &UnknownError{Query: query, Near: b.near(wanted)}
}

// isPathInto reports whether query is a path to one of the exercise's three directories or into it.
func (b *Book) isPathInto(e *Exercise, query string) bool {
	if !strings.ContainsAny(query, `/\`) {
		return false // a bare name is a name, even if the current directory has a file of that name
	}
	candidates := []string{filepath.Join(b.Root, filepath.FromSlash(query))}
	if absolute, err := filepath.Abs(query); err == nil {
		if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
			absolute = resolved
		}
		candidates = append(candidates, absolute)
	}
	for _, folder := range []string{e.Folder(), e.LessonFolder(), e.SolutionFolder()} {
		for _, candidate := range candidates {
			if candidate == folder || strings.HasPrefix(candidate, folder+string(filepath.Separator)) {
				return true
			}
		}
	}
	return false
}

// near returns the IDs whose slug, or a word of it, is a few typing mistakes away from the query; all IDs if none is.
func (b *Book) near(wanted string) []string {
	type candidate struct {
		id       string
		distance int
	}
	var candidates []candidate
	for _, e := range b.Exercises {
		distance := min(editDistance(wanted, e.Slug), editDistance(wanted, e.ID))
		for word := range strings.SplitSeq(e.Slug, "_") {
			distance = min(distance, editDistance(wanted, word))
		}
		if distance <= 1+len(wanted)/4 {
			candidates = append(candidates, candidate{e.ID, distance})
		}
	}
	if len(candidates) == 0 {
		return IDs(b.Exercises)
	}
	slices.SortStableFunc(candidates, func(x, y candidate) int { return x.distance - y.distance })
	var near []string
	for _, c := range candidates {
		near = append(near, c.id)
	}
	return near
}

// IDs returns the IDs of the exercises.
func IDs(exercises []*Exercise) []string {
	var list []string
	for _, e := range exercises {
		list = append(list, e.ID)
	}
	return list
}

// editDistance counts the bytes to insert, remove or change (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
