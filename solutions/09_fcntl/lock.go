// Package fcntl locks single rows of a table file in the kernel, shared or exclusive, and changes the workshop's table of parts under such
// locks.
package fcntl

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"

	"example/turnstile/exercises/09_fcntl/rows"
)

// ErrLocked is matched by the error of a TryLock or TryRLock that found another owner.
var ErrLocked = errors.New("another owner has a lock on a row")

// ErrRange is matched by the error for Rows that no table can have.
var ErrRange = errors.New("no such range of rows")

// Rows are the rows to lock: Count of them, from row First on. The table need not have them yet.
//
// Every function here refuses, with an error that matches ErrRange, a First below 0, a Count of 0 or below All, and rows that no file has
// room for, because (First + Count) × rows.Size, or for All First × rows.Size, is above math.MaxInt64.
type Rows struct {
	First, Count int64
}

// All as a Count means all rows from First on: those that the table has, and those that it will have.
const All = -1

// span returns the bytes that the rows have in the file, as fcntl(2) counts them: a length of 0 is everything from start on.
func (r Rows) span() (start, length int64, err error) {
	const most = math.MaxInt64 / rows.Size
	switch {
	case r.First < 0 || r.First > most:
	case r.Count == All:
		return r.First * rows.Size, 0, nil
	case r.Count > 0 && r.Count <= most-r.First: // a Count of 0 would be a length of 0
		return r.First * rows.Size, r.Count * rows.Size, nil
	}
	return 0, 0, fmt.Errorf("%w: %d from row %d on; count rows from 0, at least one", ErrRange, r.Count, r.First)
}

// A Held is a lock on rows of a table, shared or exclusive.
//
// It is a record lock of fcntl(2), which is advisory, on the bytes of these rows and no others. This Held is its owner. Every other Held is
// another owner, in whatever process and by whatever name of the file, and so is all other code that asks for a record lock of either
// kind. A row has one owner with an exclusive lock, or any number with shared ones.
//
// As long as the program keeps the Held, the lock lasts until Unlock, whatever the program does with the file meanwhile. It ends with the
// process, even if a program that it has started runs on. A Held is for one goroutine at a time.
type Held struct {
	file *os.File // an open file description of its own, which is the owner
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
// kernel, as long as it takes. No deadlock is detected.
//
// Lock opens the file, which must exist, once, for reading and writing, and asks the kernel once for the lock, and again only after a
// signal. It does nothing else with the file. If either is refused, nothing is locked, no handle is left open, and the error wraps the
// kernel's reason as it is. It does not match ErrLocked, not even for EAGAIN or EACCES. On systems other than Linux it matches
// errors.ErrUnsupported.
func Lock(path string, r Rows) (*Held, error) { return acquire(path, r, exclusive, true) }

// RLock is Lock for a shared lock: it waits until no other owner has an exclusive one, and opens the file for reading alone.
func RLock(path string, r Rows) (*Held, error) { return acquire(path, r, shared, true) }

// TryLock is Lock, except that it does not wait: if another owner is in the way, which the kernel reports with EAGAIN or EACCES, the error
// matches ErrLocked.
func TryLock(path string, r Rows) (*Held, error) { return acquire(path, r, exclusive, false) }

// TryRLock is to RLock what TryLock is to Lock.
func TryRLock(path string, r Rows) (*Held, error) { return acquire(path, r, shared, false) }

// Locked reports whether any owner, in this process or another one, has a lock on any of the rows at this moment. It opens the file once,
// for reading alone, asks the kernel once, and takes no lock. Its errors are those of Lock.
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

// Unlock gives the lock back and closes the file, and does nothing else. The next owner can have the lock at once, even while a program
// that is being started has a duplicate of the descriptor. A second Unlock changes nothing, and its error matches fs.ErrClosed. Any other
// error wraps the kernel's reason; the file is closed all the same.
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

// acquire opens the table for one lock: it is the open file that owns an open file description lock.
func acquire(path string, r Rows, m mode, wait bool) (*Held, error) {
	start, length, err := r.span()
	if err != nil {
		return nil, err
	}
	flags := os.O_RDWR // fcntl(2), EBADF: an exclusive lock needs a handle for writing, and a shared one a handle for reading
	if m == shared {
		flags = os.O_RDONLY
	}
	file, err := open(path, flags)
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
