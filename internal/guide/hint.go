package guide

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// A hintGroup is the hints for one function.
type hintGroup struct {
	function string
	hints    []string
}

// key is where the notebook counts the group's hints.
func (g hintGroup) key(e *curriculum.Exercise) string { return e.ID + "/" + g.function }

func (g hintGroup) of() string { return " for " + g.function }

var (
	hintHeading = regexp.MustCompile(`(?m)^## +(\S.*?)[ \t]*$`)
	hintNumber  = regexp.MustCompile(`(?m)^[0-9]+\.[ \t]+`)
	onlyDigits  = regexp.MustCompile(`^[0-9]+$`)
)

// readHints returns the hints of an exercise in their order, a group for each function; none if it has no hints.md.
func readHints(e *curriculum.Exercise) []hintGroup {
	content, err := os.ReadFile(filepath.Join(e.Folder(), "hints.md"))
	if err != nil {
		return nil
	}
	return parseHints(strings.ReplaceAll(string(content), "\r\n", "\n"))
}

// parseHints takes `## Function` with a numbered list below it.
func parseHints(text string) []hintGroup {
	headings := hintHeading.FindAllStringSubmatchIndex(text, -1)
	var groups []hintGroup
	for i, h := range headings {
		end := len(text)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		groups = append(groups, hintGroup{strings.Trim(text[h[2]:h[3]], "`"), splitHints(text[h[1]:end])})
	}
	return groups
}

func splitHints(list string) []string {
	var hints []string
	for _, item := range hintNumber.Split(list, -1)[1:] {
		hints = append(hints, strings.TrimSpace(item))
	}
	return hints
}

// hintsFor returns the group for the function that the first failure names, otherwise the first group that the learner has not seen
// to its end.
func (s *session) hintsFor(e *curriculum.Exercise, groups []hintGroup, result *gotest.Result) hintGroup {
	if len(groups) > 1 && result != nil {
		if d := speaksOf(firstSays(result), s.files(e).learner); d != nil {
			if at := groupNamed(groups, d.name); at >= 0 {
				return groups[at]
			}
		}
	}
	seen, _ := s.notebook.hints() // the verb hint says what is wrong with it
	for _, g := range groups {
		if seen[g.key(e)] < len(g.hints) {
			return g
		}
	}
	return groups[0]
}

// groupNamed returns the place of the group for a function, whose heading may name others beside it; -1 if there is none.
func groupNamed(groups []hintGroup, function string) int {
	return slices.IndexFunc(groups, func(g hintGroup) bool {
		return slices.ContainsFunc(strings.FieldsFunc(g.function, isNoName), func(word string) bool { return strings.EqualFold(word, function) })
	})
}

func isNoName(r rune) bool { return strings.ContainsRune(" ,.()*`", r) }

// hintsSeen says how many hints of the group the learner has seen. It is a remark beside a row: a notebook that cannot be read is no
// reason to stop, the verb hint says so.
func (s *session) hintsSeen(e *curriculum.Exercise, g hintGroup) string {
	all := len(g.hints)
	seen, err := s.notebook.hints()
	switch {
	case err != nil || seen[g.key(e)] == 0:
		return fmt.Sprintf("%s%s", counted(all, "hint"), g.of())
	case seen[g.key(e)] >= all:
		return fmt.Sprintf("all %d hints%s seen", all, g.of())
	}
	return fmt.Sprintf("%d of %d hints%s seen", seen[g.key(e)], all, g.of())
}

// hint shows one hint more than last time, and those before it: of the function that fails first.
func (s *session) hint(ctx context.Context, st *standing) error {
	e := st.exercise
	groups := readHints(e)
	if len(groups) == 0 {
		return s.print(fmt.Sprintf("%s has no hints. The lesson: %s\n", title(e), s.path(filepath.Join(e.LessonFolder(), "README.md"))))
	}
	g, number, err := s.hintGroup(ctx, st, groups)
	if err != nil {
		return err
	}
	shown, repeated, err := s.hintsToShow(ctx, e, g, number)
	if err != nil {
		return err
	}
	return s.print(s.paint.hintScreen(e, g, shown) + "\n" + s.paint.rows(s.rowsAfterHint(e, g, shown, repeated)))
}

// hintGroup returns the group that the command line asks for, by name or by what fails first, and the number that it asks for.
func (s *session) hintGroup(ctx context.Context, st *standing, groups []hintGroup) (g hintGroup, number string, err error) {
	for _, word := range s.options.operands[min(1, len(s.options.operands)):] {
		if number = word; onlyDigits.MatchString(word) {
			continue
		}
		at := groupNamed(groups, word)
		if at < 0 {
			return g, "", &usageError{fmt.Sprintf("%s has no hints for %q. It has hints for %s.", title(st.exercise), word, groupNames(groups))}
		}
		g, number = groups[at], ""
	}
	if len(s.options.operands) > 2 {
		number = s.options.operands[2]
	}
	switch {
	case g.function != "":
		return g, number, nil
	case len(groups) == 1:
		return groups[0], number, nil
	}
	if st.result == nil && !s.options.reference {
		if st.result, err = s.test(ctx, st.exercise); err != nil {
			return g, "", err
		}
	}
	return s.hintsFor(st.exercise, groups, st.result), number, nil
}

func groupNames(groups []hintGroup) string {
	var names []string
	for _, g := range groups {
		names = append(names, g.function)
	}
	return strings.Join(names, ", ")
}

// hintsToShow returns how many hints to show, and whether that is no more than last time. Without a number on the
// command line it is one more than last time, and remembered.
func (s *session) hintsToShow(
	ctx context.Context, e *curriculum.Exercise, g hintGroup, asked string,
) (shown int, repeated bool, err error) {
	all := len(g.hints)
	if asked != "" {
		k, err := strconv.Atoi(asked)
		if err != nil || k < 1 || k > all {
			return 0, false, &usageError{fmt.Sprintf("%s has hints 1 to %d%s: there is no hint %q.", title(e), all, g.of(), asked)}
		}
		return k, false, nil
	}
	if s.options.reference {
		return all, false, nil // the hints for the reference are not counted
	}
	seen := 0
	aside, err := s.notebook.update(ctx, func(hints map[string]int) {
		seen = min(hints[g.key(e)], all)
		hints[g.key(e)] = min(seen+1, all)
	})
	if ctx.Err() != nil {
		return 0, false, ctx.Err()
	}
	if aside != "" {
		s.remark("The notebook of the hints you have seen was damaged. It is kept as %s; counting begins anew.", s.path(aside))
	}
	if err != nil {
		if before, readErr := s.notebook.hints(); readErr == nil {
			seen = min(before[g.key(e)], all)
		}
		s.remark("How many hints you have seen cannot be kept (%s); `%s` shows the first two.", s.reason(err), s.command("hint "+number(e)+" 2"))
	}
	return min(seen+1, all), seen == all, nil
}

// reason is an error without what the learner cannot use.
func (s *session) reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return fmt.Sprintf("%s: %v", s.path(path.Path), path.Err)
	}
	return err.Error()
}

// remark says something beside the matter, on the error stream.
func (s *session) remark(format string, values ...any) {
	fmt.Fprintln(s.Err, wrap(fmt.Sprintf(format, values...), "", s.paint.width))
}

// hintScreen shows the first hints of a group, each under its number.
func (p palette) hintScreen(e *curriculum.Exercise, g hintGroup, shown int) string {
	text := p.bold(title(e)) + "\n"
	for i, hint := range g.hints[:shown] {
		text += "\n" + p.dim(fmt.Sprintf("Hint %d of %d%s", i+1, len(g.hints), g.of())) + "\n  " + markdown(hint, "  ", p.width) + "\n"
	}
	return text
}

func (s *session) rowsAfterHint(e *curriculum.Exercise, g hintGroup, shown int, repeated bool) []row {
	all := len(g.hints)
	rows := []row{
		{"edit", s.editPlace(e, g.function), ""},
		{"then", s.command("check " + number(e)), ""},
	}
	switch {
	case shown < all:
		rows = append(rows, row{"more", s.command("hint " + number(e)), fmt.Sprintf("hint %d of %d%s", shown+1, all, g.of())})
	case repeated:
		rows = append(rows, row{"or", s.command("solution " + number(e)), "there is no further hint; the reference shows how and why"})
	}
	return rows
}
