// Package openmodes opens the files of a workshop in which several people, and so several processes, work on the same files.
//
// The name of each function says what becomes of the bytes that exist already. For all of them:
//
//   - What the kernel refuses is returned as the error, and nothing else is tried: no directory is created, and a file that may only be
//     read is not opened for reading instead. The error names the file, and errors.Is finds its cause: fs.ErrNotExist, fs.ErrExist,
//     fs.ErrPermission or any other.
//   - A new file gets the permission 0o666 at most, without the bits of the umask. An existing file keeps its permission.
//   - What belongs to the whole process, its umask and its working directory, is not touched, not even for a moment.
//   - Nothing else is left in the directory, and no other handle stays open.
//   - The path is the kernel's to follow, as it is, from the working directory of the moment: "link/.." is the parent of the directory that
//     the link leads to, and a space at the end of a name belongs to the name. No call remembers an earlier one.
//   - The file that is returned is close-on-exec: a program that is started from then on does not inherit it.
//   - The caller owns the open file and closes it.
//
// None of them is a lock, and none waits for another: two processes, or one process twice, may have the same file open for update.
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
// The file keeps every byte, at every moment; the first read and the first write begin at byte 0. A file of 0 bytes is opened too: the
// caller judges what it means. A missing file is not created, and the error matches fs.ErrNotExist: only the caller knows whether this
// is a first start or a wrong path.
func OpenForUpdate(path string) (*os.File, error) {
	// TODO: os.Create opens for reading and writing. What does it do to a file that exists, and what to a path that was mistyped?
	return os.Create(path)
}

// OpenForAppend opens the log at path for writing at its end: history.log, one line for each checkout.
//
// The log keeps every byte, at every moment. Every write goes to where the end is at that moment, even if another process has written
// since the log was opened. A missing log is created, empty, even at the far end of a link: for a log, 0 bytes are legal, and mean that
// nothing has happened yet. Any number of processes may do that at the same time, and no line is lost.
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

// CreateNew creates an empty file at path and opens it for writing: a ticket, which belongs to the process that has created it.
//
// If anything has that name already (a file, however old or empty, a directory, a link to anywhere), nothing is touched and the error
// matches fs.ErrExist. No other failure matches that. Of all callers with one path, in one process or in many, one gets the file; once
// it has been removed, the name is free again.
func CreateNew(path string) (*os.File, error) {
	// TODO: two processes can both find the name free, before either of them has created the file.
	if _, err := os.Stat(path); err == nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	return os.Create(path)
}

// OpenForReplace opens the file at path for reading and writing, calls allowed, and only then empties the file: a document that is to
// be written anew, if the caller may. A missing file is not created, and the error matches fs.ErrNotExist.
//
// allowed is called once, with the open file, which it may read or lock. If it returns an error, whatever error that is, the file keeps
// every byte, it is closed, and OpenForReplace returns an error that matches, even if Close fails. If it panics, the file keeps every
// byte too, and nothing is promised of the handle. Otherwise OpenForReplace returns the same *os.File, with the lock that allowed may
// have taken: empty, whatever was written meanwhile, with the next write at byte 0, even if the path leads to another file by then. If
// the file cannot be emptied, it is closed, and that error is returned.
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
