package main

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

const (
	// top is the directory that the zip unpacks to.
	top = "turnstile"
	// site is where `make docs` puts the built site, relative to the root. In the zip it is the directory site.
	site = "docs/site/build/dist"
)

// write writes the pack to the file target, by a temporary file beside it, and says what is in it.
func write(ctx context.Context, root, target string) (contents string, err error) {
	work, err := os.MkdirTemp("", "turnstile-pack-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	tree := filepath.Join(work, top)
	when, err := export(ctx, root, tree)
	if err != nil {
		return "", err
	}
	if err := vendor(ctx, tree); err != nil {
		return "", err
	}
	contents = "the last commit and its modules"
	built := filepath.Join(root, filepath.FromSlash(site))
	if _, statErr := os.Stat(filepath.Join(built, "index.html")); statErr == nil {
		if err := os.CopyFS(filepath.Join(tree, "site"), os.DirFS(built)); err != nil {
			return "", err
		}
		contents += ", and the site: open " + top + "/site/index.html"
	} else {
		contents += "; no site, because " + site + " was not built"
	}
	draft := target + ".new"
	if err := compress(work, draft, when); err != nil {
		return "", errors.Join(err, os.Remove(draft))
	}
	return target + ": " + contents, os.Rename(draft, target)
}

// export writes the files of HEAD, with the line ends that the repository keeps, and returns the time of the commit.
func export(ctx context.Context, root, tree string) (time.Time, error) {
	archive := exec.CommandContext(ctx, "git", "archive", "--format=tar", "HEAD")
	archive.Dir = root
	archive.Stderr = os.Stderr
	stream, err := archive.StdoutPipe()
	if err != nil {
		return time.Time{}, err
	}
	if err := archive.Start(); err != nil {
		return time.Time{}, fmt.Errorf("git archive: %w; install git, and make the pack in a clone", err)
	}
	when, err := untar(stream, tree)
	_, _ = io.Copy(io.Discard, stream) // git must not wait for a reader that has failed
	if err := errors.Join(err, archive.Wait()); err != nil {
		return time.Time{}, fmt.Errorf("git archive: %w; make the pack in a clone of the repository", err)
	}
	return when, nil
}

func untar(stream io.Reader, tree string) (when time.Time, err error) {
	for files := tar.NewReader(stream); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return when, nil
		}
		if err != nil {
			return when, err
		}
		name := filepath.Join(tree, filepath.FromSlash(header.Name))
		switch header.Typeflag {
		case tar.TypeReg:
			when = header.ModTime
			err = writeFile(name, files, header.FileInfo().Mode().Perm())
		case tar.TypeDir:
			err = os.MkdirAll(name, 0o755)
		case tar.TypeXGlobalHeader: // the commit's hash
		default:
			err = fmt.Errorf("%s is neither a file nor a directory, and not every system unpacks such", header.Name)
		}
		if err != nil {
			return when, err
		}
	}
}

func writeFile(name string, content io.Reader, perm fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// vendor puts the modules that the workbook requires beside it, those of every system. It needs them in the module cache, or a network.
func vendor(ctx context.Context, tree string) error {
	command := exec.CommandContext(ctx, "go", "mod", "vendor")
	command.Dir = tree
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go mod vendor: %w\n%s", err, said)
	}
	return nil
}

// compress writes all files below work. The same commit gives the same zip.
func compress(work, target string, when time.Time) error {
	file, err := os.Create(target)
	if err != nil {
		return err
	}
	archive := zip.NewWriter(file)
	err = filepath.WalkDir(work, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(work, name)
		if err != nil {
			return err
		}
		return add(archive, name, path.Clean(strings.ReplaceAll(relative, string(filepath.Separator), "/")), when)
	})
	return errors.Join(err, archive.Close(), file.Sync(), file.Close())
}

func add(archive *zip.Writer, file, name string, when time.Time) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	header, err := zip.FileInfoHeader(info)
	if err != nil {
		return err
	}
	header.Name, header.Method, header.Modified = name, zip.Deflate, when.UTC()
	to, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, content)
	return errors.Join(err, content.Close())
}
