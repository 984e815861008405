package textcheck

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// commandLimit is how long a command of a console block may take, its build included.
const commandLimit = 2 * time.Minute

// A Session is a captured run: a command and what it printed, standard output and standard error as they came.
type Session struct {
	Line    int // of the command
	Command string
	Output  []string
}

// Sessions splits a console fence at its `$ ` lines.
func Sessions(fence Fence) ([]Session, error) {
	var sessions []Session
	for i, line := range fence.Code {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			sessions = append(sessions, Session{Line: fence.Line + 1 + i, Command: strings.TrimSpace(command)})
			continue
		}
		if len(sessions) == 0 {
			return nil, errors.New("a console block does not begin with a command")
		}
		last := &sessions[len(sessions)-1]
		last.Output = append(last.Output, line)
	}
	return sessions, nil
}

// A Runner runs a command in a workbook and returns what it printed. The error means that it could not be run, or not
// to its end; a command that fails is not an error, see Transcript.
type Runner func(ctx context.Context, words []string) (Transcript, error)

// A Transcript is what a command printed, and the status it ended with.
type Transcript struct {
	Output string
	Status int
}

// progress is a line in which the guide says what it is doing while a reader would wonder: one that depends on the machine's speed.
var progress = regexp.MustCompile(`^[a-z]+ing .+ …(?: .+)?$`)

// Lines returns the output as a page shows it: tabs as a terminal lays them out, no blanks at the ends of lines, none of what go
// says about its own downloads and the guide about its progress, and `exit status N` as the last line of a command that failed (go
// run prints that line by itself).
func (t Transcript) Lines() []string {
	var lines []string
	if t.Output != "" {
		lines = splitLines([]byte(t.Output))
	}
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "go: downloading ") || progress.MatchString(line)
	})
	for i, line := range lines {
		lines[i] = strings.TrimRight(expandTabs(line), " ")
	}
	if t.Status != 0 && (len(lines) == 0 || !strings.HasPrefix(lines[len(lines)-1], "exit status ")) {
		lines = append(lines, fmt.Sprintf("exit status %d", t.Status))
	}
	return lines
}

func expandTabs(line string) string {
	var b strings.Builder
	column := 0
	for _, r := range line {
		if r != '\t' {
			b.WriteRune(r)
			column++
			continue
		}
		width := 8 - column%8
		b.WriteString(strings.Repeat(" ", width))
		column += width
	}
	return b.String()
}

// Commands checks the form of console and sh blocks without running anything: each begins with a command, every
// command is on the allow-list; a line of an sh block is a command, a comment or make.
func Commands(p *Page) []Problem {
	var problems []Problem
	report := func(line int, err error) {
		problems = append(problems, Problem{
			p.Path, line, err.Error(),
			"mark it with systems, with varies, or not at all; begin with `$ `; show `go run ./exercises/NN_name/race`, " +
				"`go run ./exercises …` or `go test …`; captured text that is not such a run belongs in a text or output block",
		})
	}
	for _, fence := range p.Fences {
		switch fence.Kind {
		case "console":
			for word := range strings.FieldsSeq(strings.ReplaceAll(fence.Extra, ",", " ")) {
				if word != numbersVary && !slices.Contains(knownSystems, word) {
					report(fence.Line, fmt.Errorf("the console block is marked with %q", word))
				}
			}
			sessions, err := Sessions(fence)
			if err != nil {
				report(fence.Line+1, err)
			}
			for _, session := range sessions {
				if _, err := ParseCommand(session.Command); err != nil {
					report(session.Line, err)
				}
			}
		case "sh":
			for i, line := range fence.Code {
				if err := shellLine(line); err != nil {
					report(fence.Line+1+i, err)
				}
			}
		}
	}
	return problems
}

func shellLine(line string) error {
	command, _, _ := strings.Cut(line, "#")
	command = strings.TrimSpace(command)
	if command == "" || strings.HasPrefix(command, "make ") || strings.HasPrefix(command, "go run ./exercises watch") {
		return nil
	}
	_, err := ParseCommand(command)
	return err
}

// Console runs the commands of a page's console blocks one after another, as one sitting, and compares what they print with
// what the page shows. A block marked with systems (a fence `console linux,darwin`) is run on these only. In one that is marked with
// varies (`console varies`) the numbers are those of one run: another run must print the same words, 0 where the page shows 0, and in
// the last line, which is the verdict, no 0 where the page shows another number. Problems of form are those of Commands; here such
// blocks are passed over.
func Console(ctx context.Context, p *Page, run Runner) []Problem {
	var problems []Problem
	for _, fence := range p.Fences {
		if fence.Kind != "console" || !runsHere(fence.Extra) {
			continue
		}
		varies := slices.Contains(strings.Fields(fence.Extra), numbersVary)
		sessions, err := Sessions(fence)
		if err != nil {
			continue
		}
		for _, session := range sessions {
			equal := matchLine
			if verdict := session.verdict(); varies {
				equal = func(shown, printed string) bool { return matchNumbers(shown, printed, shown == verdict) }
			}
			if problem, ok := replay(ctx, p, session, equal, run); !ok {
				problems = append(problems, problem)
			}
		}
	}
	return problems
}

// verdict returns the last line that the block shows, the one of the status aside.
func (s Session) verdict() string {
	for _, line := range slices.Backward(s.Output) {
		if !strings.HasPrefix(line, "exit status ") && strings.TrimSpace(line) != elision {
			return line
		}
	}
	return ""
}

// numbersVary after the word console says that the numbers of the block are those of one run.
const numbersVary = "varies"

// knownSystems are those that a block may be limited to.
var knownSystems = []string{"linux", "darwin", "windows", "freebsd"}

// runsHere reads the words after the word console: systems, separated by commas, and numbersVary.
func runsHere(extra string) bool {
	for word := range strings.FieldsSeq(extra) {
		if word != numbersVary && !slices.Contains(strings.Split(word, ","), runtime.GOOS) {
			return false
		}
	}
	return true
}

func replay(ctx context.Context, p *Page, session Session, equal func(shown, printed string) bool, run Runner) (Problem, bool) {
	words, err := ParseCommand(session.Command)
	if err != nil {
		return Problem{}, true
	}
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	transcript, err := run(ctx, words)
	if err != nil {
		return Problem{
			p.Path, session.Line, fmt.Sprintf("`%s` could not be run: %v", session.Command, err),
			fmt.Sprintf("run it in a fresh clone; it must end within %v", commandLimit),
		}, false
	}
	return compare(p, session, equal, transcript.Lines())
}

func compare(p *Page, session Session, equal func(shown, printed string) bool, lines []string) (Problem, bool) {
	m := matcher{block: session.Output, equal: equal, skips: func(line string) bool { return strings.TrimSpace(line) == elision }}
	ok, reached := m.match(lines, 0, true)
	if ok {
		return Problem{}, true
	}
	shown, printed := "nothing more", "nothing more"
	if reached.Matched < len(session.Output) {
		shown = session.Output[reached.Matched]
	}
	if reached.Line < len(lines) {
		printed = lines[reached.Line]
	}
	if reached.Matched > 0 && reached.Matched < len(session.Output) && m.skips(session.Output[reached.Matched-1]) {
		printed = "no such line after what fits"
	}
	return Problem{
		p.Path, session.Line + 1 + reached.Matched,
		fmt.Sprintf("`%s` prints something else now\n      page   %s\n      run    %s", session.Command, shown, printed),
		"capture the block again, with `…` for what varies, or `console varies` where numbers do; the whole run:\n" +
			"      | " + strings.Join(lines, "\n      | "),
	}, false
}
