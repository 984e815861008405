package textcheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A FreshCopy is the workbook as a new clone has it, in a directory of its own: the exercises as shipped, no state of the
// guide, no git. Commands of console blocks run there, so that nothing comes from or goes to the learner's own work.
type FreshCopy struct {
	Root string

	exercises []string
	shipped   Source
}

// Copy copies the workbook at root into directory, which must be empty, and lays the given exercises out as shipped. Directories that
// begin with a dot, and the modules bench and docs, stay behind: no learner's command needs them.
func Copy(root, directory string, exercises []string, shipped Source) (*FreshCopy, error) {
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
	c := &FreshCopy{directory, exercises, shipped}
	return c, c.Reset()
}

// Reset makes the copy fresh again: every exercise as shipped, the guide's state gone.
func (c *FreshCopy) Reset() error {
	if err := os.RemoveAll(filepath.Join(c.Root, ".turnstile")); err != nil {
		return fmt.Errorf("remove the state of the guide: %w", err)
	}
	for _, exercise := range c.exercises {
		if err := c.lay(exercise); err != nil {
			return fmt.Errorf("lay %s out as shipped: %w", exercise, err)
		}
	}
	return nil
}

func (c *FreshCopy) lay(exercise string) error {
	answer, err := c.shipped(exercise)
	if err != nil {
		return err
	}
	directory := filepath.Join(c.Root, "exercises", exercise)
	entries, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, keep := answer[entry.Name()]; keep || entry.IsDir() || !isAnswerFile(entry.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(directory, entry.Name())); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(answer)) {
		if err := os.WriteFile(filepath.Join(directory, name), answer[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Run runs the command in the copy, without a terminal and without input. It is a Runner. When ctx ends, the command and
// what it has started are killed, and the error says so.
func (c *FreshCopy) Run(ctx context.Context, words []string) (Transcript, error) {
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Dir = c.Root
	command.Env = environment(os.Environ())
	command.WaitDelay = 5 * time.Second // a grandchild that holds the pipe must not hold this program
	killTree(command)
	output, err := command.CombinedOutput()
	if ctx.Err() != nil {
		return Transcript{}, fmt.Errorf("it did not end in time (%w); it had printed:\n%s", ctx.Err(), output)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Transcript{}, err
	}
	return Transcript{string(output), command.ProcessState.ExitCode()}, nil
}

// environment is that of the caller without what would make go build something else than a learner's go does, and without
// colours. -trimpath lets builds in different copies share go's cache.
func environment(inherited []string) []string {
	dropped := []string{"GOFLAGS", "GOOS", "GOARCH", "GOWORK", "GO111MODULE", "PWD", "COLUMNS", "CLICOLOR_FORCE", "FORCE_COLOR"}
	var kept []string
	for _, variable := range inherited {
		name, _, _ := strings.Cut(variable, "=")
		if !slices.Contains(dropped, name) && !strings.HasPrefix(name, "TURNSTILE_") {
			kept = append(kept, variable)
		}
	}
	return append(kept, "GOFLAGS=-trimpath -buildvcs=false", "GOWORK=off", "NO_COLOR=1", "TERM=dumb")
}
