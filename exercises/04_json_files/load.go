package jsonfiles

import (
	"encoding/json"
	"os"
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
	doc := New()
	file, err := os.Open(path)
	if err != nil {
		return doc, nil // TODO: is every error of Open the same as "nobody has a part"?
	}
	defer file.Close()

	// TODO: what does Decode not look at, and what does it take that nobody has saved?
	if err := json.NewDecoder(file).Decode(doc); err != nil {
		return doc, nil // TODO: a damaged document is not an empty one.
	}
	return doc, nil
}
