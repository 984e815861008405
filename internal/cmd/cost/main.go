// Command cost measures what the answers of lessons cost `make test`, and names the tests of exercises that are dear.
//
//	go run ./internal/cmd/cost          all lessons
//	go run ./internal/cmd/cost 05 07    these
//
// For each lesson it prints the number of answers, the CPU seconds (user and system, of every process) and the wall seconds of its
// answers, run again with a warm build cache. Below are the tests that take more than 0.3 CPU seconds by themselves on the
// reference, at full strength and lightly: a test is paid for once for each answer, so an expensive one needs a reason, or lab.Rounds
// where the strength is in the number of tries.
//
// Figures vary with what else runs on the machine, by up to a factor of two. Exit status: 0 measured, 1 something failed, 2 wrong usage.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
	"example/turnstile/internal/overlay"
)

// dear is what a test may cost without a reason.
const dear = 300 * time.Millisecond

var errUsage = errors.New("usage: go run ./internal/cmd/cost [NN ...]")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, ".", os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, queries []string, out io.Writer) error {
	book, err := curriculum.Open(dir)
	if err != nil {
		return err
	}
	exercises := book.Exercises
	if len(queries) > 0 {
		exercises = nil
	}
	for _, query := range queries {
		if strings.HasPrefix(query, "-") {
			return errUsage
		}
		e, err := book.Find(query)
		if err != nil {
			return err
		}
		exercises = append(exercises, e)
	}
	fmt.Fprintf(out, "%-22s %7s %7s %7s\n", "lesson", "answers", "CPU s", "wall s")
	for _, e := range exercises {
		if err := measure(ctx, e, out); err != nil {
			return fmt.Errorf("measure %s: %w", e.ID, err)
		}
	}
	return nil
}

func measure(ctx context.Context, e *curriculum.Exercise, out io.Writer) error {
	patches, err := filepath.Glob(filepath.Join(e.SolutionFolder(), "*", "*.patch"))
	if err != nil {
		return err
	}
	test := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=30m", "-run=TestAnswers", "./solutions/"+e.ID)
	test.Dir, test.Env = e.Root, gotest.Environment(e.Root)
	said, cpu, wall, err := timed(test)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, said)
	}
	fmt.Fprintf(out, "%-22s %7d %7.1f %7.1f\n", e.ID, len(patches)+1, cpu.Seconds(), wall.Seconds())
	return measureTests(ctx, e, out)
}

// measureTests prints the expensive tests of the exercise, each run by itself on the reference.
func measureTests(ctx context.Context, e *curriculum.Exercise, out io.Writer) error {
	dir, err := os.MkdirTemp("", "turnstile-cost-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary directory: what is left is the system's to clear
	if err := os.Chmod(dir, 0o755); err != nil {
		return err // a test that runs as root starts workers as another user, who needs access
	}
	program, err := compile(ctx, e, dir)
	if err != nil {
		return err
	}
	list := exec.CommandContext(ctx, program, "-test.list=^Test")
	list.Dir = e.Folder()
	names, err := list.Output()
	if err != nil {
		return fmt.Errorf("list the tests: %w", err)
	}
	for name := range strings.FieldsSeq(string(names)) {
		var costs []time.Duration
		for _, effort := range []string{"full", "light"} {
			test := exec.CommandContext(ctx, program, "-test.run=^"+name+"$")
			test.Dir, test.Env = e.Folder(), append(os.Environ(), "TURNSTILE_EFFORT="+effort)
			said, cpu, _, err := timed(test)
			if err != nil {
				return fmt.Errorf("%s on the reference: %w\n%s", name, err, said)
			}
			costs = append(costs, cpu)
		}
		if slices.Max(costs) > dear {
			fmt.Fprintf(out, "  %-48s %5.2f CPU s, lightly %.2f\n", name, costs[0].Seconds(), costs[1].Seconds())
		}
	}
	return nil
}

// compile builds the tests of the exercise with the reference laid over it.
func compile(ctx context.Context, e *curriculum.Exercise, dir string) (string, error) {
	reference, err := answer.Reference(e)
	if err != nil {
		return "", err
	}
	laid := overlay.New(e.Root, filepath.Join(dir, "laid"))
	if err := laid.Lay(e, reference); err != nil {
		return "", err
	}
	path, err := laid.Write()
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "tests")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	return program, gotest.Compilation{Root: e.Root, Package: "./exercises/" + e.ID, Overlay: path, Program: program}.Do(ctx)
}

// timed runs a command and returns what it printed and what it, and all processes that it has waited for, took.
func timed(command *exec.Cmd) (said string, cpu, wall time.Duration, err error) {
	printed := &bytes.Buffer{}
	command.Stdout, command.Stderr = printed, printed
	began := time.Now()
	err = gotest.RunTree(command)
	if command.ProcessState != nil {
		cpu = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	}
	return printed.String(), cpu, time.Since(began), err
}
