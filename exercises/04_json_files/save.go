package jsonfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Save writes doc, as its next generation, to the file at path, which is created if it is not there. When it returns nil, Load
// finds what doc holds, and doc.Generation is that of the file.
//
// Save writes only over what it knows. If the file does not have doc's generation, somebody else has saved since doc was
// loaded: the error matches ErrChanged. If Load would refuse the file, Save refuses it with the same error: bytes that nobody
// has understood are not overwritten. A document that cannot be encoded, or that Validate refuses, is not saved either. After
// all these errors the file and doc are what they were.
//
// A nil map of locks is saved as an empty one. Times lose what JSON does not carry: the monotonic clock reading, the name of
// their zone, and its seconds, if it has some, as zones had before there was railway time: such a time comes back as another.
//
// Save does not promise that two programs at the same time are kept apart: between its look at the file and its write
// another program may save. Nor does it promise that the change is seen as one: it rewrites the file in place, so that a reader at
// the same time, or a crash, may find the file half written, which Load mostly refuses. A write that the system refuses as a whole leaves the old
// document; one that stops in the middle may leave the same as a crash. After each write error, Save returns it. Other files in the folder stay
// as they are; Save may put one of its own there, such as a lock.
func Save(path string, doc *Document) (err error) {
	// TODO: whose document is this? Nobody has looked at what the file holds.
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("save: %w; check the folder and who may write there", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	// TODO: what is left of the old document if this one cannot be encoded?
	doc.Generation++
	if err := json.NewEncoder(file).Encode(doc); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}
