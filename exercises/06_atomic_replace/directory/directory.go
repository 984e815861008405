// Package directory brings the names in a directory to the disk.
package directory

import (
	"os"
	"runtime"
)

// A Directory is an open directory whose names can be brought to the disk.
type Directory struct{ file *os.File }

// Open opens the directory at path, for reading. Close it.
func Open(path string) (*Directory, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &Directory{file}, nil
}

// OpenIn is Open for a name in an open directory.
func OpenIn(root *os.Root, name string) (*Directory, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	return &Directory{file}, nil
}

// Sync returns once what was created, renamed and removed in the directory is on the disk, or with the error of the kernel.
//
// On Windows it does nothing: FlushFileBuffers takes no directory that os.Open has opened.
func (d *Directory) Sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return d.file.Sync()
}

// Close gives the handle back. The directory was open for reading, so nothing is lost, and its error may be passed over.
func (d *Directory) Close() error { return d.file.Close() }
