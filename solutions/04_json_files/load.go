package jsonfiles

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"example/turnstile/exercises/04_json_files/keys"
)

// Load reads the document in the file at path.
//
// It returns a document only in the first of these cases; in all others the document is nil:
//
//   - the file is exactly one valid document of this program's Version: no error, and Checkouts is not nil
//   - there is no file: the error matches fs.ErrNotExist
//   - the file has no bytes: the error matches ErrEmpty
//   - it holds one JSON object whose version is above Version, an int in digits alone: a *VersionError, whatever else is in the object
//   - it holds anything else: a *CorruptError with the path as given and the cause. That is half a document, something after a
//     document of any version, a byte order mark, a key twice in one object (in any letter case), an unknown field, a document that
//     Validate refuses. (If the version is there twice, a *VersionError is right too.)
//
// If the file cannot be opened, or not be read to its end, the error wraps the kernel's and matches none of the above. Every error
// names the path. White space around the values, the order of the keys and the letter case of a field's key do not matter. This is
// promised for files of up to 16 MiB; a newer document nested more than 1,000 deep may pass for corrupt.
//
// Load makes one open of path, as os.Open does, asks the kernel for nothing else by name, and judges what it reads there, to the end.
// It waits for no lock, and has closed the file when it returns. The document belongs to the caller alone. While another program
// writes the file in place, Load may find it empty or corrupt, or return a mixture, if new and old bytes happen to fit together.
func Load(path string) (*Document, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("load %s: %w; set it aside and look for a copy", path, ErrEmpty)
	}

	// The version comes first, because this program cannot know what else a newer document holds. Unmarshal also demands
	// that the whole file is one JSON value, so from here on nothing can follow the document.
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
