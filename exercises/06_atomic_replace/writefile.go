// Package atomicreplace replaces whole files so that nobody ever sees half of one: no reader, no crash, no power cut.
package atomicreplace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrNotDurable is matched by the error of a WriteFile that did replace the file, and then could not make sure that the
// replacement survives a power cut. Every other error of WriteFile means that the file is as it was.
var ErrNotDurable = errors.New("the new content is in place, but a power cut may bring the old one back")

// WriteFile makes data the whole content of the file at path, creating it with perm (before umask) if there is none.
//
// At every moment a reader that opens path gets the old content or the new one, whole; so does whoever looks after a
// crash of this process. Once WriteFile has returned nil, the same holds for a power cut, and it is the new content.
//
// That is asked of the disk also if data is what the file holds already: the last WriteFile may have failed to do so.
//
// On error the file is untouched, with one exception: an error that matches ErrNotDurable. Whether it fails or not,
// nothing is left beside the file, and nothing is removed that another WriteFile has made.
//
// An existing file keeps its permission bits, whatever perm says, and its owner and group as far as this process may set
// them. Package owner does that; where the group cannot be kept, it takes bits away, so that the new group gets no more
// than everybody else has. At no moment lets the temporary file anybody in who might not read the old file.
//
// A symbolic link is followed, and so is a link that it leads to, as far as it goes: the file at the end is replaced, or
// created there, and the links stay. Links in a circle are an error. What is no regular file is refused with an error:
// a folder, a pipe, a device.
//
// Several WriteFile calls on one path may run at once, in any number of processes: the file is always the whole content
// of one of them.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	// TODO: this line empties the only good copy. What does a reader, or a crash, find between here and the last byte?
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer file.Close() // TODO: a disk or a quota may complain here for the first time, and nobody listens.
	// TODO: a full disk ends this half way. The old content is gone by then.
	if _, err := file.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// TODO: "written" means "in the memory of this machine". Nothing asks the disk, neither for the file nor for its name.
	return nil
}
