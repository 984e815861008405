package guide

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// named returns the exercise that the command line must name.
func (s *session) named(verb string) (*curriculum.Exercise, error) {
	e, err := s.find()
	if e == nil && err == nil {
		err = &usageError{fmt.Sprintf("Say which exercise: `%s`. `%s` shows them.", s.command(verb+" N"), s.command("list"))}
	}
	return e, err
}

// ownCode refuses -solution for verbs that write the learner's files.
func (s *session) ownCode(verb string) error {
	if s.options.reference {
		return &usageError{fmt.Sprintf("%s changes your own files, so -solution has no meaning for it. `%s` puts the reference in place "+
			"of every exercise before N that is not done; `%s` shows it.", verb, s.command("catchup N"), s.command("solution N"))}
	}
	return nil
}

// learnerCode returns the learner's answer; an exercise whose files are all gone has an empty one.
func learnerCode(e *curriculum.Exercise) (answer.Answer, error) {
	code, err := answer.Learner(e)
	if errors.Is(err, fs.ErrNotExist) {
		return answer.Answer{}, nil
	}
	return code, err
}

// referenceAsLearner returns the reference as it reads in the learner's place, where exercises import exercises.
func referenceAsLearner(e *curriculum.Exercise) (answer.Answer, error) {
	reference, err := answer.Reference(e)
	return reference.InExercises(), err
}

// reset gives an exercise back as it was shipped.
func (s *session) reset(ctx context.Context) error {
	if err := s.ownCode("reset"); err != nil {
		return err
	}
	e, err := s.named("reset")
	if err != nil {
		return err
	}
	learner, err := learnerCode(e)
	if err != nil {
		return err
	}
	shipped, err := answer.AsShipped(e)
	if err != nil {
		return err
	}
	if learner.Equal(shipped) && len(strayModuleFiles(e)) == 0 {
		return s.print(fmt.Sprintf("%s is as it was shipped: nothing to do.\n", title(e)))
	}
	copied, err := s.replace(e, learner, shipped)
	if err != nil {
		return err
	}
	text := s.paint.bold(title(e)) + " is as it was shipped again.\n\n"
	var rows []row
	if copied != "" {
		rows = append(rows, row{"copy", s.path(copied), "your code"})
	}
	rows = append(rows, row{"edit", s.editPlace(e, ""), ""}, row{"then", s.command("check " + number(e)), ""})
	return s.print(text + s.paint.rows(rows))
}

// replace puts an answer in place of the learner's, of which it keeps a copy first. copied is empty if there was nothing
// to copy.
func (s *session) replace(e *curriculum.Exercise, learner, code answer.Answer) (copied string, err error) {
	stray := strayModuleFiles(e)
	if len(learner)+len(stray) > 0 {
		if copied, err = s.keep(e, learner); err != nil {
			return "", err
		}
	}
	delete(s.seen, e)
	for _, name := range stray {
		err = errors.Join(err, os.Remove(filepath.Join(e.Folder(), name)))
	}
	if err = errors.Join(err, answer.Write(e, code)); err != nil && copied != "" {
		err = &halfDoneError{fmt.Sprintf("Part of your code of %s may be replaced. All of it is kept in %s.", title(e), s.path(copied)), err}
	}
	return copied, err
}

// strayModuleFiles returns the names of the module files in the exercise's directory. They make it a module of its own, which the
// workbook does not see.
func strayModuleFiles(e *curriculum.Exercise) []string {
	return slices.DeleteFunc([]string{"go.mod", "go.sum"}, func(name string) bool { return !isFile(filepath.Join(e.Folder(), name)) })
}

// A halfDoneError says what a verb had done before it failed.
type halfDoneError struct {
	done  string
	cause error
}

func (e *halfDoneError) Error() string { return e.done + " " + e.cause.Error() }
func (e *halfDoneError) Unwrap() error { return e.cause }

// catchup puts the reference in place of every earlier exercise that is not done, so that a learner can begin here.
func (s *session) catchup(ctx context.Context) error {
	if err := s.ownCode("catchup"); err != nil {
		return err
	}
	e, err := s.named("catchup")
	if err != nil {
		return err
	}
	var earlier []*curriculum.Exercise
	for _, other := range s.book.Exercises {
		if other.Number < e.Number {
			earlier = append(earlier, other)
		}
	}
	if len(earlier) == 0 {
		return s.print(fmt.Sprintf("Nothing comes before %s: nothing to do.\n", title(e)))
	}
	done, err := s.ownAndDone(ctx, earlier)
	if err != nil {
		return err
	}
	text := s.paint.bold("What comes before "+title(e)) + "\n\n"
	anyCopy := false
	var replaced []string
	for _, other := range earlier {
		state := "yours, done: kept"
		if !done[other] {
			copied := false
			if state, copied, err = s.putReference(other); err != nil {
				return s.halfCaughtUp(replaced, err)
			}
			anyCopy = anyCopy || copied
			replaced = append(replaced, title(other))
		}
		text += fmt.Sprintf("  %s  %s\n", padded(title(other), widestTitle(earlier)), state)
	}
	var rows []row
	if anyCopy {
		rows = append(rows, row{"copies", s.path(s.copiesFolder()), "the code that was there, by date and exercise"})
	}
	rows = append(rows,
		row{"read", s.path(filepath.Join(e.LessonFolder(), "README.md")), minutes(e)},
		row{"then", s.command("check " + number(e)), ""})
	return s.print(text + "\n" + s.paint.rows(rows))
}

// halfCaughtUp adds to an error what was replaced before it.
func (s *session) halfCaughtUp(replaced []string, err error) error {
	if len(replaced) == 0 {
		return err
	}
	return &halfDoneError{fmt.Sprintf("The reference is in place in %s; copies of what was there are in %s.", strings.Join(replaced, ", "),
		s.path(s.copiesFolder())), err}
}

func widestTitle(exercises []*curriculum.Exercise) int {
	widest := 0
	for _, e := range exercises {
		widest = max(widest, len([]rune(title(e))))
	}
	return widest
}

// ownAndDone returns the exercises that the learner has done with their own code.
func (s *session) ownAndDone(ctx context.Context, exercises []*curriculum.Exercise) (map[*curriculum.Exercise]bool, error) {
	var own []*curriculum.Exercise
	for _, e := range exercises {
		reference, err := referenceAsLearner(e)
		if err != nil {
			return nil, err
		}
		if f := s.files(e); f.damage == "" && !f.learner.Equal(reference) && !f.untouched {
			own = append(own, e)
		}
	}
	results, err := s.testAll(ctx, own, cached)
	if err != nil {
		return nil, err
	}
	done := map[*curriculum.Exercise]bool{}
	for i, result := range results {
		done[own[i]] = isDone(result)
	}
	return done, nil
}

// putReference lays the reference answer in place and says what it did.
func (s *session) putReference(e *curriculum.Exercise) (state string, copied bool, err error) {
	learner, err := learnerCode(e)
	if err != nil {
		return "", false, err
	}
	reference, err := referenceAsLearner(e)
	if err != nil {
		return "", false, err
	}
	if learner.Equal(reference) {
		return "is the reference already", false, nil
	}
	folder, err := s.replace(e, learner, reference)
	if err != nil || folder == "" {
		return "now the reference", false, err
	}
	return "now the reference; a copy of what was there is kept", true, nil
}

// solution shows how the reference differs from the learner's code, and why it works.
func (s *session) solution(ctx context.Context) error {
	e, err := s.named("solution")
	if err != nil {
		return err
	}
	reference, err := referenceAsLearner(e)
	if err != nil {
		return err
	}
	learner, err := learnerCode(e)
	if err != nil {
		return err
	}
	if err := s.mayShow(ctx, e, len(learner) == 0); err != nil {
		return err
	}
	text := s.paint.bold(title(e)) + ": from your code (-) to the reference (+)\n\n"
	if diff := answer.Diff("yours", "reference", learner, reference); len(diff) > 0 {
		text += s.paint.diff(string(diff))
	} else {
		text += "Your code is the reference, line by line.\n"
	}
	notes := filepath.Join(e.SolutionFolder(), "NOTES.md")
	content, err := os.ReadFile(notes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
		text += "\n" + markdown(string(content), "", s.paint.width) + "\n"
	}
	return s.print(text + "\n" + s.paint.rows([]row{
		{"files", s.path(e.SolutionFolder()), ""},
		{"see", s.command("-solution race " + number(e)), "the race demo, on the reference"},
	}))
}

// mayShow asks before it shows the reference of an exercise that the learner has not done. Without a terminal,
// --yes must have been given. The answer no ends the verb.
func (s *session) mayShow(ctx context.Context, e *curriculum.Exercise, nothingThere bool) error {
	if s.options.yes || s.options.reference {
		return nil
	}
	if !nothingThere && !s.isUntouched(e) {
		results, err := s.testAll(ctx, []*curriculum.Exercise{e}, cached)
		if err != nil {
			return err
		}
		if isDone(results[0]) {
			return nil
		}
	}
	if !s.inTerminal {
		return &usageError{fmt.Sprintf("%s is not done yet. To see the solution anyway: `%s`. A hint instead: `%s`.",
			title(e), s.command("solution "+number(e)+" --yes"), s.command("hint "+number(e)))}
	}
	fmt.Fprintf(s.Out, "%s is not done yet. Show the solution anyway? [y/N] ", title(e))
	reply, err := s.readLine(ctx)
	if err != nil {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(reply)); a == "y" || a == "yes" {
		return nil
	}
	if err := s.print(fmt.Sprintf("Not shown. A hint instead: %s\n", s.command("hint "+number(e)))); err != nil {
		return err
	}
	return exitStatus(exitUnfinished)
}

// readLine reads a line from the terminal, or returns the error of a session that ends while it waits. The end of the input
// is an empty line.
func (s *session) readLine(ctx context.Context) (string, error) {
	line := make(chan string, 1)
	go func() { // a read of a terminal cannot be cancelled: after Ctrl-C the process ends with this goroutine in it
		text, _ := s.lines.ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// diff colours a unified diff.
func (p palette) diff(diff string) string {
	var b strings.Builder
	for line := range strings.Lines(visible(diff)) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "---"), strings.HasPrefix(text, "+++"), strings.HasPrefix(text, "@@"):
			text = p.dim(text)
		case strings.HasPrefix(text, "-"):
			text = p.red(text)
		case strings.HasPrefix(text, "+"):
			text = p.green(text)
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}
