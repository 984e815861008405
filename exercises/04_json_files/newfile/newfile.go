// Package newfile creates files under names that no other file has.
package newfile

import (
	"errors"
	"fmt"
	"os"
)

// Create creates the file at path and writes data to it. The permissions are 0644, less what the umask removes.
//
// Of several callers with one path, in this process and in others, at most one succeeds. For the others the error matches
// fs.ErrExist, and so it does if the name belongs to a directory, or to a symbolic link that leads nowhere: what has the name is
// never changed (O_EXCL, open(2)). Create does not create directories.
//
// If the write fails, Create removes the file that it made and returns the error. It does not wait for the disk, and a process
// crash between creating and writing leaves an empty file.
func Create(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // colleagues may see who has a part
	if err != nil {
		return fmt.Errorf("create: %w; the name is taken, or the directory does not let you in", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("create: %w; nothing was kept", errors.Join(err, os.Remove(path)))
	}
	return nil
}
