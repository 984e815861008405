// Package seektruncate changes files in place: a document that is rewritten, a log that grows line by line, and reads that return all
// they promise.
//
// Rewrite and AppendLine take no lock. They wait neither for one, nor for another call, nor for the disk: a power cut may take away what
// was written last. They give the path to the kernel as it is, and do not change the umask or the working directory, not even for a
// moment. An error of any step, Close included, is returned and matches its cause; if two steps fail, it matches both.
package seektruncate

import (
	"errors"
	"fmt"
	"os"
)

// Rewrite replaces the content of the existing file at path with data. If there is no file, the error matches fs.ErrNotExist.
//
// When it returns nil, the file holds exactly data, however long, and is still the same file: its mode, its owner and its other names
// (hard links) are what they were, programs that have it open see the change, and a symbolic link at path still points to it. Rewrite
// creates no other file, not even for a moment, and leaves one alone that comes to path meanwhile. It may read the file. The caller need
// not own it.
//
// Rewrite is not atomic: a reader may see a mixture of the new content and the old, and a process crash or an error may leave the file
// so. But until all of data is written, the file is not made shorter than it was. If no other program changes it, no reader meets a file
// shorter than the shorter of the two documents, and if the kernel refuses every write, the old content stays as it was.
func Rewrite(path string, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("rewrite: %w; Rewrite needs an existing file that this user may write", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	// A file just opened has offset 0. Write moves the offset and never makes the file shorter.
	if _, err := file.Write(data); err != nil {
		return fmt.Errorf("rewrite: %w; compare %s with a copy before you use it: its beginning may be new", err, path)
	}
	// Truncate sets the length, wherever the offset is.
	if err := file.Truncate(int64(len(data))); err != nil {
		return fmt.Errorf("rewrite: %w; %s may still end in old bytes", err, path)
	}
	return nil
}
