package jsonfiles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"example/turnstile/exercises/04_json_files/keys"
)

// Load reads the document in the file at path.
//
// It tells what it finds apart, and returns a document only for the first of these:
//
//   - exactly one valid document of this program's Version: no error; Locks is never nil
//   - no file: the error matches fs.ErrNotExist. Whether to begin with New is the caller's decision
//   - a file of no bytes, not even white space: the error matches ErrEmpty
//   - a document of a newer Version, whatever else it says, and be it a key twice: a *VersionError
//   - anything else that can be read: a *CorruptError with the path and the cause. That is half a document, something behind a document
//     of any version, a key twice in one object (in whatever letter case), an unknown field, a document that Validate refuses
//
// With each of these errors, the document is nil. A file that cannot be read is none of these, and the error is the system's. White
// space around the values and the order of the keys do not matter, nor does the size. A field's key may stand in another letter case.
//
// Load never changes, moves or creates a file, and takes no lock. While another program writes the file in place, Load may
// find it empty or corrupt; and if the new bytes and the old ones fit together by chance, it may return a mixture.
func Load(path string) (*Document, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("load %s: %w; set it aside and look for a copy", path, ErrEmpty)
	}

	// The version comes first: what else a newer document holds, this program cannot know. Unmarshal wants the whole file
	// to be one JSON value, so nothing can follow the document from here on.
	var header struct{ Version int }
	if err := json.Unmarshal(data, &header); err != nil {
		return nil, &CorruptError{path, err}
	}
	if header.Version > Version {
		return nil, &VersionError{path, header.Version}
	}
	if err := keys.Distinct(data); err != nil {
		return nil, &CorruptError{path, err}
	}

	var doc Document
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&doc); err != nil {
		return nil, &CorruptError{path, err}
	}
	if err := doc.Validate(); err != nil {
		return nil, &CorruptError{path, err}
	}
	return &doc, nil
}

// isDamaged reports whether err is Load's verdict that the file holds no document of any version.
func isDamaged(err error) bool {
	_, corrupt := errors.AsType[*CorruptError](err)
	return corrupt || errors.Is(err, ErrEmpty)
}
