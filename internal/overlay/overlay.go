// Package overlay lays files over the workbook for one go command, without touching the workbook: it writes what go's -overlay reads
// (`go help build`).
package overlay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"example/turnstile/internal/answer"
	"example/turnstile/internal/curriculum"
)

// An Overlay collects files that replace files of the workbook. Names are relative to the workbook's root, with forward slashes; they
// need not exist there, nor need their directories. It is for one goroutine.
type Overlay struct {
	root, dir string
	replace   map[string]string // absolute path in the workbook → path of its stand-in, "" for none
}

// New returns an empty overlay for the workbook at root. It keeps its files in dir, a directory that it makes and that is the caller's to
// remove when the go command has ended.
func New(root, dir string) *Overlay {
	return &Overlay{root: root, dir: dir, replace: map[string]string{}}
}

// Put makes text the content of the named file.
func (o *Overlay) Put(name string, text []byte) error {
	path := filepath.Join(o.dir, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("lay a file over %s: %w; make %s a writable directory", name, err, o.dir)
	}
	o.replace[filepath.Join(o.root, filepath.FromSlash(name))] = path
	return nil
}

// Hide makes go believe that the named file does not exist.
func (o *Overlay) Hide(name string) { o.replace[filepath.Join(o.root, filepath.FromSlash(name))] = "" }

// Lay puts the answer in place of the exercise's answer files, and the references of all lessons that it builds on (Foundations) in place
// of theirs: an answer is not judged on what a learner has made of earlier exercises. Laid files import exercises where they
// import solutions, so a test may hand a value of an earlier lesson's type to a later lesson.
func (o *Overlay) Lay(e *curriculum.Exercise, a answer.Answer) error {
	if err := o.LayFoundations(e, a); err != nil {
		return err
	}
	if err := o.Cover(e, a); err != nil {
		return fmt.Errorf("lay an answer over %s: %w", e.ID, err)
	}
	return nil
}

// LayFoundations is Lay without the answer itself.
func (o *Overlay) LayFoundations(e *curriculum.Exercise, a answer.Answer) error {
	foundations, err := Foundations(e, a)
	if err != nil {
		return err
	}
	for _, f := range foundations {
		reference, err := answer.Reference(f)
		if err == nil {
			err = o.Cover(f, reference)
		}
		if err != nil {
			return fmt.Errorf("lay the reference of %s below an answer to %s: %w", f.ID, e.ID, err)
		}
	}
	return nil
}

// Cover puts the answer in place of the exercise's answer files and leaves what it builds on as it is.
func (o *Overlay) Cover(e *curriculum.Exercise, a answer.Answer) error {
	names, err := answer.Files(e.Folder())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range names {
		o.Hide("exercises/" + e.ID + "/" + name)
	}
	for name, text := range a.InExercises() {
		if !answer.IsFile(name) {
			return fmt.Errorf("%q is not the name of an answer file", name)
		}
		if err := o.Put("exercises/"+e.ID+"/"+name, answer.LF(text)); err != nil {
			return err
		}
	}
	return nil
}

// Write writes the map of all files and returns its path, to be given to go as -overlay=PATH.
func (o *Overlay) Write() (string, error) {
	text, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(o.dir, "overlay.json")
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return path, nil
}

// Tidy gives laid files the names of the files that they replace, in what go printed when it worked in the workbook's root.
func (o *Overlay) Tidy(text string) string {
	folder := o.dir + string(filepath.Separator)
	text = strings.ReplaceAll(text, folder, "")
	if relative, err := filepath.Rel(o.root, o.dir); err == nil { // go shortens paths that way
		text = strings.ReplaceAll(text, relative+string(filepath.Separator), "")
	}
	return text
}
