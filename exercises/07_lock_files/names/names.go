// Package names makes, moves and removes names in a directory. It is given.
//
// Each function has the same result on every system. Remove and RemoveEmpty ask and act in one call of the kernel, which does the whole
// or refuses and changes nothing. PutDirectory is two such calls, of which only the second one gives a name away, and no harm comes of a
// stop between them. How to build a lock of such steps is the exercise.
package names

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// ErrOther is matched by the error of OnlyFile for a path with something else than a directory that holds one file.
var ErrOther = errors.New("not a directory with one file in it")

// sizeLimit is more than any owner of a lock needs, and keeps OnlyFile from reading a file of gigabytes.
const sizeLimit = 1 << 16

// Remove removes the file, or the empty directory, of that name. A directory that holds something is not removed. The error matches
// fs.ErrNotExist if nothing has that name, even if the directory of path is a file by now.
func Remove(path string) error {
	err := patiently(func() error { return os.Remove(path) })
	if errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w (%w)", fs.ErrNotExist, err)
	}
	return err
}

// MakeDirectory creates a directory at path that holds one file. Others can see it before it is complete. The umask applies to the
// permissions of both, which are 0777 and 0666. If anything fails, Close included, the error says so and what was made is removed.
func MakeDirectory(path, file string, content []byte) error {
	if err := os.Mkdir(path, 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(path, file), content, 0o666); err != nil {
		return errors.Join(err, os.RemoveAll(path))
	}
	return nil
}

// RemoveEmpty removes the directory at path if it is empty. It removes nothing else: not a file, and not a directory that holds something.
func RemoveEmpty(path string) error {
	return os.Remove(path + string(os.PathSeparator)) // the separator at the end means: only a directory (path_resolution(7))
}

// PutDirectory gives the directory from, with all that it holds, the name to, if nothing has that name or an empty directory has it.
// Of those who try it at the same time one succeeds.
//
// Otherwise the error matches fs.ErrExist, whatever exists at to, and from is still where it was. Any other error is a fault of the
// system, such as a missing permission. (On Windows a file that appears at to in the last moment may be replaced, and any refusal
// counts as fs.ErrExist: the system does not say that another process has the name in use.)
func PutDirectory(from, to string) error {
	err := patiently(func() error {
		removal := RemoveEmpty(to) // rename(2) replaces an empty directory; os.Rename and Windows do not
		err := os.Rename(from, to)
		if err == nil {
			return nil
		}
		if info, missing := os.Lstat(to); missing == nil && !isEmptyDirectory(to, info) {
			return fmt.Errorf("%w (%w)", fs.ErrExist, err)
		}
		if errors.Is(removal, fs.ErrPermission) { // another user's empty directory, in a directory like /tmp
			return removal
		}
		return err
	})
	if maybeLater(err) {
		return fmt.Errorf("%w (%w)", fs.ErrExist, err)
	}
	return err
}

func isEmptyDirectory(path string, info fs.FileInfo) bool {
	if !info.IsDir() {
		return false
	}
	entries, err := os.ReadDir(path)
	return err == nil && len(entries) == 0
}

// OnlyFile returns the name and the content of the only file in the directory at path. It changes nothing.
//
// The error matches fs.ErrNotExist if nothing exists at path, if it is an empty directory, or if the file was removed meanwhile. It
// matches ErrOther for a file, a symbolic link, a directory with more or other things in it than one file, and a file of more than
// 64 KiB. Any other error is a fault of the system.
func OnlyFile(path string) (name string, content []byte, err error) {
	err = patiently(func() error {
		name, content, err = onlyFile(path)
		return err
	})
	return name, content, err
}

func onlyFile(path string) (name string, content []byte, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", nil, err
	}
	if !info.IsDir() {
		return "", nil, ErrOther
	}
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return "", nil, ErrOther // it was replaced a moment ago
	case err != nil:
		return "", nil, err
	case len(entries) == 0:
		return "", nil, fs.ErrNotExist
	case len(entries) > 1 || !entries[0].Type().IsRegular():
		return "", nil, ErrOther
	}
	file, err := os.Open(filepath.Join(path, entries[0].Name()))
	if errors.Is(err, syscall.ENOTDIR) {
		return "", nil, ErrOther
	}
	if err != nil {
		return "", nil, err
	}
	content, err = io.ReadAll(io.LimitReader(file, sizeLimit+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return "", nil, err
	}
	if len(content) > sizeLimit {
		return "", nil, ErrOther
	}
	return entries[0].Name(), content, nil
}

// patience bounds what is tried again because Windows refuses it at this moment.
const patience = 2 * time.Second

// patiently calls do again while its error may be gone in a moment. Only Windows has such errors: it refuses to remove or move what
// another process has open, such as a contender that reads an owner's name, and what was removed may keep its name until then.
func patiently(do func() error) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // the kernel sends no message when a handle is closed
		err := do()
		if !maybeLater(err) || time.Now().After(deadline) {
			return err
		}
	}
}

func maybeLater(err error) bool {
	return runtime.GOOS == "windows" && err != nil &&
		!errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) && !errors.Is(err, ErrOther)
}
