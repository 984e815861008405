// Package openmodes opens the files of a workshop in which several people, and so several processes, work on the same files.
//
// Each function says in its name what it does to bytes that are already there. All of them return the error of
// os.OpenFile as it is: a *fs.PathError with the operation and the path, which errors.Is knows by fs.ErrExist,
// fs.ErrNotExist and fs.ErrPermission. The caller closes the file.
//
// None of them is a lock: two processes may have the same file open for update at the same time.
package openmodes

import (
	"errors"
	"io"
	"os"
)

// newFile is the permission that a new file asks for. The umask of the process takes away what its user does not give.
const newFile = 0o666

// OpenForUpdate opens the file at path for reading and writing: locks.json, when a part is checked out.
//
// What the file holds stays, and the first read and the first write begin at byte 0. A missing file is created, empty. It
// does not matter how many processes do that at the same time: none of them harms what another has written.
func OpenForUpdate(path string) (*os.File, error) {
	// O_CREATE without O_TRUNC: one call that creates or keeps, so there is no moment between asking and doing.
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, newFile)
}

// OpenForAppend opens the file at path for writing at its end: history.log, one line for each check-out.
//
// Every write goes to where the end is at that moment, also when somebody else has written since the file was opened. A
// missing file is created.
func OpenForAppend(path string) (*os.File, error) {
	// With O_APPEND the system looks up the end for each write, in one step with the write.
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, newFile)
}

// CreateNew creates the file at path and opens it for writing: a ticket, which belongs to whoever creates it.
//
// If anything has that name already, nothing is touched and the error matches fs.ErrExist. Of all processes that call
// CreateNew with one path, one gets the file.
func CreateNew(path string) (*os.File, error) {
	// O_EXCL makes "nobody has it" and "now it is mine" one step of the file system.
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, newFile)
}

// OpenForReplace opens the file at path, asks allowed, and only then empties it: a document that is to be written anew, if it
// is yours to replace. The file must exist.
//
// allowed gets the open file and may read it or lock it. If it returns an error, the file keeps every byte, it is closed, and
// that error comes back. Else OpenForReplace returns the file that allowed has seen, empty, with the next write at byte 0.
func OpenForReplace(path string, allowed func(f *os.File) error) (*os.File, error) {
	// No O_TRUNC: it would act at the moment of opening, before anybody has been asked.
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
	// allowed may have read: the next write is to begin at byte 0 all the same.
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
