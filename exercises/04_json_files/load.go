package jsonfiles

import (
	"bytes"
	"encoding/json"
	"os"
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
		return New(), nil // TODO: does every error mean that no part is out?
	}

	// TODO: what does Decode not look at, and what does it accept that was never saved?
	doc := New()
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(doc); err != nil {
		return New(), nil // TODO: damage is not an empty list.
	}
	return doc, nil
}
