// Package fcntl locks single rows of a table file in the kernel, shared or exclusive, and changes the workshop's table of parts under such
// locks.
package fcntl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"example/turnstile/exercises/09_fcntl/rows"
)

// ErrLocked is matched by the error of a TryLock or TryRLock that found another owner.
var ErrLocked = errors.New("another owner has a lock on a row")

// ErrRange is matched by the error for Rows that no table can have.
var ErrRange = errors.New("no such range of rows")

// Rows are the rows to lock: Count of them, from row First on.
//
// These are not a range: a First below 0; a Count of 0 or below All; and rows that no file has room for, because (First + Count) ×
// rows.Size, or for All First × rows.Size, is above math.MaxInt64. Every function here refuses them with an error that matches ErrRange;
// those that take Rows do so even if there is no table. The table need not have the rows yet.
type Rows struct {
	First, Count int64
}

// All as a Count means all rows from First on: those that the table has, and those that it will have.
const All = -1

// span returns the bytes that the rows have in the file, as fcntl(2) counts them: a length of 0 is everything from start on.
func (r Rows) span() (start, length int64, err error) {
	// TODO: which bytes does fcntl(2) lock for All, for a Count of 0, and for a product that is larger than an int64?
	return r.First * rows.Size, r.Count * rows.Size, nil
}

// A Held is a lock on rows of a table, shared or exclusive, from the call that returned it until its Unlock.
//
// It is a record lock of fcntl(2) on the bytes of these rows, and on no others. This Held is its owner. Every other Held for the same
// file is another owner, in this process or another one, by whatever name it was opened, and so is every other program that asks for a
// record lock of these bytes, of either kind. Owners whose rows do not overlap never see each other. Any number of owners may have a shared
// lock on a row at the same time; one that has an exclusive lock is the only one. Nothing else is excluded: the lock is advisory.
//
// The lock lasts until Unlock as long as the program keeps the Held, whatever else the program opens, reads, asks, locks, unlocks,
// closes or collects as garbage meanwhile, the same file and the same rows included. It ends when the process ends, in whatever
// way, even if a program that it has started runs on.
//
// The methods of a Held are for one goroutine at a time.
type Held struct {
	file *os.File // TODO: go to the commands in lock_fcntl.go. Who owns the lock that they take on it, and what ends that?
	rows Rows
	over bool
}

type mode string

const (
	shared    mode = "shared"
	exclusive mode = "exclusive"
	unlocked  mode = "unlocked"
)

// Lock waits until no other owner has a lock on any of the rows of the table at path, and returns an exclusive one. It waits in the
// kernel, as long as it takes; a signal does not end the wait. No deadlock is detected: two programs that wait for each other wait for
// ever.
//
// The file must exist, and the user must be allowed to read and to write it. Lock changes nothing in the file or in its permissions,
// creates none, and removes none; nor do the other functions that lock or ask, and Unlock.
//
// If the system refuses, for whatever reason, Lock does not try again, and never takes another kind of lock instead. The error wraps that
// reason and does not match ErrLocked, not even for EAGAIN or EACCES: a lock that waits does not fail because of another owner. It matches
// errors.ErrUnsupported on systems other than Linux, and where the reason itself does, as ENOSYS and EOPNOTSUPP do. No other reason is
// translated: EINVAL may be an old kernel, and ENOLCK too many locks, but the kernel does not say so. After an error nothing is locked, and
// no handle is left open.
func Lock(path string, r Rows) (*Held, error) { return acquire(path, r, exclusive, true) }

// RLock waits until no other owner has an exclusive lock on any of the rows, and returns a shared one. It is enough that the file can be
// opened for reading, whatever the reason is that it cannot be opened for writing. Otherwise RLock is Lock.
func RLock(path string, r Rows) (*Held, error) { return acquire(path, r, shared, true) }

// TryLock is Lock, except that it does not wait, not even for a moment: if another owner has a lock on any of the rows, the error matches
// ErrLocked.
func TryLock(path string, r Rows) (*Held, error) { return acquire(path, r, exclusive, false) }

// TryRLock is RLock, except that it does not wait: if another owner has an exclusive lock on any of the rows, the error matches ErrLocked.
func TryRLock(path string, r Rows) (*Held, error) { return acquire(path, r, shared, false) }

// Locked reports whether any owner, in this process or another one, has a lock on any of the rows at this moment: whether a TryLock would
// find one. It only asks: it takes no lock, ends no Held's, and does not wait. As for RLock, it is enough that the file can be opened for
// reading. Otherwise its errors are those of Lock.
func Locked(path string, r Rows) (locked bool, err error) {
	start, length, err := r.span()
	if err != nil {
		return false, err
	}
	file, err := open(path, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	locked, err = inTheWay(file, start, length)
	if err != nil {
		return false, fmt.Errorf("ask for a lock on %s: %w", path, err)
	}
	return locked, nil
}

// Unlock gives the lock back and closes the file. The next owner can have the lock as soon as Unlock has returned, even while this
// program is starting another one, which shares all open files for a moment. The program may have changed its directory since Lock.
//
// A second Unlock changes nothing, not even if another owner has the lock by then, and its error matches fs.ErrClosed. Any other error
// wraps the system's reason; the file is closed all the same.
func (h *Held) Unlock() error {
	if h.over {
		return fmt.Errorf("unlock %s: %w; it has no lock any more", h.file.Name(), fs.ErrClosed)
	}
	h.over = true
	start, length, err := h.rows.span()
	if err == nil {
		err = setLock(h.file, unlocked, start, length, true)
	}
	if err := errors.Join(err, h.file.Close()); err != nil {
		return fmt.Errorf("unlock %s: %w; the file is closed", h.file.Name(), err)
	}
	return nil
}

// acquire opens the table for one lock.
func acquire(path string, r Rows, m mode, wait bool) (*Held, error) {
	start, length, err := r.span()
	if err != nil {
		return nil, err
	}
	// TODO: which of the two modes needs a handle for writing?
	file, err := open(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := setLock(file, m, start, length, wait); err != nil {
		return nil, fmt.Errorf("lock rows of %s: %w", path, errors.Join(err, file.Close()))
	}
	return &Held{file: file, rows: r}, nil
}

func open(path string, flags int) (*os.File, error) {
	if !supported {
		return nil, fmt.Errorf("lock rows of %s: %w; this system has no open file description locks", path, errors.ErrUnsupported)
	}
	file, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, fmt.Errorf("lock rows: %w; the table must exist, and this user must be allowed to open it", err)
	}
	return file, nil
}
