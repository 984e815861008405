// Package openmodes opens the files of a workshop in which several people, and so several processes, work on the same files.
//
// The name of each function says what becomes of the bytes that exist already. For all of them:
//
//   - A call makes one open, of path as it is given and with the access that the comment names, and asks the kernel nothing else.
//     OpenForReplace also truncates the file and moves to byte 0, or closes it.
//   - The file is opened close-on-exec, and the caller closes it.
//   - What the kernel refuses is returned as an error that names the file. errors.Is finds the cause: fs.ErrNotExist, fs.ErrExist,
//     fs.ErrPermission or any other.
//   - A new file gets a permission between 0o600 and 0o666, less the umask. An existing file keeps its permission.
//
// None of them is a lock, and none waits for another one's allowed.
package openmodes

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// newFile is the permission that a new file asks for. The umask of the process takes away what its user does not give.
const newFile = 0o666

// OpenForUpdate opens the file at path for reading and for writing in place: locks.json, when a part is checked out.
//
// The file keeps every byte, and the first read and the first write begin at byte 0. A missing file is not created: only the caller
// knows whether this is a first start or a wrong path.
func OpenForUpdate(path string) (*os.File, error) {
	// TODO: os.Create opens for reading and writing. What does it do to a file that exists, and what to a path that was mistyped?
	return os.Create(path)
}

// OpenForAppend opens the log at path for writing only: history.log, one line for each checkout.
//
// The log keeps every byte. Every write goes to where the end is at that moment, even if another process has written since the log was
// opened. A missing log is created: 0 bytes are legal, and mean that nothing has happened yet.
func OpenForAppend(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, newFile)
	if err != nil {
		return nil, err
	}
	// TODO: this finds the end once. Where is the end when another process has written a line in between?
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// CreateNew creates an empty file at path and opens it for writing at least: a ticket, which belongs to the process that creates it.
//
// If anything has that name already (a file, however old or empty, a directory, a link), nothing is touched and the error matches
// fs.ErrExist. Of all callers with one path, in one process or in many, one gets the file.
func CreateNew(path string) (*os.File, error) {
	// TODO: two processes can both find the name free, before either of them has created the file.
	if _, err := os.Stat(path); err == nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	return os.Create(path)
}

// OpenForReplace opens the file at path for reading and writing, calls allowed, and only then empties the file: a document that is to
// be written anew, if the caller may. A missing file is not created.
//
// allowed is called once, with the open file, which it may read or lock. Unless it returns nil, the file keeps every byte. If it does,
// the same *os.File is emptied and returned, with the next write at byte 0. A refusal, and an error of the emptying, is returned once the
// file is closed, for errors.Is to find. A panic may leave it open.
func OpenForReplace(path string, allowed func(f *os.File) error) (*os.File, error) {
	// TODO: O_TRUNC empties the file as it is opened. Has allowed been called by then?
	f, err := os.OpenFile(path, os.O_RDWR|os.O_TRUNC, 0)
	if err != nil {
		return nil, err
	}
	if err := allowed(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// allowed may have read, and the next write must begin at byte 0 all the same.
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
