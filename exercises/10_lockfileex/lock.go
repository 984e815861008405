// Package lockfileex locks open files with LockFileEx, shared or exclusive, and keeps the workshop's list of jobs under such locks.
package lockfileex

import (
	"errors"
	"fmt"

	"example/turnstile/exercises/10_lockfileex/winfile"
)

// ErrLocked is matched by the error of a TryLock or TryRLock that found a lock in its way.
var ErrLocked = errors.New("another handle has a lock on the file")

// Lock waits until no handle has a lock on the file, this one included, and takes an exclusive lock for the handle f. It waits as long as it
// takes, in the system, and does not ask again and again.
//
// The lock belongs to the handle. Every other handle is another owner, in this process or another one. It lasts until Unlock or, if the
// program forgets that, until some time after f is closed or the process ends.
//
// It is a lock on no byte that a file has: it keeps out those who ask for it with this package, on an empty file, a growing one and a large one
// alike. Everyone who does not ask reads and writes the file as if there were no lock. Lock, like the functions below, changes nothing in
// the file and in its directory.
//
// f must be open for reading or writing, and an append-only file is neither. It may be overlapped: Lock waits all the same. If the system
// refuses, for whatever reason, the error wraps that reason and does not match ErrLocked. After an error nothing is locked that was not
// locked before, and no request is pending.
//
// Calls with the same f are for one goroutine at a time. All errors match errors.ErrUnsupported on a system that package winfile does not know.
func Lock(f *winfile.File) error {
	return acquire(f, winfile.LOCKFILE_EXCLUSIVE_LOCK)
}

// RLock waits until no other handle has an exclusive lock on the file, and takes a shared one. Otherwise it is Lock. A handle may have
// several shared locks, and a shared lock besides its exclusive one.
func RLock(f *winfile.File) error {
	return acquire(f, 0)
}

// TryLock is Lock, except that it does not wait: it asks once, and if a lock is in the way, the error matches ErrLocked.
func TryLock(f *winfile.File) error {
	return acquire(f, winfile.LOCKFILE_EXCLUSIVE_LOCK|winfile.LOCKFILE_FAIL_IMMEDIATELY)
}

// TryRLock is RLock, except that it does not wait: it asks once, and if a lock is in the way, the error matches ErrLocked.
func TryRLock(f *winfile.File) error {
	return acquire(f, winfile.LOCKFILE_FAIL_IMMEDIATELY)
}

// Downgrade makes the handle's exclusive lock, which it must have, a shared one, in one step: no other handle has an exclusive lock in between,
// not even one that waits for it. If Downgrade fails, the handle still has its exclusive lock.
func Downgrade(f *winfile.File) error {
	// TODO: who waits for this moment?
	if err := Unlock(f); err != nil {
		return err
	}
	return RLock(f)
}

// Unlock gives back every lock of this package that the handle has, however many those are. When it has returned, the next one can have the
// lock at once. If the handle has none, Unlock changes nothing, and the error matches winfile.ERROR_NOT_LOCKED. If the system refuses, the error
// wraps the reason.
func Unlock(f *winfile.File) error {
	length, err := span(f)
	if err != nil {
		return err
	}
	// TODO: how many locks does this take away, and how many may there be?
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
		// TODO: is every error another handle's lock? And what does ERROR_IO_PENDING say?
		return fmt.Errorf("lock %s: %w (%w); try again later, or wait with Lock or RLock", f.Name(), ErrLocked, err)
	}
	return nil
}

// span returns the length of the range that is locked. It begins at offset 0, which is what an empty Overlapped says.
func span(f *winfile.File) (length uint32, err error) {
	// TODO: whom does a lock on these bytes keep from reading them? How many are there in an empty file, and how many after the next write?
	size, err := f.Size()
	if err != nil {
		return 0, fmt.Errorf("how many bytes to lock: %w", err)
	}
	return uint32(size), nil
}
