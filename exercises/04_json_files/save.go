package jsonfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Save writes doc, as its next generation, to the file at path, where Load then finds what doc holds. After that it counts
// doc.Generation on by one. Nothing else in doc changes, nor in its map; but a nil map is saved as an empty one, and may become one.
//
// Save replaces only what it knows:
//
//   - If the file does not have doc's generation, another program has saved since doc was loaded, or has put a copy back: the error
//     matches ErrChanged. So it does if doc was loaded and Save finds no file.
//   - If Load refuses the file for another reason, Save returns that error: nothing is written over bytes that were not understood.
//   - If there is no file and doc is new (generation 0), Save creates it, with permissions 0644 less the umask. If the name is taken
//     by then, even by a symbolic link that leads nowhere, nothing is created or overwritten: ErrChanged. Save creates no directory.
//   - A document that Validate refuses as the next generation, or that cannot be encoded, is not saved.
//
// After each of these errors the file and doc are what they were. A file that is replaced keeps its permission bits.
//
// If the kernel refuses anything up to Close, Save does not try another way: it returns an error that wraps the kernel's, doc is what
// it was, and nothing stays open, locked or in the way of the next Save. A refused first save leaves no file. A refused save over a
// document leaves the old one if no byte was written. If the write stops in the middle, the file stays, and Load may refuse it.
//
// Save gives the kernel no names but path and those of files of its own, such as a temporary file or a lock, which are path with an
// ending. It does not read back what it has written.
//
// Save does not keep two programs apart: what comes of it if another one saves, or removes the file, between its Load and its write
// is not promised. Nor is the change atomic: a reader at the same time, or a process crash, may find the file half written. (A Save
// may put a new file at path instead; then a link that was there is gone.) It need not wait for the disk.
//
// A time comes back as the same instant if the offset of its zone has no seconds. Save may store it in UTC.
func Save(path string, doc *Document) error {
	next := *doc
	next.Generation++

	// TODO: which document does the file hold now, and is it the one that doc was loaded from?
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	// TODO: what is left of the old document if this one cannot be saved?
	err = json.NewEncoder(file).Encode(&next)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	*doc = next
	return nil
}
