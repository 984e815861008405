// Package seektruncate changes files in place: a document that is rewritten, a log that grows line by line, and reads that
// must return all they promise.
package seektruncate

import (
	"errors"
	"fmt"
	"os"
)

// Rewrite replaces the content of the existing file at path by data.
//
// When it returns nil the file holds exactly data, and it is still the same file: its mode, its owner and its other names
// (hard links) are what they were. A file that does not exist is not created; the error then matches fs.ErrNotExist.
//
// Rewrite does not promise that the change is seen as one: while it runs, and after a crash or an error in the middle, the
// file may hold the beginning of data followed by the rest of the old content. It shortens the file last, so a write that
// is refused outright leaves the old content whole. It takes no lock, and it does not wait for the disk.
func Rewrite(path string, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("rewrite: %w; Rewrite needs an existing file that this user may write", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	// A file just opened stands at offset 0. Write moves the offset and never makes the file shorter.
	if _, err := file.Write(data); err != nil {
		return fmt.Errorf("rewrite: %w; compare %s with a copy before you use it: its beginning may be new", err, path)
	}
	// Truncate cuts to a length, wherever the offset stands.
	if err := file.Truncate(int64(len(data))); err != nil {
		return fmt.Errorf("rewrite: %w; %s may still end in old bytes", err, path)
	}
	return nil
}
