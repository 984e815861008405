// Package contention has a file lock that is fair when many want it, and carries parts from one shelf of the workshop to another under two
// of them.
package contention

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example/turnstile/exercises/11_locked_file/filelock"
)

// A Held is a lock on a file, shared or exclusive, from the call that returned it until its Unlock, or until the process ends. It excludes
// as the locks of package filelock do: every other Held for the file in this process and in others, and every program that locks the file
// in the same way. The lock is advisory.
type Held struct {
	file   *os.File
	handle *filelock.Handle
}

// Lock waits until no other owner has a lock on the file at path, and returns an exclusive one.
//
// It waits in the kernel: it does not ask again and again. The caller that is next in line is not overtaken: no call of Lock or RLock that
// begins while it waits gets the lock before it, however often the others ask, and even if the owner asks again right after its Unlock.
// Of those that wait behind the next in line, the system chooses.
//
// If ctx ends first, Lock returns at once, and the error matches ctx.Err(). So it does if ctx has ended before the call. After any error
// nothing is locked, those behind move up, and no handle is left open. Where the system refuses, the error wraps its reason: Lock never
// goes on without a lock, and never out of turn.
//
// path means the file that it names when Lock is called, even if the program changes its directory while it waits. The file is created, with
// mode 0600, if it does not exist; its directory is not. For the line, Lock keeps files beside it whose names begin with that of the file.
// None of these files is ever written or removed. Locks for different files do not wait for each other.
//
// An owner that locks its own file once more waits for itself, until ctx ends.
func Lock(ctx context.Context, path string) (*Held, error) {
	return acquire(ctx, path, filelock.Exclusive)
}

// RLock waits until no other owner has an exclusive lock on the file at path, and returns a shared one, of which there may be any number
// at the same time. Otherwise it is Lock: an RLock that begins while a Lock is next in line comes after it.
func RLock(ctx context.Context, path string) (*Held, error) {
	return acquire(ctx, path, filelock.Shared)
}

// Unlock gives the lock back and closes the file. A second Unlock changes nothing, even if another owner has the lock by then, and its
// error matches fs.ErrClosed. Any other error wraps the system's reason; the file is closed all the same.
func (h *Held) Unlock() error {
	if err := errors.Join(h.handle.Unlock(), h.file.Close()); err != nil {
		return fmt.Errorf("unlock %s: %w; the file is closed", h.file.Name(), err)
	}
	return nil
}

// acquire goes through the turnstile: a second lock, which the next in line has while it waits for the first one, and no longer. An owner
// that asks again finds it taken.
func acquire(ctx context.Context, path string, mode filelock.Mode) (*Held, error) {
	path, err := filepath.Abs(path) // the directory may be another one when the turnstile is free
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	next, err := lockFile(ctx, path+".next", filelock.Exclusive)
	if err != nil {
		return nil, fmt.Errorf("queue for %s: %w", path, err)
	}
	held, err := lockFile(ctx, path, mode)
	if err := errors.Join(err, next.Unlock()); err != nil {
		if held != nil {
			err = errors.Join(err, held.Unlock())
		}
		return nil, err
	}
	return held, nil
}

// lockFile locks one file. It opens the file anew, so that each lock has an owner of its own.
func lockFile(ctx context.Context, path string, mode filelock.Mode) (*Held, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w; its directory must exist, and this user must be allowed to read and to write the file", err)
	}
	handle, err := filelock.New(file)
	if err == nil {
		err = handle.Lock(ctx, mode)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return &Held{file, handle}, nil
}
