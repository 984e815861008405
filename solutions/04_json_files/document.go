// Package jsonfiles keeps the workshop's checkouts in a JSON file that is loaded strictly and never overwritten by guesswork.
//
// The other lessons' locks.json is a bare object from part to person. Here that object gets an envelope, since the file has to
// say which layout it has and how often it was saved:
//
//	{"version":1,"generation":7,"checkouts":{"bracket.step":{"person":"alice","since":"2026-03-02T09:00:00Z"}}}
//
// Its functions hand a path to the kernel as given, even link/../locks.json. Several goroutines may call them at the same time, and a
// call for one path waits for none for another. They leave umask and working directory alone, and a program that is started meanwhile
// inherits none of their files.
package jsonfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"example/turnstile/exercises/04_json_files/keys"
)

// Version is the layout of the documents that this program writes, and the newest that it can read.
const Version = 1

// A Document records who has which part.
type Document struct {
	// Version is the layout of the document.
	Version int `json:"version"`
	// Generation is one more than the generation of the document that this one replaced; the first has 1. A caller who
	// finds another number than before knows that another program has saved since.
	Generation int64 `json:"generation"`
	// Checkouts holds a checkout for each part that is in use, by the part's path.
	Checkouts map[string]Checkout `json:"checkouts"`
}

// A Checkout is the record that a person has a part.
type Checkout struct {
	Person string    `json:"person"`
	Since  time.Time `json:"since"`
}

// New returns a document without checkouts that was never saved: its Generation is 0.
func New() *Document {
	return &Document{Version: Version, Checkouts: map[string]Checkout{}}
}

// Validate returns an error unless d is what a saved document must be: of this program's version, saved at least once, with a
// map of checkouts (which may be empty), each with a path, a person and a time.
//
// It refuses two paths that differ only in letter case, because on many systems they name one file. It refuses a path or person
// with bytes that are not UTF-8, or with U+FFFD, which JSON puts in their place: that is not the name that a person typed.
func (d *Document) Validate() error {
	switch {
	case d.Version != Version:
		return fmt.Errorf("the version is %d instead of %d", d.Version, Version)
	case d.Generation < 1:
		return fmt.Errorf("the generation is %d; the first save makes it 1", d.Generation)
	case d.Checkouts == nil:
		return errors.New(`"checkouts" is missing or null; a document without checkouts has an empty object there`)
	}
	seen := make(map[string]string)
	for path, checkout := range d.Checkouts {
		if other, twice := seen[keys.Fold(path)]; twice {
			return fmt.Errorf("the paths %q and %q differ only in letter case", other, path)
		}
		seen[keys.Fold(path)] = path
		switch {
		case path == "":
			return errors.New("a checkout has an empty path")
		case strings.ContainsRune(path, utf8.RuneError), strings.ContainsRune(checkout.Person, utf8.RuneError):
			return fmt.Errorf("the checkout of %q has a damaged name: it is not valid UTF-8", path)
		case checkout.Person == "":
			return fmt.Errorf("the checkout of %q has no person", path)
		case checkout.Since.IsZero():
			return fmt.Errorf("the checkout of %q has no time", path)
		}
	}
	return nil
}

// ErrEmpty is what errors.Is finds in Load's error for a file of no bytes.
var ErrEmpty = errors.New("the file is empty, and no document is")

// ErrChanged is what errors.Is finds in Save's error when the file is not the one that was loaded.
var ErrChanged = errors.New("the file has changed since it was loaded")

// A CorruptError reports that a file holds something that is not exactly one valid document.
type CorruptError struct {
	Path string
	Err  error // what is wrong with the file
}

func (e *CorruptError) Error() string {
	where := ""
	if offset, known := e.Offset(); known {
		where = fmt.Sprintf(", noticed after %d bytes", offset)
	}
	return fmt.Sprintf("%s is damaged%s: %v; set it aside and look for a copy", e.Path, where, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// Offset returns how many bytes had been read when the damage was noticed. Not every damage has a known place, and the
// damage itself may lie before it.
func (e *CorruptError) Offset() (offset int64, known bool) {
	if syntax, ok := errors.AsType[*json.SyntaxError](e.Err); ok {
		return syntax.Offset, true
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](e.Err); ok {
		return mismatch.Offset, true
	}
	return 0, false
}

// A VersionError reports that a file was written by a newer program. Nothing is wrong with the file.
type VersionError struct {
	Path    string
	Version int // the file's
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has version %d and this program knows %d: use a newer program", e.Path, e.Version, Version)
}

// IsDamaged reports whether err is Load's verdict that the file is empty or corrupt, which is when SetAside may take it away.
func IsDamaged(err error) bool {
	_, corrupt := errors.AsType[*CorruptError](err)
	return corrupt || errors.Is(err, ErrEmpty)
}
