package guide

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// bring takes the learner's answers over from an older copy of the workbook. What is as shipped there, according to the older
// copy itself, stays as it is shipped here: this copy may have fixed it.
func (s *session) bring(ctx context.Context) error {
	if err := s.ownCode("bring"); err != nil {
		return err
	}
	if len(s.options.operands) == 0 {
		return &usageError{fmt.Sprintf("Say from where: `%s`, the directory of your older copy.", s.command("bring DIR"))}
	}
	older, err := curriculum.Open(s.absolute(s.options.operands[0]))
	if err != nil {
		return &usageError{fmt.Sprintf("%s is not a copy of the workbook: name the directory that holds its go.mod.", s.options.operands[0])}
	}
	if older.Root == s.book.Root {
		return &usageError{"That is this copy itself. Name the directory of the older one."}
	}
	text := s.paint.bold("Your answers from "+s.path(older.Root)) + "\n\n"
	anyCopy := false
	for _, e := range s.book.Exercises {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		state, copied, err := s.bringOne(older, e)
		if err != nil {
			return &halfDoneError{text + "\nThen it failed.", err}
		}
		anyCopy = anyCopy || copied
		text += fmt.Sprintf("  %s  %s\n", padded(title(e), widestTitle(s.book.Exercises)), state)
	}
	rows := []row{{"then", s.command("list"), "what the tests of this copy report"}}
	if anyCopy {
		rows = append([]row{{"copies", s.path(s.copiesFolder()), "the code that was here, by date and exercise"}}, rows...)
	}
	return s.print(text + "\n" + s.paint.rows(rows))
}

// bringOne takes one answer over and says what it did.
func (s *session) bringOne(older *curriculum.Book, e *curriculum.Exercise) (state string, copied bool, err error) {
	var old *curriculum.Exercise
	for _, candidate := range older.Exercises {
		if candidate.Slug == e.Slug { // a lesson may get another number
			old = candidate
		}
	}
	if old == nil {
		return "is not in the older copy", false, nil
	}
	code, err := answer.Read(old.Folder())
	if errors.Is(err, fs.ErrNotExist) {
		return "has no code in the older copy", false, nil
	}
	if err != nil {
		return "", false, err
	}
	if shipped, err := answer.AsShipped(old); err == nil && withoutBOM(code).Equal(shipped) {
		return "not begun there: stays as it is", false, nil
	}
	here, err := learnerCode(e)
	if err != nil {
		return "", false, err
	}
	if code.Equal(here) {
		return "is here already", false, nil
	}
	folder, err := s.replaceIfBegun(e, here, code)
	if err != nil {
		return "", false, err
	}
	state = "brought over" + s.strangers(older, old)
	if folder != "" {
		state += "; a copy of what was here is kept"
	}
	return state, folder != "", nil
}

// replaceIfBegun puts code in place of what is here. Code as it was shipped needs no copy: reset brings it back.
func (s *session) replaceIfBegun(e *curriculum.Exercise, here, code answer.Answer) (copied string, err error) {
	if s.isUntouched(e) {
		delete(s.seen, e)
		return "", answer.Write(e, code)
	}
	return s.replace(e, here, code)
}

// strangers names what lies beside the answer in the older copy and is not brought over: tests that the learner wrote.
func (s *session) strangers(older *curriculum.Book, old *curriculum.Exercise) string {
	here := filepath.Join(s.book.Root, "exercises", old.ID)
	paths, _ := filepath.Glob(filepath.Join(old.Folder(), "*_test.go")) // the pattern is well formed, or matches nothing
	n := 0
	for _, path := range paths {
		if !isFile(filepath.Join(here, filepath.Base(path))) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (without %s)", counted(n, "test file"))
}
