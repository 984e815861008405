// Package loop measures what the guide costs a learner: `go run ./exercises check N` beside a bare `go test` of the same exercise.
//
// `go run` takes its time before any program starts: `go run ./exercises help` shows how much. All of it happens on a copy of the workbook,
// so that no learner's code is touched.
package loop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"example/turnstile/bench/results"
	"example/turnstile/bench/rounds"
	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// The names of rows that others refer to.
const (
	Bare  = "go test"
	Guide = "go run ./exercises check"
	GoRun = "go run ./exercises help"
	Net   = "check, without what go run takes"
)

// Goals are what the guide is held to, beside a bare go test.
var Goals = []results.Goal{{Part: "loop", Series: "edited", Row: Net, Beside: Bare, Unit: "ns/op", AtMost: 1.1}}

// Exercise is the one that is measured: a learner's first.
const Exercise = "1"

// Steps measures in a directory: after an edit, on unchanged code, and with an empty build cache.
func Steps(s rounds.Settings, root, dir string) []rounds.Step {
	step := func(series, title string, prepare func(*workbook) error) rounds.Step {
		c := results.Comparison{Part: "loop", Series: series, Title: title, Unit: "ns/op", Base: Bare, Ours: Net}
		if series == seriesCold {
			c.Ours = Guide
		}
		return rounds.Step{Name: c.Name(), Run: func(ctx context.Context) (done []results.Comparison, err error) {
			w, err := copyWorkbook(root, dir)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, w.remove()) }()
			c.Rows, err = w.measure(ctx, s, c.Series, prepare)
			return []results.Comparison{c}, err
		}}
	}
	steps := []rounds.Step{step("edited", "Exercise 1 after an edit, everything else in the build cache", (*workbook).edit)}
	if !s.Quick {
		steps = append(steps,
			step("unchanged", "Exercise 1, nothing changed", func(*workbook) error { return nil }),
			step(seriesCold, "Exercise 1 with an empty build cache: the first command on a new machine", (*workbook).clearCache))
	}
	return steps
}

const seriesCold = "cold"

// A workbook is a copy with a build cache of its own.
type workbook struct {
	dir   string
	book  *curriculum.Book
	e     *curriculum.Exercise
	edits int
	cache string // GOCACHE; empty for the user's own
}

func (w *workbook) measure(ctx context.Context, s rounds.Settings, series string, prepare func(*workbook) error) ([]results.Row, error) {
	commands := []struct {
		name, how string
		arguments []string
	}{
		{Bare, "go test -count=1 ./exercises/" + w.e.ID, []string{"test", "-count=1", "./exercises/" + w.e.ID}},
		{Guide, "tests, and says what it saw", []string{"run", "./exercises", "check", w.e.ID}},
		{GoRun, "what go run and the guide take without a test", []string{"run", "./exercises", "help"}},
	}
	n := s.Rounds
	if series == seriesCold {
		commands, n = commands[:2], min(n, 3)
	}
	var contestants []rounds.Contestant
	for _, c := range commands {
		round := func(ctx context.Context, _ time.Duration) (rounds.Samples, error) {
			if err := prepare(w); err != nil {
				return nil, err
			}
			return w.run(ctx, c.arguments)
		}
		contestants = append(contestants, rounds.Contestant{Name: c.name, How: c.how, Round: round})
	}
	if series != seriesCold { // fills the build cache, for this copy's paths as well
		if _, err := rounds.Run(ctx, 1, 0, contestants); err != nil {
			return nil, err
		}
	}
	rows, err := rounds.Run(ctx, n, 0, contestants)
	if err == nil && series != seriesCold {
		rows = append(rows, without(rows[1], rows[2]))
	}
	return rows, err
}

// without returns the row of the guide less what go run takes in the same round.
func without(guide, goRun results.Row) results.Row {
	row := results.Row{
		Name: Net, How: "the difference of the two above, round by round",
		Samples: map[string][]float64{}, Broken: guide.Broken + goRun.Broken,
	}
	for unit, all := range guide.Samples {
		for i, value := range all {
			if less := goRun.Samples[unit]; i < len(less) {
				row.Samples[unit] = append(row.Samples[unit], value-less[i])
			}
		}
	}
	return row
}

// run runs a go command. Status 1 is a result: the tests fail on code as shipped.
func (w *workbook) run(ctx context.Context, arguments []string) (rounds.Samples, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = w.book.Root
	command.Env = gotest.Environment(w.book.Root)
	if w.cache != "" {
		command.Env = append(command.Env, "GOCACHE="+w.cache)
	}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	start := time.Now()
	err := gotest.RunTree(command)
	elapsed := time.Since(start)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, output.String())
	}
	if err := saw(arguments[0], output.String()); err != nil {
		return nil, fmt.Errorf("go %s: %w", strings.Join(arguments, " "), err)
	}
	state := command.ProcessState
	return rounds.Samples{"ns/op": float64(elapsed), "cpu-ns/op": float64(state.UserTime() + state.SystemTime())}, nil
}

// saw returns an error unless a command has done its work: bare go test must have reached a verdict, and the guide must have spoken.
func saw(command, output string) error {
	untested := command == "test" && !strings.Contains(output, "--- FAIL")
	if untested || strings.TrimSpace(output) == "" || strings.Contains(output, "[build failed]") {
		return fmt.Errorf("this is not what was to be measured: %.500s", output)
	}
	return nil
}

// edit appends a comment to the first answer file, so that it must be compiled again.
func (w *workbook) edit() error {
	w.edits++
	answer, err := answer.Learner(w.e)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(w.e.Folder(), answer.Names()[0]), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "\n// edit %d\n", w.edits)
	return errors.Join(err, file.Close())
}

func (w *workbook) clearCache() error {
	w.cache = filepath.Join(w.dir, "cache")
	return os.RemoveAll(w.cache)
}

func (w *workbook) remove() error { return os.RemoveAll(w.dir) }

// copyWorkbook copies what the guide needs: the module files, the three rooms and the machinery.
func copyWorkbook(from, dir string) (w *workbook, err error) {
	to, err := os.MkdirTemp(dir, "workbook-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(to))
		}
	}()
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(to, name), content, 0o644); err != nil {
			return nil, err
		}
	}
	for _, tree := range []string{"lessons", "exercises", "solutions", "internal"} {
		if err := os.CopyFS(filepath.Join(to, tree), os.DirFS(filepath.Join(from, tree))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	book, err := curriculum.Open(to)
	if err != nil {
		return nil, err
	}
	e, err := book.Find(Exercise)
	if err != nil {
		return nil, err
	}
	return &workbook{dir: to, book: book, e: e}, nil
}
