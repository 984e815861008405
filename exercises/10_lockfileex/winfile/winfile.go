// Package winfile has the calls of Windows that lock a file, and files that obey such locks: on Windows the real ones, on Unix a model.
//
// The model is for learning and testing: programs that open their files with this package meet the rules of Windows on any Unix that has
// flock(2). A lock belongs to a handle and not to a process; it covers a range of bytes; and it is mandatory, so a Read or Write of another
// handle that touches the range fails with ERROR_LOCK_VIOLATION. The rules are those of Microsoft's documents ("LockFileEx function",
// [MS-FSA] 2.1.4.10, 2.1.5.8 and 2.1.5.9).
//
// The model differs from Windows in this:
//
//   - It binds only the programs that use this package, of one user, with the same temporary directory (os.TempDir).
//   - Close takes [Late] to release locks that were not unlocked. Windows promises no time, and is often quicker. The locks of a process
//     that has ended are free at once.
//   - Waiting handles get their locks in no particular order.
//   - A file that was opened with FILE_FLAG_OVERLAPPED is for locks alone: Size, Truncate, reads and writes fail, on Windows too.
//   - Truncate is not kept out by a lock: no document was found that says what it does.
//   - A read or write is checked as a whole, by the length that was asked for.
//
// On systems that are neither Windows nor have flock(2), all errors match errors.ErrUnsupported.
//
// Under Wine, UnlockFileEx returns ERROR_NOT_LOCKED where Wine itself returns ERROR_LOCK_VIOLATION; everything else is as Wine does it, and
// Wine does not make ranges mandatory.
package winfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Late is how long Close of the model takes to release the locks that the program did not unlock.
const Late = time.Second

// Flags of LockFileEx. Without LOCKFILE_EXCLUSIVE_LOCK the lock is shared, and without LOCKFILE_FAIL_IMMEDIATELY the call waits.
const (
	LOCKFILE_FAIL_IMMEDIATELY = 0x1
	LOCKFILE_EXCLUSIVE_LOCK   = 0x2
)

// What a handle lets other handles of the file do, and the flag for a handle whose calls do not wait (CreateFile).
const (
	FILE_SHARE_READ      = 0x1
	FILE_SHARE_WRITE     = 0x2
	FILE_SHARE_DELETE    = 0x4
	FILE_FLAG_OVERLAPPED = 0x40000000
)

// A File is an open file, and its handle is the owner of the locks that it takes. It is for one goroutine at a time.
type File struct {
	name string
	file // the system's, or the model's
}

// OpenFile opens the file as os.OpenFile does on Windows: others may read and write it, but not delete or rename it.
func OpenFile(path string, flag int, perm fs.FileMode) (*File, error) {
	return OpenWith(path, flag, perm, FILE_SHARE_READ|FILE_SHARE_WRITE, 0)
}

// OpenWith opens the file with a share mode of the caller's own, and with flags: FILE_FLAG_OVERLAPPED or 0. If another handle does not
// share what this one asks for, or has already what this one does not share, the error matches ERROR_SHARING_VIOLATION.
//
// Other share modes than OpenFile's, and flags, do not go together with O_APPEND and O_TRUNC.
func OpenWith(path string, flag int, perm fs.FileMode, share, flags uint32) (*File, error) {
	special := flags != 0 || share != FILE_SHARE_READ|FILE_SHARE_WRITE
	if special && flag&(os.O_APPEND|os.O_TRUNC) != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w: O_APPEND or O_TRUNC with a share mode", errors.ErrUnsupported)}
	}
	opened, err := open(path, flag, perm, share, flags)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: bare(err)}
	}
	return &File{name: path, file: opened}, nil
}

// Name returns the path that the file was opened with.
func (f *File) Name() string { return f.name }

// Handle returns the file's handle, which is valid until Close.
func (f *File) Handle() Handle { return f.handle() }

// Size returns how many bytes the file has.
func (f *File) Size() (int64, error) {
	size, err := f.size()
	return size, f.fails("Size", err)
}

// ReadAt reads as io.ReaderAt says. If another handle has an exclusive lock on one of the bytes, nothing is read, and the error matches
// ERROR_LOCK_VIOLATION.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if err := intercept(f.name, "ReadAt"); err != nil {
		return 0, f.fails("ReadAt", err)
	}
	n, err := f.readAt(p, offset)
	if errors.Is(err, io.EOF) {
		return n, io.EOF
	}
	return n, f.fails("ReadAt", err)
}

// WriteAt writes as io.WriterAt says. If another handle has a lock on one of the bytes, or this handle a shared one, nothing is written,
// and the error matches ERROR_LOCK_VIOLATION.
func (f *File) WriteAt(p []byte, offset int64) (int, error) {
	if err := intercept(f.name, "WriteAt"); err != nil {
		return 0, f.fails("WriteAt", err)
	}
	n, err := f.writeAt(p, offset)
	return n, f.fails("WriteAt", err)
}

// Truncate changes the length of the file.
func (f *File) Truncate(size int64) error { return f.fails("Truncate", f.truncate(size)) }

// ReadAll returns what the file holds, from its first byte on.
func (f *File) ReadAll() ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	content := make([]byte, size)
	n, err := f.ReadAt(content, 0)
	if err == io.EOF { //nolint:errorlint // ReadAt returns it bare; the file is shorter by now
		err = nil
	}
	return content[:n], err
}

// Close closes the handle. Locks that it still has are released some time later.
func (f *File) Close() error {
	err := intercept(f.name, "Close")
	return f.fails("Close", errors.Join(err, f.close()))
}

func (f *File) fails(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: f.name, Err: bare(err)}
}

// bare takes the path off an error that gets one here.
func bare(err error) error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		return inner.Err
	}
	return err
}

// ReadFile returns what the file at path holds, through a handle of its own. It locks nothing.
func ReadFile(path string) ([]byte, error) {
	f, err := OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	content, err := f.ReadAll()
	return content, errors.Join(err, f.Close())
}

// Remove removes the file as os.Remove does on Windows. If a handle of it does not share deletion, the error matches
// ERROR_SHARING_VIOLATION.
func Remove(path string) error { return remove(path) }

// Rename renames the file as os.Rename does on Windows. If a handle of it does not share deletion, the error matches
// ERROR_SHARING_VIOLATION; if a file that is open is at the new path, ERROR_ACCESS_DENIED.
func Rename(from, to string) error { return rename(from, to) }

// LockFileEx locks a range of bytes for the handle: bytesLow and bytesHigh are the low and the high half of its length, and the fields
// Offset and OffsetHigh of overlapped those of its first byte. The range may lie beyond the end of the file. reserved must be 0.
//
// An exclusive lock overlaps no other lock, of whichever handle. A shared one overlaps shared locks, and an exclusive one of the same
// handle. If the range is not free, LockFileEx waits, or fails with ERROR_LOCK_VIOLATION if flags has LOCKFILE_FAIL_IMMEDIATELY. On a
// handle with FILE_FLAG_OVERLAPPED it does not wait, but returns ERROR_IO_PENDING: the request stands, and GetOverlappedResult waits for
// it. Until then the program must keep overlapped.
//
// A handle that was opened neither for reading nor for writing, such as Go's for O_APPEND and O_WRONLY, fails with ERROR_ACCESS_DENIED.
func LockFileEx(file Handle, flags, reserved, bytesLow, bytesHigh uint32, overlapped *Overlapped) error {
	if err := intercept(nameOf(file), "LockFileEx"); err != nil {
		return err
	}
	return lockFileEx(file, flags, reserved, bytesLow, bytesHigh, overlapped)
}

// UnlockFileEx takes one lock of the handle away, whose range must be exactly that of the call. Of several on the same range, an exclusive
// one goes first. If there is none, it fails with ERROR_NOT_LOCKED.
func UnlockFileEx(file Handle, reserved, bytesLow, bytesHigh uint32, overlapped *Overlapped) error {
	if err := intercept(nameOf(file), "UnlockFileEx"); err != nil {
		return err
	}
	return unlockFileEx(file, reserved, bytesLow, bytesHigh, overlapped)
}

// GetOverlappedResult returns what became of a request that returned ERROR_IO_PENDING: nil if the lock is there. If it is not known yet, it
// waits, or fails with ERROR_IO_INCOMPLETE if wait is false. After another error the request has ended, without a lock. What done receives
// means nothing for a lock.
func GetOverlappedResult(file Handle, overlapped *Overlapped, done *uint32, wait bool) error {
	if err := intercept(nameOf(file), "GetOverlappedResult"); err != nil {
		abandon(file, overlapped)
		return err
	}
	return getOverlappedResult(file, overlapped, done, wait)
}

var interceptors sync.Map // the functions that Intercept was given, by path

// Intercept is for tests: until the function that it returns is called, before runs ahead of each call on a file that this process has
// opened by that path, with the name of the call: "LockFileEx", "UnlockFileEx", "GetOverlappedResult", "ReadAt", "WriteAt" or "Close". If
// before returns an error, the call fails with it and does nothing, except that Close closes the file, and GetOverlappedResult ends the
// request without a lock.
func Intercept(path string, before func(call string) error) (undo func()) {
	interceptors.Store(path, before)
	return func() { interceptors.Delete(path) }
}

func intercept(path, call string) error {
	if before, ok := interceptors.Load(path); ok {
		return before.(func(string) error)(call)
	}
	return nil
}
