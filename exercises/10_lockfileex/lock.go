// Package lockfileex locks open files with LockFileEx, shared or exclusive, and keeps the workshop's list of jobs under such locks.
package lockfileex

import (
	"errors"
	"fmt"

	"example/turnstile/exercises/10_lockfileex/winfile"
)

// ErrLocked is matched by the error of a TryLock or TryRLock that found a lock in its way, which for TryLock may be its own handle's.
var ErrLocked = errors.New("the file is locked")

// Lock waits until no handle has a lock on the file, and takes an exclusive lock for the handle f. For a lock of f itself it waits for
// ever. It waits in the system, and does not ask again and again.
//
// The lock belongs to the handle: every other handle is another owner, in this process, too. It lasts until Unlock or, if the program
// forgets that, until some time after f is closed or the process ends.
//
// It is a lock on no byte that a file has, however large. It keeps out those who ask for it with this package; everyone else reads and
// writes the file as if there were no lock. Lock and the functions below change nothing in the file and in its directory.
//
// f must be open for reading or writing, which an append-only file is not, and it may be overlapped. If the system refuses, the error wraps
// the reason and does not match ErrLocked. After an error no lock is gained or lost, not even later.
//
// Calls with the same f are for one goroutine at a time. On a system that package winfile does not know, all errors match
// errors.ErrUnsupported.
func Lock(f *winfile.File) error {
	return acquire(f, winfile.LOCKFILE_EXCLUSIVE_LOCK)
}

// RLock waits until no other handle has an exclusive lock on the file, and takes a shared one, beside those that f has, of either kind.
// Otherwise it is Lock.
func RLock(f *winfile.File) error {
	return acquire(f, 0)
}

// TryLock is Lock, except that it asks once and does not wait: if a lock is in the way, the error matches ErrLocked.
func TryLock(f *winfile.File) error {
	return acquire(f, winfile.LOCKFILE_EXCLUSIVE_LOCK|winfile.LOCKFILE_FAIL_IMMEDIATELY)
}

// TryRLock is to RLock what TryLock is to Lock.
func TryRLock(f *winfile.File) error {
	return acquire(f, winfile.LOCKFILE_FAIL_IMMEDIATELY)
}

// Downgrade is for a handle with an exclusive lock, and makes that a shared one in one step: no other handle has an exclusive lock in
// between, not even one that waits. If the system refuses, the error wraps the reason, and the exclusive lock stays, maybe with a shared
// one besides.
func Downgrade(f *winfile.File) error {
	// TODO: between these two calls the handle has no lock, and another one can get an exclusive lock.
	if err := Unlock(f); err != nil {
		return err
	}
	return RLock(f)
}

// Unlock gives back every lock of this package that the handle has: when it returns, the next one can have the lock at once. If the handle
// has none, the error matches winfile.ERROR_NOT_LOCKED; if the system refuses, it wraps the reason.
func Unlock(f *winfile.File) error {
	length, err := span(f)
	if err != nil {
		return err
	}
	// TODO: this takes one lock away. How many may the handle have?
	if err := winfile.UnlockFileEx(f.Handle(), 0, length, 0, &winfile.Overlapped{}); err != nil {
		return fmt.Errorf("unlock %s: %w", f.Name(), err)
	}
	return nil
}

func acquire(f *winfile.File, flags uint32) error {
	length, err := span(f)
	if err != nil {
		return err
	}
	if err := winfile.LockFileEx(f.Handle(), flags, 0, length, 0, &winfile.Overlapped{}); err != nil {
		// TODO: is every error a lock in the way? And what does ERROR_IO_PENDING say?
		return fmt.Errorf("lock %s: %w (%w); try again later, or wait with Lock or RLock", f.Name(), ErrLocked, err)
	}
	return nil
}

// span returns the length of the range that is locked. It begins at offset 0, which is what an empty Overlapped says.
func span(f *winfile.File) (length uint32, err error) {
	// TODO: how many bytes are locked in an empty file, and how many after the next write? And who may read them meanwhile?
	size, err := f.Size()
	if err != nil {
		return 0, fmt.Errorf("how many bytes to lock: %w", err)
	}
	return uint32(size), nil
}
