// Package flock locks files in the kernel, shared or exclusive, and keeps the workshop's stock of parts under such locks.
package flock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrLocked is matched by the error of a TryLock, TryRLock or TryUpgrade that found another owner.
var ErrLocked = errors.New("another owner has a lock on the file")

// A Held is a lock of flock(2), shared or exclusive, from the call that returned it until its Unlock. It is on the file that was opened,
// wherever its path leads later.
//
// This Held is the lock's owner. Every other Held for the same file, in any process, is another owner, and so is every other program that
// calls flock(2) for it. Any number of owners may share a lock; the owner of an exclusive lock is alone. A program that does not ask is not
// kept out.
//
// The lock lasts as long as the program keeps the Held, whatever else it opens, closes or collects as garbage, the same file included. A
// program that this one starts does not have it after its exec, so the lock ends with the process at the latest.
//
// The methods of a Held are for one goroutine at a time.
type Held struct {
	file *os.File
	mode mode
}

type mode string

const (
	shared    mode = "shared"
	exclusive mode = "exclusive"
	unlocked  mode = "unlocked"
)

// Lock makes one open of path, with O_RDWR|O_CREATE and mode 0600, and waits in the kernel until no other owner has a lock on the file. The
// lock that it returns is exclusive. The wait holds up nothing else that the program does, and no signal ends it. But for this open,
// nothing in this package asks for a lock file by its name, or changes one.
//
// If the system refuses, whatever its reason, the error wraps it, does not match ErrLocked, and matches errors.ErrUnsupported only if
// the reason does. After an error nothing is locked, and no handle is left open.
func Lock(path string) (*Held, error) { return acquire(path, exclusive, true) }

// RLock waits until no other owner has an exclusive lock on the file at path, and returns a shared one. Otherwise it is Lock.
func RLock(path string) (*Held, error) { return acquire(path, shared, true) }

// TryLock is Lock, except that it does not wait: if another owner has a lock on the file, the error matches ErrLocked.
func TryLock(path string) (*Held, error) { return acquire(path, exclusive, false) }

// TryRLock is RLock, except that it does not wait: if another owner has an exclusive lock, the error matches ErrLocked.
func TryRLock(path string) (*Held, error) { return acquire(path, shared, false) }

// Upgrade makes a shared lock exclusive. It waits, as Lock does, until no other owner has a lock on the file.
//
// It is not one step: the shared lock is given up first, and another owner may have an exclusive lock in between. What was read under the
// shared lock may then be out of date.
//
// If Upgrade fails, it has also done what Unlock does. Errors are those of Lock; after Unlock the error matches fs.ErrClosed. A lock that
// is exclusive already stays as it is, and Upgrade returns nil.
func (h *Held) Upgrade() error { return h.upgrade(true) }

// TryUpgrade is Upgrade, except that it does not wait: if another owner has a lock, it fails, and the error matches ErrLocked.
func (h *Held) TryUpgrade() error { return h.upgrade(false) }

// Unlock gives the lock back and closes the file. The next owner can have the lock as soon as Unlock has returned, even if a child
// between fork and exec has all open files.
//
// A second Unlock changes nothing, and its error matches fs.ErrClosed. If the system refuses, the error is as Lock's, and the file is
// closed, too; a signal is no refusal.
func (h *Held) Unlock() error {
	if h.mode == unlocked {
		return fmt.Errorf("unlock %s: %w; it has no lock any more", h.file.Name(), fs.ErrClosed)
	}
	h.mode = unlocked
	// Closing alone would leave the lock to a duplicate of the descriptor: a child has one between fork and exec.
	err := errors.Join(flock(int(h.file.Fd()), unlocked, true), h.file.Close())
	if err != nil {
		return fmt.Errorf("unlock %s: %w; the file is closed", h.file.Name(), err)
	}
	return nil
}

// acquire opens the file, which makes a new open file description, a new owner, and locks it.
func acquire(path string, m mode, wait bool) (*Held, error) {
	if !supported {
		return nil, fmt.Errorf("lock %s: %w; this system has no flock(2)", path, errors.ErrUnsupported)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w; its directory must exist, and this user must be allowed to read and to write the file", err)
	}
	if err := flock(int(file.Fd()), m, wait); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, errors.Join(err, file.Close()))
	}
	return &Held{file: file, mode: m}, nil
}

func (h *Held) upgrade(wait bool) error {
	switch h.mode {
	case unlocked:
		return fmt.Errorf("upgrade the lock on %s: %w; it has no lock any more", h.file.Name(), fs.ErrClosed)
	case exclusive:
		return nil
	}
	if err := flock(int(h.file.Fd()), exclusive, wait); err != nil {
		// Linux has given the shared lock up by now, and other systems may have kept it. Nothing is held afterwards on either.
		return errors.Join(fmt.Errorf("upgrade the lock on %s, which is given up: %w", h.file.Name(), err), h.Unlock())
	}
	h.mode = exclusive
	return nil
}
