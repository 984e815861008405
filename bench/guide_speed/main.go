// Guide_speed measures what the guide costs a learner: `go run ./exercises check N` against a bare
// `go test -count=1 ./exercises/NN_name`, on the code as it is and after an edit.
//
// Beside the time on the clock it compares the processor time of both commands with all that they start: that figure
// holds on a machine that others use as well. `go run` takes its time before any program starts: the third command, `go run
// ./exercises help`, shows how much. It works on a copy of the workbook in a temp directory, so it touches no learner's code, and runs
// the commands in turn, so that a machine that is busy for a while slows all.
//
//	go -C bench run ./guide_speed            exercise 1, ten runs of each
//	go -C bench run ./guide_speed -n 3 3 6   exercises 3 and 6, three runs of each
//
// The exit status is 1 if the guide, without what `go run` takes, costs more than 1.1 times the bare command on the clock. On a busy
// machine ten runs are too few for that verdict: look at the processor time.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"example/turnstile/bench/rounds"
	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// mostTimes is how much more than the bare command the guide may cost.
const mostTimes = 1.1

func main() {
	runs := flag.Int("n", 10, "runs of each command")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	slow, err := measureAll(ctx, *runs, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	if slow {
		os.Exit(1)
	}
}

// measureAll measures the exercises named, the first if none is, and reports whether the guide was too slow for any.
func measureAll(ctx context.Context, runs int, names []string) (slow bool, err error) {
	original, err := curriculum.Open(".")
	if err != nil {
		return false, err
	}
	temp, err := os.MkdirTemp("", "turnstile-speed-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if err := copyWorkbook(original.Root, temp); err != nil {
		return false, fmt.Errorf("copy the workbook: %w", err)
	}
	book, err := curriculum.Open(temp)
	if err != nil {
		return false, err
	}
	if len(names) == 0 {
		names = []string{"1"}
	}
	fmt.Printf("medians of %d runs, commands in turn\n\n", runs)
	fmt.Printf("%-20s %-12s %8s %8s %8s %14s %14s %17s\n", "exercise", "code", "go test", "guide", "go run", "without go run",
		"its processor", "tests themselves")
	for _, name := range names {
		e, err := book.Find(name)
		if err != nil {
			return false, err
		}
		for _, edit := range []bool{false, true} {
			m, err := measure(ctx, book, e, runs, edit)
			if err != nil {
				return false, err
			}
			slow = m.print(e, edit) || slow
		}
	}
	return slow, nil
}

// A measurement holds the medians for one exercise.
type measurement struct {
	bare, guide, goRun cost
	tests              time.Duration // the tests' own part, as go test reports it
}

// A cost is what a command takes: on the clock, and of the processors with all that it starts.
type cost struct{ clock, cpu time.Duration }

func (m measurement) print(e *curriculum.Exercise, edit bool) (slow bool) {
	code := "unchanged"
	times := (m.guide.clock - m.goRun.clock).Seconds() / m.bare.clock.Seconds()
	slow = times > mostTimes
	if edit {
		code = "after edits"
	}
	verdict := ""
	if slow {
		verdict = "   too slow"
	}
	fmt.Printf("%-20s %-12s %7.2fs %7.2fs %7.2fs %8.2f times %8.2f times %16.2fs%s\n", e.ID, code, m.bare.clock.Seconds(),
		m.guide.clock.Seconds(), m.goRun.clock.Seconds(), times, (m.guide.cpu-m.goRun.cpu).Seconds()/m.bare.cpu.Seconds(),
		m.tests.Seconds(), verdict)
	return slow
}

func measure(ctx context.Context, book *curriculum.Book, e *curriculum.Exercise, runs int, edit bool) (measurement, error) {
	commands := [][]string{
		{"test", "-count=1", "./exercises/" + e.ID},
		{"run", "./exercises", "check", e.ID},
		{"run", "./exercises", "help"},
	}
	clock, cpu := make([][]time.Duration, len(commands)), make([][]time.Duration, len(commands))
	var tests []time.Duration
	for i := range runs + 1 {
		for c, command := range commands {
			if edit {
				if err := change(e, fmt.Sprintf("before command %d of round %d", c, i)); err != nil {
					return measurement{}, err
				}
			}
			run, err := timeGo(ctx, book.Root, command)
			if err != nil {
				return measurement{}, err
			}
			if i == 0 {
				continue // warms the build cache, of this copy's paths as well
			}
			clock[c], cpu[c] = append(clock[c], run.clock), append(cpu[c], run.cpu)
			if c == 0 {
				tests = append(tests, testTime(run.output))
			}
		}
	}
	of := func(c int) cost { return cost{rounds.Median(clock[c]), rounds.Median(cpu[c])} }
	return measurement{of(0), of(1), of(2), rounds.Median(tests)}, nil
}

// A goRun is one go command that has ended.
type goRun struct {
	cost
	output string
}

// timeGo runs a go command. Status 1 is a result: the tests fail on code as shipped.
func timeGo(ctx context.Context, root string, arguments []string) (goRun, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = root
	command.Env = gotest.Environment(root)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	start := time.Now()
	err := gotest.RunTree(command)
	elapsed := time.Since(start)
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return goRun{}, ctx.Err()
	}
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return goRun{}, fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, output.String())
	}
	state := command.ProcessState
	return goRun{cost{elapsed, state.UserTime() + state.SystemTime()}, output.String()}, nil
}

// testTime returns what go test reports as the test binary's own time: the third field of its last "ok" or "FAIL" line.
func testTime(output string) time.Duration {
	var found time.Duration
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "ok" && fields[0] != "FAIL" {
			continue
		}
		if d, err := time.ParseDuration(fields[2]); err == nil {
			found = d
		}
	}
	return found
}

// change appends a comment to the first answer file, so that it must be compiled again.
func change(e *curriculum.Exercise, comment string) error {
	answer, err := answer.Learner(e)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(e.Folder(), answer.Names()[0]), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "\n// %s\n", comment)
	return errors.Join(err, file.Close())
}

// copyWorkbook copies what the guide needs: the module files, the three rooms and the machinery.
func copyWorkbook(from, to string) error {
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), content, 0o644); err != nil {
			return err
		}
	}
	for _, tree := range []string{"lessons", "exercises", "solutions", "internal"} {
		if err := os.CopyFS(filepath.Join(to, tree), os.DirFS(filepath.Join(from, tree))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
