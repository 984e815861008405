package main

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

	"example/turnstile/internal/gotest"
)

// command runs a program in a directory with the extra variables and returns what it printed. A status other than 0 is an error
// that holds the output. When ctx ends, the program and all that it started end too.
func command(ctx context.Context, directory string, variables []string, name string, arguments ...string) (string, error) {
	run := exec.CommandContext(ctx, name, arguments...)
	run.Dir = directory
	run.Env = gotest.Environment(directory, variables...)
	var output bytes.Buffer
	run.Stdout, run.Stderr = &output, &output
	if err := gotest.RunTree(run); err != nil {
		shown := filepath.Base(name) + " " + strings.Join(arguments, " ")
		return output.String(), fmt.Errorf("%s\n%s: %w", strings.TrimSpace(output.String()), shown, err)
	}
	return output.String(), nil
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
