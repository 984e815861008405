// Package format has the document's form on disk: what encodes it, and what reads it strictly.
//
//	{"version":1,"generation":7,"content":{…}}
//
// As in lesson 04, the version says which layout the file has, and the generation how often it was saved. The content is the program's
// own.
package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// Version is the layout that this program writes, and the newest that it can read.
const Version = 1

// ErrEmpty is what errors.Is finds in a CorruptError for a file of no bytes.
var ErrEmpty = errors.New("the file is empty, and no document is")

// A CorruptError reports that a file holds something that is not exactly one valid document.
type CorruptError struct {
	Path   string
	Backup string // the path of the backup, good or not, if there is one
	Err    error  // what is wrong with the file
}

func (e *CorruptError) Error() string {
	advice := "there is no backup: repair it by hand"
	if e.Backup != "" {
		advice = fmt.Sprintf("Recover sets it aside and brings back the generation before, which is in %s", e.Backup)
	}
	return fmt.Sprintf("%s is damaged: %v; %s", e.Path, e.Err, advice)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// A VersionError reports that a newer program has written the file. It is not damaged.
type VersionError struct {
	Path    string
	Version int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has version %d, and this program knows %d; use the program that wrote it", e.Path, e.Version, Version)
}

// document is what a file holds. The order of the fields is that of the bytes: Generation depends on it.
type document[T any] struct {
	Version    int   `json:"version"`
	Generation int64 `json:"generation"`
	Content    *T    `json:"content"`
}

// Encode returns the bytes of a document, in the form that Decode accepts, or an error, which names the path, if Decode would not accept
// them: if JSON has no form for the content, if it is null, or if an object in it has the same key twice. The content that Decode would
// return for them comes back too, as a value of its own, if validate accepts it.
func Encode[T any](path string, generation int64, content *T, validate func(*T) error) (data []byte, again *T, err error) {
	var buffer bytes.Buffer
	if err := json.NewEncoder(&buffer).Encode(document[T]{Version, generation, content}); err != nil { // with a newline at the end
		return nil, nil, fmt.Errorf("encode %s: %w", path, err)
	}
	doc, err := reload[T](buffer.Bytes())
	if err == nil && validate != nil {
		err = validate(doc.Content)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("encode %s: what would be in the file could not be loaded: %w", path, err)
	}
	return buffer.Bytes(), doc.Content, nil
}

// Decode returns the document that data holds, which is all that the file at path holds. It is strict: the data is exactly one document
// of this version, with a generation and a content, no unknown field, no key twice in one object (in any letter case), and validate
// accepts the content. Otherwise the error is a *VersionError, for a document of a newer version, or a *CorruptError.
func Decode[T any](path string, data []byte, validate func(*T) error) (generation int64, content *T, err error) {
	doc, err := decode[T](data)
	if err == nil && validate != nil {
		err = validate(doc.Content)
	}
	if err == nil {
		return doc.Generation, doc.Content, nil
	}
	// Nobody but its own program knows what else a newer document holds.
	var header struct{ Version int }
	if json.Unmarshal(data, &header) == nil && header.Version > Version {
		return 0, nil, &VersionError{path, header.Version}
	}
	return 0, nil, &CorruptError{Path: path, Err: err}
}

func decode[T any](data []byte) (doc document[T], err error) {
	if len(data) == 0 {
		return doc, ErrEmpty
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return doc, io.ErrUnexpectedEOF // white space alone
	} else if err != nil {
		return doc, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return doc, fmt.Errorf("after %d bytes: there is more after the document", decoder.InputOffset())
	}
	return doc, check(doc, data)
}

// reload is decode for what Encode has made of a T. json.Unmarshal is faster than a Decoder, whose buffer has to grow with the data, but it
// accepts unknown fields.
func reload[T any](data []byte) (doc document[T], err error) {
	if !knowsItsFields(reflect.TypeFor[T]()) {
		return decode[T](data)
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return doc, err
	}
	return doc, check(doc, data)
}

// check judges a document that encoding/json has made of the data.
func check[T any](doc document[T], data []byte) error {
	switch {
	case doc.Version != Version:
		return fmt.Errorf("its version is %d, not %d", doc.Version, Version)
	case doc.Generation < 1:
		return fmt.Errorf("its generation is %d, and the first is 1", doc.Generation)
	case doc.Content == nil:
		return errors.New("it has no content")
	}
	return distinct(data)
}

// HeaderSize is how many bytes of a file Generation needs.
const HeaderSize = 64

// Generation returns the generation of a document whose file begins with these bytes, if they have exactly the form that Encode writes.
// It judges nothing: a document that begins well may be damaged.
func Generation(header []byte) (generation int64, known bool) {
	rest, found := bytes.CutPrefix(header, fmt.Appendf(nil, `{"version":%d,"generation":`, Version))
	digits, _, ended := bytes.Cut(rest, []byte(`,"content":`))
	if !found || !ended || len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for _, digit := range digits {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		generation = 10*generation + int64(digit-'0')
	}
	return generation, true
}
