// Package lockedfile opens files that are locked for as long as they are open: what `with LockedFile(path, "r+")` is in Python.
package lockedfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"example/turnstile/exercises/11_locked_file/filelock"
)

// ErrLocked is matched by the error of a TryOpenFile that found another owner.
var ErrLocked = filelock.ErrLocked

// A File is an open file with a lock, from the call that returned it until its Close. It has the methods of os.File.
//
// What is open for reading alone has a shared lock: any number of Files may have one. Any other lock is exclusive: no other File for the
// same file is open, in this process or in another one, by whatever name of the file. So who has a File, and opens the same file again,
// waits for itself.
//
// The lock is the system's own: flock(2) on Unix, so programs in other languages and the flock command take part in it; on Windows
// LockFileEx, on all bytes. It ends when the process ends, in whatever way, even if a program that it has started runs on. On Unix it is
// advisory: a program that does not ask for a lock is not kept out.
//
// The lock is on the file, not on its name. Do not replace or remove the file at path while programs use this package for it. To lock a
// document that is replaced, lock a file beside it that stays.
type File struct {
	*osFile
	lock *filelock.Handle
}

type osFile = os.File

// OpenFile opens the file at path, waits until no other owner has a lock on it that stands in the way, and returns it locked: shared with
// flag os.O_RDONLY, otherwise exclusive.
//
// It makes one open of path, as os.OpenFile does with flag and perm, except that os.O_WRONLY means os.O_RDWR: the user must
// be allowed to read what is to be written. os.O_TRUNC empties the file when it is locked; nothing in a file changes before. All else is
// done with the open file, wherever path leads by then: the kernel is asked nothing else by name, and no other file is made.
//
// It waits in the kernel, where all goroutines of the process that wait for one file cost one thread, and a signal does not end the wait.
// If ctx ends while it waits, the error wraps ctx.Err(), and the caller gets no lock, now or later; no other call waits longer because of
// the wait that it has given up. If ctx has ended before the call, the error wraps ctx.Err() too, and nothing is opened. Once the file is
// locked, ctx makes no difference.
//
// OpenFile is for regular files. It refuses O_TRUNC without O_WRONLY or O_RDWR, and O_TRUNC with O_APPEND: the error matches fs.ErrInvalid.
// Every other error wraps the system's reason, and matches errors.ErrUnsupported where the system, or the file system, has no locks; none
// matches ErrLocked. errors.As finds a *fs.PathError with the path in each. After an error the file is not open (but for a wait that the
// kernel has not ended yet), and its content is what it was. A file that was created stays, empty: another program may have it by then.
func OpenFile(ctx context.Context, path string, flag int, perm fs.FileMode) (*File, error) {
	for {
		file, err := TryOpenFile(path, flag, perm)
		if !errors.Is(err, ErrLocked) {
			return file, err
		}
		// TODO: the file is free again. Who learns of it first: this program, or one that waits in the kernel?
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TryOpenFile is OpenFile, except that it asks for the lock once and does not wait: if another owner has a lock that stands in the way, the
// error matches ErrLocked.
func TryOpenFile(path string, flag int, perm fs.FileMode) (*File, error) {
	return open(path, flag, perm, (*filelock.Handle).TryLock)
}

// Close gives the lock back and closes the file. The next owner can have the lock as soon as Close has returned, even while this
// program is starting another one, which shares all open files for a moment.
//
// A second Close changes nothing, whoever has the lock by then, and its error matches fs.ErrClosed. Any other error wraps the system's
// reason, and the file is closed all the same.
func (f *File) Close() error {
	return f.osFile.Close() // TODO: is the lock free now, even if a child has a duplicate of the descriptor?
}

// open opens the file and has take lock it.
func open(path string, flag int, perm fs.FileMode, take func(*filelock.Handle, filelock.Mode) error) (_ *File, err error) {
	if err := check(flag); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	// TODO: what does the file hold after this line, and whose file is it by then?
	file, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return nil, err
	}
	if flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return &File{file, nil}, nil // TODO: a reader changes nothing. But what does it see?
	}
	lock, err := filelock.New(file)
	if err == nil {
		err = take(lock, filelock.Exclusive)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err} // TODO: and the file?
	}
	return &File{file, lock}, nil
}

// check refuses flags with which a file cannot be truncated once it is locked.
func check(flag int) error {
	switch {
	case flag&os.O_TRUNC == 0:
		return nil
	case flag&(os.O_WRONLY|os.O_RDWR) == 0:
		return fmt.Errorf("%w: O_TRUNC changes the file; open it with O_RDWR", fs.ErrInvalid)
	case flag&os.O_APPEND != 0:
		return fmt.Errorf("%w: Windows does not truncate what is open for appending; use O_APPEND or O_TRUNC", fs.ErrInvalid)
	}
	return nil
}
