package textcheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
	"example/turnstile/internal/gotest"
)

// A FreshCopy is the workbook as a new clone has it, in a directory of its own: the exercises as shipped, no state of the
// guide, no git. Commands of console blocks run there, so that nothing comes from or goes to the learner's own work.
type FreshCopy struct {
	Root string

	book *curriculum.Book
	// Transcripts of `-solution race N`, which several pages show: it depends on nothing that a command could have changed.
	demos map[string]Transcript
}

// Copy copies the workbook at root into directory, which must be empty, and lays all exercises out as shipped. Directories that
// begin with a dot, and bench and docs, stay behind: no learner's command needs them.
func Copy(root, directory string) (*FreshCopy, error) {
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if relative != "." && strings.HasPrefix(entry.Name(), ".") || relative == "bench" || relative == "docs" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(directory, relative), 0o755)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(directory, relative), content, 0o644)
	})
	if err != nil {
		return nil, fmt.Errorf("copy the workbook to %s: %w", directory, err)
	}
	book, err := curriculum.Open(directory)
	if err != nil {
		return nil, err
	}
	c := &FreshCopy{book.Root, book, make(map[string]Transcript)}
	return c, c.Reset()
}

// Reset makes the copy fresh again: every exercise as shipped, the guide's state gone.
func (c *FreshCopy) Reset() error {
	if err := os.RemoveAll(filepath.Join(c.Root, ".turnstile")); err != nil {
		return fmt.Errorf("remove the state of the guide: %w", err)
	}
	for _, e := range c.book.Exercises {
		shipped, err := answer.AsShipped(e)
		if err != nil {
			return err
		}
		if err := answer.Write(e, shipped); err != nil {
			return err
		}
	}
	return nil
}

// Run runs the command in the copy, without a terminal, without input and without colours. It is a Runner. When ctx ends, the
// command and what it has started are ended, and the error says so.
func (c *FreshCopy) Run(ctx context.Context, words []string) (Transcript, error) {
	name := strings.Join(words, " ")
	if transcript, ok := c.demos[name]; ok {
		return transcript, nil
	}
	transcript, err := c.run(ctx, words)
	if err == nil && strings.HasPrefix(name, "go run ./exercises -solution race ") {
		c.demos[name] = transcript
	}
	return transcript, err
}

func (c *FreshCopy) run(ctx context.Context, words []string) (Transcript, error) {
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Dir = c.Root
	command.Env = slices.DeleteFunc(gotest.Environment(c.Root, "NO_COLOR=1", "TERM=dumb"), changesTheScreen)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := gotest.RunTree(command)
	if ctx.Err() != nil {
		return Transcript{}, fmt.Errorf("it did not end in time (%w); it had printed:\n%s", ctx.Err(), output.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Transcript{}, err
	}
	return Transcript{output.String(), command.ProcessState.ExitCode()}, nil
}

// changesTheScreen reports whether a variable of the caller would change what a learner's command prints.
func changesTheScreen(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return slices.Contains([]string{"COLUMNS", "CLICOLOR_FORCE", "FORCE_COLOR"}, name) || strings.HasPrefix(name, "TURNSTILE_")
}
