package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// command runs a program in directory with the extra variables and returns what it printed. A status other than 0 is an error that
// holds the output.
func command(ctx context.Context, directory string, variables []string, name string, arguments ...string) (string, error) {
	run := exec.CommandContext(ctx, name, arguments...)
	run.Dir = directory
	run.Env = append(environment(os.Environ()), variables...)
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) } // go passes it on to what it has started
	run.WaitDelay = 10 * time.Second
	output, err := run.CombinedOutput()
	if err != nil {
		shown := filepath.Base(name) + " " + strings.Join(arguments, " ")
		return string(output), fmt.Errorf("%s\n%s: %w", strings.TrimSpace(string(output)), shown, err)
	}
	return string(output), nil
}

// environment is the caller's without what would make go build something else, or change go.mod behind our back.
func environment(inherited []string) []string {
	dropped := []string{"GOFLAGS", "GOOS", "GOARCH", "GOWORK", "PWD"}
	kept := slices.DeleteFunc(slices.Clone(inherited), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(dropped, name)
	})
	return append(kept, "GOFLAGS=-buildvcs=false", "GOWORK=off")
}

// files lists what belongs to the repository, slash-separated and relative to root: what git knows or would add; without git,
// everything but what .gitignore is known to name.
func files(ctx context.Context, root string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(root, ".git")); errors.Is(err, fs.ErrNotExist) {
		return walk(root)
	}
	listed, err := command(ctx, root, nil, "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	if err != nil {
		return nil, fmt.Errorf("list the files of the repository: %w", err)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimSuffix(listed, "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name))); err == nil && info.Mode().IsRegular() {
			names = append(names, name) // one that is deleted but not yet committed is not there
		}
	}
	return names, nil
}

func walk(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || entry.Name() == ".turnstile") {
			return filepath.SkipDir
		}
		if entry.Type().IsRegular() {
			relative, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			names = append(names, filepath.ToSlash(relative))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the files of the repository: %w", err)
	}
	return names, nil
}
