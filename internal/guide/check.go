package guide

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// next shows the first unfinished exercise. It ends with success: the question was what to do next.
func (s *session) next(ctx context.Context) error {
	previous, next, err := s.firstUnfinished(ctx)
	if err != nil {
		return err
	}
	if next == nil {
		return s.congratulate(ctx)
	}
	scr := s.screen(next.exercise, next.result, next.untouched, s.unfinishedFoundations(ctx, next.exercise, false))
	if next.untouched && previous == nil {
		scr.before = slices.Insert(scr.before, 0, s.welcome())
	} else if next.untouched {
		scr.before = slices.Insert(scr.before, 0, fmt.Sprintf("%s is done: %s. Next comes:", title(previous.exercise), progress(previous.result)))
	}
	return s.print(s.paint.screen(scr))
}

func (s *session) welcome() string {
	n := len(s.book.Exercises)
	count := fmt.Sprintf("%d exercises", n)
	if n == 1 {
		count = "1 exercise"
	}
	return fmt.Sprintf("This is Turnstile: %s on files, atomicity and locks. Each is code that loses data, a lesson that says why, "+
		"and tests that see it. You repair the code until they pass. `%s` shows what else this guide can do.", count, s.command("help"))
}

func (s *session) congratulate(ctx context.Context) error {
	n := len(s.book.Exercises)
	whose := "your code passes them"
	if s.options.reference {
		whose = "the reference passes them"
	}
	text := s.paint.green("✓ ") + s.paint.bold(fmt.Sprintf("All %d exercises are done: %s.", n, whose))
	return s.print(text + "\n\n" + s.paint.rows([]row{
		{"list", s.command("list"), "all exercises"},
		{"compare", s.command("solution N"), "your code against the reference"},
	}))
}

func (s *session) print(text string) error {
	_, err := fmt.Fprint(s.Out, text)
	return err
}

// check runs the tests of one exercise and says what they saw.
func (s *session) check(ctx context.Context, st *standing) error {
	scr, err := s.examine(ctx, st)
	if err != nil {
		return err
	}
	if err := s.print(s.paint.screen(scr)); err != nil {
		return err
	}
	if !isDone(scr.result) {
		return exitStatus(exitUnfinished)
	}
	return nil
}

// examine runs the tests, unless the search for the exercise just did, and returns what to show.
func (s *session) examine(ctx context.Context, st *standing) (screen, error) {
	if st.result == nil {
		result, err := s.test(ctx, st.exercise)
		if err != nil {
			return screen{}, err
		}
		st.result = result
	}
	var unfinished []*curriculum.Exercise
	if !st.done() {
		unfinished = s.unfinishedFoundations(ctx, st.exercise, true)
	}
	scr := s.screen(st.exercise, st.result, st.untouched, unfinished)
	if st.result.Status == gotest.Passed && !st.untouched && !s.options.reference {
		broken, err := s.otherSystems(ctx, st.exercise)
		if err != nil {
			return screen{}, err
		}
		scr.elsewhere = broken
	}
	return scr, nil
}

// screen gathers what the guide says of an exercise.
func (s *session) screen(e *curriculum.Exercise, result *gotest.Result, untouched bool, unfinished []*curriculum.Exercise) screen {
	scr := screen{title: title(e), result: s.withPaths(result), reference: s.options.reference}
	if len(unfinished) > 0 {
		scr.before = append(scr.before, s.foundationNotice(e, unfinished))
	}
	if untouched && e.Promise != "" {
		scr.before = append(scr.before, e.Promise)
	}
	if result.Status == gotest.DoesNotCompile && !s.options.reference {
		scr.before = append(scr.before, s.troubles(e, result.CompilerLines)...)
	}
	switch {
	case s.options.reference:
		if exists(e, "race") {
			scr.rows = append(scr.rows, row{"see", s.command("-solution race " + number(e)), ""})
		}
		scr.rows = append(scr.rows, row{"why", s.path(filepath.Join(e.SolutionFolder(), "NOTES.md")), ""})
	case isDone(result):
		scr.after = success(e, result)
		scr.rows = s.rowsAfterSuccess(e, result)
	case result.Status == damaged:
		scr.rows = []row{{"then", s.command("check " + number(e)), ""}}
	default:
		scr.rows = s.rowsAfterFailure(e, result, untouched)
	}
	return scr
}

func number(e *curriculum.Exercise) string { return strconv.Itoa(e.Number) }

// foundationNotice says that an exercise may fail for a reason that lies in an earlier one.
func (s *session) foundationNotice(e *curriculum.Exercise, unfinished []*curriculum.Exercise) string {
	var names []string
	for _, other := range unfinished {
		names = append(names, title(other))
	}
	verb, pronoun := "is", "it"
	if len(names) > 1 {
		verb, pronoun = "are", "them"
	}
	return fmt.Sprintf("%s builds on %s, which %s not finished. Finish %s first (`%s`), or let `%s` put the reference in place; "+
		"your own code is kept.", title(e), strings.Join(names, " and "), verb, pronoun,
		s.command("check "+number(unfinished[0])), s.command("catchup "+number(e)))
}

func success(e *curriculum.Exercise, result *gotest.Result) string {
	if ability, found := strings.CutPrefix(e.Promise, "You will be able to "); found && result.Status == gotest.Passed {
		return "You are now able to " + ability
	}
	return ""
}

func (s *session) rowsAfterSuccess(e *curriculum.Exercise, result *gotest.Result) []row {
	var rows []row
	if result.Status == gotest.Passed {
		if exists(e, "race") {
			rows = append(rows, row{"see", s.command("race " + number(e)), "the race demo, now on your repaired code"})
		}
		rows = append(rows, row{"compare", s.command("solution " + number(e)), "your code against the reference, and why it works"})
	}
	at := slices.Index(s.book.Exercises, e)
	if at+1 == len(s.book.Exercises) {
		return append(rows, row{"then", s.command("list"), "this was the last exercise: is any other left?"})
	}
	following := s.book.Exercises[at+1]
	remark := title(following)
	if m := minutes(following); m != "" {
		remark += ": " + m
	}
	return append(rows,
		row{"next", s.path(filepath.Join(following.LessonFolder(), "README.md")), remark},
		row{"then", s.command(""), ""})
}

func (s *session) rowsAfterFailure(e *curriculum.Exercise, result *gotest.Result, untouched bool) []row {
	var rows []row
	if untouched {
		rows = append(rows, row{"begin", s.path(filepath.Join(e.LessonFolder(), "README.md")), minutes(e)})
	}
	rows = append(rows, row{"edit", s.whereToEdit(e, result), ""})
	if read := firstRead(result); read != "" {
		place, section := s.readPlace(read)
		if section != "" {
			section = `"` + section + `"`
		}
		rows = append(rows, row{"read", place, section})
	} else if !untouched {
		rows = append(rows, row{"read", s.path(filepath.Join(e.LessonFolder(), "README.md")), minutes(e)})
	}
	if exists(e, "race") && result.Status != gotest.DoesNotCompile {
		rows = append(rows, row{"see", s.command("race " + number(e)), "the race demo, on your code"})
	}
	if result.Status == gotest.Broken {
		rows = append(rows, row{"all", "go test -v " + s.packagePath(e), "everything that was printed"})
	}
	if hints := readHints(e); len(hints) > 0 {
		rows = append(rows, row{"stuck", s.command("hint " + number(e)), s.hintsSeen(e, s.hintsFor(e, hints, result))})
	}
	return append(rows, row{"then", s.command("check " + number(e)), "when you have saved; `watch " + number(e) + "` does it for you"})
}

// packagePath returns what names the exercise's package to go, from where the learner is.
func (s *session) packagePath(e *curriculum.Exercise) string {
	if s.Folder == s.book.Root {
		return "./exercises/" + e.ID
	}
	return e.Package()
}

// firstRead returns the section that the first failure names.
func firstRead(result *gotest.Result) string {
	if failures := result.Failures(); len(failures) > 0 && failures[0].Failure != nil {
		return failures[0].Failure.Read
	}
	return ""
}

var placeInCode = regexp.MustCompile(`^(.+\.go):([0-9]+)(?::[0-9]+)?: `)

// whereToEdit returns the compiler's place where it is in the learner's own files, of this exercise or of an earlier one
// that it builds on, or that of a crash, otherwise the place of the function that the first message names.
func (s *session) whereToEdit(e *curriculum.Exercise, result *gotest.Result) string {
	for _, line := range result.CompilerLines {
		if m := placeInCode.FindStringSubmatch(line); m != nil && !strings.HasSuffix(m[1], "_test.go") {
			return m[1] + ":" + m[2]
		}
	}
	if result.Place != "" {
		name, line, _ := strings.Cut(strings.TrimPrefix(result.Place, "exercises/"+e.ID+"/"), ":")
		return s.path(filepath.Join(e.Folder(), name)) + ":" + line
	}
	return s.editPlace(e, firstSays(result))
}

// firstSays returns the headline of the first failure, "" if it has none.
func firstSays(result *gotest.Result) string {
	if failures := result.Failures(); len(failures) > 0 && failures[0].Failure != nil {
		return failures[0].Failure.Says
	}
	return ""
}

// withPaths returns the result with the compiler's paths as the terminal's user finds them. They come relative to the root.
func (s *session) withPaths(result *gotest.Result) *gotest.Result {
	if s.Folder == s.book.Root || len(result.CompilerLines) == 0 {
		return result
	}
	changed := *result
	changed.CompilerLines = slices.Clone(result.CompilerLines)
	for i, line := range changed.CompilerLines {
		if m := placeInCode.FindStringSubmatch(line); m != nil {
			changed.CompilerLines[i] = s.path(filepath.Join(s.book.Root, filepath.FromSlash(m[1]))) + line[len(m[1]):]
		}
	}
	return &changed
}
