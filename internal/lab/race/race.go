// Package race is the common frame of the race demos: real processes run the learner's code against one another, and what
// only the outside can see is printed in the same layout in every lesson.
//
//	4 processes × 250 Update(+1) on one file
//
//	  process   succeeded   last value it was told
//	  1               250                      251
//	  2               250                      312
//
//	  updates that returned no error   500
//	  counter in the file              312
//	  lost                             188
//
//	  the race is there: 188 updates are gone and nobody was told
//
// The exit status tells the verdict. Nothing of the learner's code is looked at: a demo judges by files and by what the
// calls returned.
package race

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
	"unicode/utf8"

	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/terminal"
)

// Exit statuses of a demo.
const (
	StatusClean     = 0 // the race is gone
	StatusRace      = 1 // the race is there
	StatusTrouble   = 2 // the demo itself could not be run
	StatusNoVerdict = 3 // this system cannot show the race (ErrSystem)
)

// limit is how long a demo may take, whatever the learner's code does.
const limit = 2 * time.Minute

// ErrSystem is for a Demo's Run to wrap, with the reason, where the system itself does what the demo would blame on the
// learner's code. The demo then gives no verdict.
var ErrSystem = errors.New("this system cannot show the race")

// A Demo is one race demo.
type Demo struct {
	// Workers are the functions that the demo's processes run.
	Workers process.Workers
	// Sentinels are the errors of the code under test for which errors.Is shall hold across the process border; see process.Error.
	Sentinels []error
	// Run drives them and fills in the report. An error means that the demo could not be run, not that the race is there.
	Run func(ctx context.Context, r *Report) error
}

// Main runs the demo and exits. It is all that a demo's main function calls.
func Main(d Demo) {
	process.Dispatch(d.Workers, d.Sentinels...)
	os.Exit(d.run(os.Stdout, os.Stderr, terminal.Colour(os.Stdout)))
}

func (d Demo) run(stdout, stderr io.Writer, colour bool) int {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	ctx, cancelLimit := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the demo did not come to its end within %v", limit))
	defer cancelLimit()

	dir, err := os.MkdirTemp("", "turnstile-race-")
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "the demo needs a temporary directory:", err)
		return StatusTrouble
	}
	r := &Report{dir: dir, colour: colour}
	defer r.cleanUp()
	if err := d.Run(ctx, r); errors.Is(err, ErrSystem) {
		_, _ = fmt.Fprintln(stderr, "no verdict:", err)
		return StatusNoVerdict
	} else if err != nil {
		_, _ = io.WriteString(stdout, r.text.String())
		_, _ = fmt.Fprintln(stderr, "the demo could not be run to its end:", err)
		return StatusTrouble
	}
	if r.verdict == "" {
		_, _ = fmt.Fprintln(stderr, "the demo came to no verdict: its Run must call Race or Clean")
		return StatusTrouble
	}
	_, _ = fmt.Fprintf(stdout, "%s\n  %s\n", r.text.String(), r.coloured(r.verdict))
	if r.race {
		return StatusRace
	}
	return StatusClean
}

// A Report collects what a demo shows. Its methods are for one goroutine.
type Report struct {
	dir       string
	colour    bool
	text      strings.Builder
	verdict   string
	race      bool
	processes []*process.Process
}

type fact struct{ label, value string }

// Dir returns a directory for the demo's files. It is removed when the demo ends.
func (r *Report) Dir() string { return r.dir }

// Title says what runs, in one line: "4 processes × 250 Update(+1) on one file".
func (r *Report) Title(format string, args ...any) {
	fmt.Fprintf(&r.text, format+"\n", args...)
}

// Table adds a table. Numbers stand to the right, text to the left; a float is shown with one decimal.
func (r *Report) Table(columns []string, rows [][]any) {
	widths := make([]int, len(columns))
	right := make([]bool, len(columns))
	cells := [][]string{columns}
	for _, row := range rows {
		line := make([]string, len(columns))
		for i := range columns {
			line[i], right[i] = cell(row[i])
		}
		cells = append(cells, line)
	}
	for _, line := range cells {
		for i, text := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	r.text.WriteString("\n")
	for _, line := range cells {
		var out strings.Builder
		for i, text := range line {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			switch {
			case i > 0 && right[i]:
				out.WriteString("   " + padding + text)
			case i > 0:
				out.WriteString("   " + text + padding)
			default:
				out.WriteString(text + padding)
			}
		}
		r.text.WriteString("  " + strings.TrimRight(out.String(), " ") + "\n")
	}
}

func cell(value any) (text string, number bool) {
	switch v := value.(type) {
	case int, int64, uint64, uint32:
		return fmt.Sprint(v), true
	case float64:
		return fmt.Sprintf("%.1f", v), true
	case error:
		return v.Error(), false
	default:
		return fmt.Sprint(v), false
	}
}

// Facts adds lines of a label and a value each, with the values in one column: Facts("lost", 188, "counter in the file", 312).
func (r *Report) Facts(labelsAndValues ...any) {
	var facts []fact
	labelWidth, valueWidth, allNumbers := 0, 0, true
	for i := 0; i+1 < len(labelsAndValues); i += 2 {
		text, number := cell(labelsAndValues[i+1])
		f := fact{fmt.Sprint(labelsAndValues[i]), text}
		facts = append(facts, f)
		labelWidth = max(labelWidth, utf8.RuneCountInString(f.label))
		valueWidth = max(valueWidth, utf8.RuneCountInString(f.value))
		allNumbers = allNumbers && number
	}
	r.text.WriteString("\n")
	for _, f := range facts {
		gap := strings.Repeat(" ", labelWidth-utf8.RuneCountInString(f.label)+3)
		if allNumbers {
			gap += strings.Repeat(" ", valueWidth-utf8.RuneCountInString(f.value))
		}
		r.text.WriteString("  " + f.label + gap + f.value + "\n")
	}
}

// Story adds a heading and lines that tell one event in order: "where the first one went".
func (r *Report) Story(heading string, lines ...string) {
	r.text.WriteString("\n  " + heading + "\n")
	for _, line := range lines {
		r.text.WriteString("    " + line + "\n")
	}
}

// Race is the verdict "the race is there", with what was lost. The demo exits with 1.
func (r *Report) Race(format string, args ...any) {
	r.race, r.verdict = true, "the race is there: "+fmt.Sprintf(format, args...)
}

// Clean is the verdict "no race seen", with what held. The demo exits with 0.
func (r *Report) Clean(format string, args ...any) {
	r.race, r.verdict = false, "no race: "+fmt.Sprintf(format, args...)
}

func (r *Report) coloured(text string) string {
	switch {
	case !r.colour:
		return text
	case r.race:
		return "\x1b[31m" + text + "\x1b[0m"
	}
	return "\x1b[32m" + text + "\x1b[0m"
}

// Start runs a worker that the report owns: it is gone when the demo ends.
func (r *Report) Start(ctx context.Context, o process.Options, name string, args ...string) (*process.Process, error) {
	p, err := process.Start(ctx, o, name, args...)
	if err == nil {
		r.processes = append(r.processes, p)
	}
	return p, err
}

// A Crew is several processes that do the same work at the same time.
type Crew []*process.Process

// Crew starts n workers of one name. They stand at the start line until Go. args gives the arguments of worker number
// 1 to n; nil means none.
func (r *Report) Crew(ctx context.Context, n int, name string, args func(number int) []string) (Crew, error) {
	var crew Crew
	for number := 1; number <= n; number++ {
		var arguments []string
		if args != nil {
			arguments = args(number)
		}
		p, err := r.Start(ctx, process.Options{Hold: true}, name, arguments...)
		if err != nil {
			return nil, err
		}
		crew = append(crew, p)
	}
	return crew, nil
}

// Go lets all processes of the crew start at once.
func (c Crew) Go() error {
	for _, p := range c {
		if err := p.Continue(); err != nil {
			return err
		}
	}
	return nil
}

// Wait waits for the end of each process and returns what each one's function returned, in order. An error of the
// learner's code is a result, not a failure of the demo; that a process hangs or dies is one.
func (c Crew) Wait(ctx context.Context) ([]error, error) {
	results := make([]error, len(c))
	for i, p := range c {
		results[i] = p.Wait(ctx)
		var returned *process.Error
		if results[i] != nil && !errors.As(results[i], &returned) {
			return results, results[i]
		}
	}
	return results, nil
}

// Results reads one result of each process of the crew.
func Results[T any](ctx context.Context, c Crew) ([]T, error) {
	results := make([]T, len(c))
	for i, p := range c {
		if err := p.NextResult(ctx, &results[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// cleanUp ends what is still running and removes the demo's directory. A system that deletes no open file (Windows) may
// need the processes gone first.
func (r *Report) cleanUp() {
	for _, p := range r.processes {
		p.Kill()
	}
	_ = os.RemoveAll(r.dir) // left-overs in the system's temporary directory harm nobody
}
