// Package jsonfiles keeps the workshop's locks in a JSON file that is loaded strictly and never overwritten by guesswork.
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

// A Document says who has which part.
type Document struct {
	// Version is the layout of the document.
	Version int `json:"version"`
	// Generation counts the saves: whoever finds another number than before knows that somebody has saved since.
	Generation int64 `json:"generation"`
	// Locks holds a lock for each part that somebody has, by the part's path.
	Locks map[string]Lock `json:"locks"`
}

// A Lock is one person's claim on a part.
type Lock struct {
	Owner string    `json:"owner"`
	Since time.Time `json:"since"`
}

// New returns a document without locks that has never been saved: its Generation is 0.
func New() *Document {
	return &Document{Version: Version, Locks: map[string]Lock{}}
}

// Validate returns an error unless d is what a saved document has to be: of this program's version, saved at least once,
// with a map of locks (which may hold none), and each lock with a path, an owner and a time. Two paths that differ in letter case
// only are refused: on many systems they are one file. So is a path or owner with bytes that are no UTF-8, or with U+FFFD, which
// JSON puts in their place: it is not the name that somebody gave.
func (d *Document) Validate() error {
	switch {
	case d.Version != Version:
		return fmt.Errorf("the version is %d instead of %d", d.Version, Version)
	case d.Generation < 1:
		return fmt.Errorf("the generation is %d; the first save makes it 1", d.Generation)
	case d.Locks == nil:
		return errors.New(`"locks" is missing or null; a document without locks has an empty object there`)
	}
	seen := make(map[string]string)
	for path, lock := range d.Locks {
		if other, twice := seen[keys.Fold(path)]; twice {
			return fmt.Errorf("the paths %q and %q differ in letter case only", other, path)
		}
		seen[keys.Fold(path)] = path
		switch {
		case path == "":
			return errors.New("a lock has an empty path")
		case strings.ContainsRune(path, utf8.RuneError), strings.ContainsRune(lock.Owner, utf8.RuneError):
			return fmt.Errorf("the lock on %q has a damaged name: it is not valid UTF-8", path)
		case lock.Owner == "":
			return fmt.Errorf("the lock on %q has no owner", path)
		case lock.Since.IsZero():
			return fmt.Errorf("the lock on %q has no time", path)
		}
	}
	return nil
}

// ErrEmpty is what errors.Is finds in Load's error for a file of no bytes.
var ErrEmpty = errors.New("the file is empty, which no document is")

// ErrChanged is what errors.Is finds in Save's error when the file is not the one that was loaded.
var ErrChanged = errors.New("the file has changed since it was loaded")

// A CorruptError says that a file holds something, and that it is not exactly one valid document.
type CorruptError struct {
	Path string
	Err  error // what is wrong with it
}

func (e *CorruptError) Error() string {
	where := ""
	if offset, known := e.Offset(); known {
		where = fmt.Sprintf(", after %d bytes", offset)
	}
	return fmt.Sprintf("%s is damaged%s: %v; set it aside and look for a copy", e.Path, where, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// Offset returns how many bytes had been read when the damage was noticed. It is not known for every damage, and a
// damage may lie before the place where it is noticed.
func (e *CorruptError) Offset() (offset int64, known bool) {
	if syntax, ok := errors.AsType[*json.SyntaxError](e.Err); ok {
		return syntax.Offset, true
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](e.Err); ok {
		return mismatch.Offset, true
	}
	return 0, false
}

// A VersionError says that a file was written by a newer program. Nothing is wrong with it.
type VersionError struct {
	Path    string
	Version int // the file's
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has version %d and this program knows %d: use a newer program", e.Path, e.Version, Version)
}
