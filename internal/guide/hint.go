package guide

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"example/turnstile/internal/curriculum"
)

var hintHeading = regexp.MustCompile(`(?m)^## [0-9]+[ \t]*\r?$`)

// readHints returns the hints of an exercise in their order; none if it has no hints.md.
func readHints(e *curriculum.Exercise) []string {
	content, err := os.ReadFile(filepath.Join(e.Folder(), "hints.md"))
	if err != nil {
		return nil
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	headings := hintHeading.FindAllStringIndex(text, -1)
	var hints []string
	for i, heading := range headings {
		end := len(text)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		hints = append(hints, strings.TrimSpace(text[heading[1]:end]))
	}
	return hints
}

// hintsSeen says how many hints the learner has seen. It is a remark beside a row: a notebook that cannot be read is no
// reason to stop, the verb hint says so.
func (s *session) hintsSeen(e *curriculum.Exercise, all int) string {
	hints, err := s.notebook.hints()
	switch {
	case err != nil || hints[e.ID] == 0:
		return fmt.Sprintf("%d hints", all)
	case hints[e.ID] >= all:
		return fmt.Sprintf("all %d hints seen", all)
	}
	return fmt.Sprintf("%d of %d hints seen", hints[e.ID], all)
}

// hint shows one hint more than last time, and those before it.
func (s *session) hint(st *standing) error {
	e := st.exercise
	hints := readHints(e)
	if len(hints) == 0 {
		return s.print(fmt.Sprintf("%s has no hints. The lesson: %s\n", title(e), s.path(filepath.Join(e.LessonFolder(), "README.md"))))
	}
	shown, repeated, err := s.hintsToShow(e, len(hints))
	if err != nil {
		return err
	}
	return s.print(s.paint.hintScreen(e, hints[:shown], len(hints)) + "\n" + s.paint.rows(s.rowsAfterHint(e, shown, len(hints), repeated)))
}

// hintsToShow returns how many hints to show, and whether that is no more than last time. Without a number on the
// command line it is one more than last time, and remembered.
func (s *session) hintsToShow(e *curriculum.Exercise, all int) (shown int, repeated bool, err error) {
	if len(s.options.operands) == 2 {
		k, err := strconv.Atoi(s.options.operands[1])
		if err != nil || k < 1 || k > all {
			return 0, false, &usageError{fmt.Sprintf("%s has hints 1 to %d: there is no hint %q.", title(e), all, s.options.operands[1])}
		}
		return k, false, nil
	}
	if s.options.reference {
		return all, false, nil // nobody learns from these: they are not counted
	}
	seen := 0
	aside, err := s.notebook.update(s.ctx, func(hints map[string]int) {
		seen = min(hints[e.ID], all)
		hints[e.ID] = min(seen+1, all)
	})
	if s.ctx.Err() != nil {
		return 0, false, s.ctx.Err()
	}
	if aside != "" {
		s.remark("The notebook of the hints you have seen was damaged. It is kept as %s; counting begins anew.", s.path(aside))
	}
	if err != nil {
		if before, readErr := s.notebook.hints(); readErr == nil {
			seen = min(before[e.ID], all)
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

// hintScreen shows hints, each under its number.
func (p palette) hintScreen(e *curriculum.Exercise, hints []string, all int) string {
	text := p.bold(title(e)) + "\n"
	for i, hint := range hints {
		text += "\n" + p.dim(fmt.Sprintf("Hint %d of %d", i+1, all)) + "\n  " + markdown(hint, "  ", p.width) + "\n"
	}
	return text
}

func (s *session) rowsAfterHint(e *curriculum.Exercise, shown, all int, repeated bool) []row {
	rows := []row{
		{"edit", s.editPlace(e, ""), ""},
		{"then", s.command("check " + number(e)), ""},
	}
	switch {
	case shown < all:
		rows = append(rows, row{"more", s.command("hint " + number(e)), fmt.Sprintf("hint %d of %d", shown+1, all)})
	case repeated:
		rows = append(rows, row{"else", s.command("solution " + number(e)), "there is no further hint; the reference says how and why"})
	}
	return rows
}
