package jsonfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	seektruncate "example/turnstile/solutions/03_seek_truncate"
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
func Save(path string, doc *Document) error {
	next := *doc
	next.Generation++
	if next.Locks == nil {
		next.Locks = map[string]Lock{}
	}
	if err := next.Validate(); err != nil {
		return fmt.Errorf("save %s: %w; nothing was written", path, err)
	}
	// Everything that can go wrong with the document goes wrong in memory, before the file is touched.
	data, err := json.MarshalIndent(&next, "", "  ")
	if err != nil {
		return fmt.Errorf("save %s: %w; nothing was written", path, err)
	}
	if err := write(path, append(data, '\n'), doc.Generation); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	*doc = next
	return nil
}

// write puts data in the place of the document of the given generation; 0 means that there is no file yet.
func write(path string, data []byte, generation int64) error {
	current, err := Load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && generation == 0:
		return create(path, data)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: generation %d was loaded and now there is no file; ask who removed it", path, ErrChanged, generation)
	case err != nil:
		return err
	case current.Generation != generation:
		return fmt.Errorf("%s: %w: from generation %d to %d; load it again and repeat the change",
			path, ErrChanged, generation, current.Generation)
	}
	return seektruncate.Rewrite(path, data)
}

// create writes a file that nobody else has created in the meantime.
func create(path string, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // everybody may see who has a part; umask decides
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w; load it and repeat the change", ErrChanged, err)
	}
	if err != nil {
		return fmt.Errorf("create the first document: %w; check the folder and who may write there", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(data); err != nil {
		return fmt.Errorf("write the first document: %w; remove what is there of it", err)
	}
	return nil
}
