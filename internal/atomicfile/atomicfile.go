// Package atomicfile replaces a file so that neither a reader nor a process crash ever meets half of it. It is for the
// workbook's own files.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// step is called before each step of a replacement; a test kills the process there.
var step = func(string) {}

// Replace replaces path by content in one step, for readers and for process crashes: temp file in the same directory, fsync,
// rename, and the directory's own fsync where the system has one. The mode of the old file is kept; a link is replaced by a
// file. On an error the old file is as it was, unless only the last step failed: then the new one is in place.
//
// It does not exclude other writers: the last one wins. On Windows it waits up to a second for a program that has the file open, and
// fails after that. A process that dies in the middle leaves a temp file behind; see Sweep.
func Replace(path string, content []byte) (err error) {
	mode := fs.FileMode(0o644)
	if info, statErr := os.Stat(path); statErr == nil {
		mode = info.Mode().Perm()
	}
	step("create")
	temp, err := os.CreateTemp(filepath.Dir(path), tempPrefix(path)+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	if err := errors.Join(fill(temp, content, mode), closed(temp)); err != nil {
		return err
	}
	step("rename")
	if err := patiently(func() error { return os.Rename(temp.Name(), path) }); err != nil {
		return err
	}
	step("sync directory")
	return SyncDir(filepath.Dir(path))
}

// tempPrefix begins the name of every temp file for path. The leading dot keeps go from compiling a leftover.
func tempPrefix(path string) string { return "." + filepath.Base(path) + ".new-" }

// fill writes in two halves, so that the test which kills the process between them makes a torn file.
func fill(temp *os.File, content []byte, mode fs.FileMode) error {
	half := len(content) / 2
	step("write")
	if _, err := temp.Write(content[:half]); err != nil {
		return err
	}
	step("write the rest")
	if _, err := temp.Write(content[half:]); err != nil {
		return err
	}
	if err := temp.Chmod(mode); err != nil {
		return err
	}
	step("sync")
	return temp.Sync()
}

func closed(temp *os.File) error {
	step("close")
	return temp.Close()
}

// Create makes a file that does not exist yet, with content that has reached the disk. If anything has that name the error
// matches fs.ErrExist and nothing is touched. A reader may meet half of it; after an error it is gone again.
func Create(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path)
	}
	return err
}

// Read reads a file that other processes replace. On Windows it waits up to a second for one that is just doing so.
func Read(path string) (content []byte, err error) {
	err = patiently(func() error {
		content, err = os.ReadFile(path)
		return err
	})
	return content, err
}

// Rename renames a file as Replace does.
func Rename(from, to string) error {
	return patiently(func() error { return os.Rename(from, to) })
}

// Sweep removes what processes left behind that died while they replaced path. The caller makes sure that none is doing so now.
// What cannot be removed stays: the next sweep tries again.
func Sweep(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), tempPrefix(path)) {
			_ = os.Remove(filepath.Join(filepath.Dir(path), entry.Name()))
		}
	}
}
