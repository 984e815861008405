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
	"os"
)

// newFile is the permission that a new file asks for. The umask of the process takes away what its user does not give.
const newFile = 0o666

// OpenForUpdate opens the file at path for reading and for writing in place: locks.json, when a part is checked out.
//
// The file keeps every byte, and the first read and the first write begin at byte 0. A missing file is not created: only the caller
// knows whether this is a first start or a wrong path.
func OpenForUpdate(path string) (*os.File, error) {
	// Neither O_TRUNC nor O_CREATE: the bytes stay, and a mistyped path stays an error.
	return os.OpenFile(path, os.O_RDWR, 0)
}

// OpenForAppend opens the log at path for writing only: history.log, one line for each checkout.
//
// The log keeps every byte. Every write goes to where the end is at that moment, even if another process has written since the log was
// opened. A missing log is created: 0 bytes are legal, and mean that nothing has happened yet.
func OpenForAppend(path string) (*os.File, error) {
	// O_CREATE creates or keeps, in one step. With O_APPEND the kernel finds the end for each write, in one step with the write.
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, newFile)
}

// CreateNew creates an empty file at path and opens it for writing at least: a ticket, which belongs to the process that creates it.
//
// If anything has that name already (a file, however old or empty, a directory, a link), nothing is touched and the error matches
// fs.ErrExist. Of all callers with one path, in one process or in many, one gets the file.
func CreateNew(path string) (*os.File, error) {
	// O_EXCL makes "the name is free" and "now it is taken" one step of the file system.
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, newFile)
}

// OpenForReplace opens the file at path for reading and writing, calls allowed, and only then empties the file: a document that is to
// be written anew, if the caller may. A missing file is not created.
//
// allowed is called once, with the open file, which it may read or lock. Unless it returns nil, the file keeps every byte. If it does,
// the same *os.File is emptied and returned, with the next write at byte 0. A refusal, and an error of the emptying, is returned once the
// file is closed, for errors.Is to find. A panic may leave it open.
func OpenForReplace(path string, allowed func(f *os.File) error) (*os.File, error) {
	// No O_TRUNC: it would act as the file is opened, before allowed is called.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := allowed(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// allowed may have read, and Truncate does not move the offset.
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
