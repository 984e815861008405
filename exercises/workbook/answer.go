package workbook

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// An Answer is what a learner writes: the base name of each answer file, and its content with LF line endings.
//
// Answer files are the .go files directly in the exercise's folder that are not tests and that go does not ignore
// (a name that begins with a dot or an underscore).
type Answer map[string][]byte

// Equal reports whether both answers have the same files with the same content, whatever their line endings.
func (a Answer) Equal(b Answer) bool {
	return maps.EqualFunc(a, b, func(x, y []byte) bool { return bytes.Equal(normalise(x), normalise(y)) })
}

// Names returns the names of the answer's files in order.
func (a Answer) Names() []string { return slices.Sorted(maps.Keys(a)) }

var carriageReturns = regexp.MustCompile(`\r+(\n|$)`)

// normalise gives every line of text an LF ending: a file that an editor or git has turned to CRLF is the same answer.
func normalise(text []byte) []byte {
	if !bytes.Contains(text, []byte("\r")) {
		return text
	}
	return carriageReturns.ReplaceAll(text, []byte("$1"))
}

// Learner returns the answer that stands in the exercise's folder now. A folder without answer files is an error that
// matches fs.ErrNotExist.
func (e *Exercise) Learner() (Answer, error) {
	a, err := ReadAnswer(e.Folder())
	if err != nil {
		return nil, fmt.Errorf("read your code of %s: %w; `go run ./exercises reset %s` brings the files back", e.ID, err, e.ID[:2])
	}
	return a, nil
}

// Reference returns the answer in solutions/.
func (e *Exercise) Reference() (Answer, error) {
	a, err := ReadAnswer(e.SolutionFolder())
	if err != nil {
		return nil, fmt.Errorf("read the reference answer of %s: %w; `git checkout solutions/%s` brings it back", e.ID, err, e.ID)
	}
	return a, nil
}

// AsShipped returns the answer as the workbook came: the reference with wrong/00_as_shipped.patch applied.
func (e *Exercise) AsShipped() (Answer, error) {
	reference, err := e.Reference()
	if err != nil {
		return nil, err
	}
	patch, err := ReadPatch(filepath.Join(e.SolutionFolder(), "wrong", "00_as_shipped.patch"))
	if err != nil {
		return nil, fmt.Errorf("find %s as it was shipped: %w", e.ID, err)
	}
	return patch.Apply(reference)
}

// ReadAnswer returns the answer files in any folder, CRLF turned into LF. None is an error that matches fs.ErrNotExist.
func ReadAnswer(folder string) (Answer, error) {
	names, err := answerFiles(folder)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, &fs.PathError{Op: "find a .go file in", Path: folder, Err: fs.ErrNotExist}
	}
	a := Answer{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		a[name] = normalise(text)
	}
	return a, nil
}

func answerFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if isAnswerFile(entry.Name()) && !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func isAnswerFile(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") &&
		!strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") &&
		!strings.ContainsAny(name, `/\:`)
}

// Write puts the answer in place of the learner's files and removes answer files that it does not have.
//
// Each file is written beside its place, synced and renamed, so that a crash leaves every single file old or new, never
// half; between two files a crash leaves some old and some new. Tests, hints and the race demo are not touched.
func (e *Exercise) Write(a Answer) error {
	if len(a) == 0 {
		return fmt.Errorf("write an answer to %s: it has no file", e.ID)
	}
	for name := range a {
		if !isAnswerFile(name) {
			return fmt.Errorf("write an answer to %s: %q is not the name of an answer file (a .go file, no test, no folder)", e.ID, name)
		}
	}
	if err := os.MkdirAll(e.Folder(), 0o777); err != nil {
		return fmt.Errorf("write an answer to %s: %w", e.ID, err)
	}
	before, err := answerFiles(e.Folder())
	if err != nil {
		return fmt.Errorf("write an answer to %s: %w", e.ID, err)
	}
	for _, name := range a.Names() {
		if err := ReplaceFile(filepath.Join(e.Folder(), name), normalise(a[name])); err != nil {
			return fmt.Errorf("write an answer to %s: %w; close the file in other programs, make its folder writable, and try again", e.ID, err)
		}
	}
	for _, name := range before {
		if _, keep := a[name]; keep {
			continue
		}
		if err := os.Remove(filepath.Join(e.Folder(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write an answer to %s: %w; remove the file yourself: it belongs to another answer", e.ID, err)
		}
	}
	return nil
}

// ReplaceFile replaces path by content in one step, for readers and for crashes: temp file in the same folder, fsync,
// rename, and the folder's own fsync where the system has one. The mode of the old file is kept; a link is replaced by a
// file. It does not exclude other writers: the last one wins. On Windows it fails while another program has the file open.
func ReplaceFile(path string, content []byte) (err error) {
	mode := fs.FileMode(0o644)
	if info, statErr := os.Stat(path); statErr == nil {
		mode = info.Mode().Perm()
	}
	// The leading dot keeps go from compiling a leftover.
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
		}
	}()
	if _, err = temp.Write(content); err != nil {
		return err
	}
	if err = temp.Chmod(mode); err != nil {
		return err
	}
	if err = temp.Sync(); err != nil {
		return err
	}
	if err = temp.Close(); err != nil {
		return err
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a rename in folder durable. Windows cannot flush a folder, and some network file systems refuse:
// then the rename is as durable as the system makes it.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	handle, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := handle.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
