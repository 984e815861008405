// Package tree lists the files of the repository, and identifies their state.
package tree

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Variable names the environment variable that holds the Hash of the tree under test. go keeps the results of tests, and does
// not see that a file outside their module has changed. It does see an environment variable that a test has read.
const Variable = "TURNSTILE_TREE"

// Files lists what belongs to the repository, slash-separated and relative to root, in order: the regular files that git
// tracks or would add; without git, all but what .gitignore names.
func Files(ctx context.Context, root string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(root, ".git")); errors.Is(err, fs.ErrNotExist) {
		return walk(root)
	}
	list := exec.CommandContext(ctx, "git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z")
	list.Dir = root
	listed, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the files of the repository: git ls-files: %w; `git status` there shows more", err)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name))); err == nil && info.Mode().IsRegular() {
			names = append(names, name) // a file that is deleted but not yet committed is missing
		}
	}
	return names, nil
}

// notOurs are directories that .gitignore would leave out.
var notOurs = []string{".git", ".turnstile", "node_modules"}

func walk(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (slices.Contains(notOurs, entry.Name()) || name == filepath.Join(root, "docs", "site", "build")) {
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

// Hash is the same for two states of the repository if their Files have the same names and contents.
func Hash(ctx context.Context, root string) (string, error) {
	names, err := Files(ctx, root)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return "", fmt.Errorf("hash the files of the repository: %w", err)
		}
		for _, part := range [][]byte{[]byte(name), content} {
			_ = binary.Write(sum, binary.BigEndian, int64(len(part))) // a hash never refuses a write
			sum.Write(part)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}
