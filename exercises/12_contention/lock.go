// Package contention has a file lock that is fair when many want it, and carries parts from one shelf of the workshop to another under two
// of them.
package contention

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"example/turnstile/exercises/11_locked_file/filelock"
)

// A Held is a lock on a file, shared or exclusive, from the call that returned it until its Unlock, or until the process ends. It excludes
// as the locks of package filelock do: every other Held for the file in this process and in others, and every program that locks the file
// in the same way. The lock is advisory.
//
// Keep the Held until its Unlock: the garbage collector closes the file of one that nothing refers to any more, and the lock ends with it.
type Held struct {
	file   *os.File
	handle *filelock.Handle
}

// Lock waits until no other owner has a lock on the file at path, and returns an exclusive one.
//
// It waits in the kernel: it does not ask again and again. The caller that is next in line is not overtaken: no call that begins while it
// waits gets the lock before it, however often the others ask, and even if the owner asks again right after its Unlock. Only readers who
// wait for the same writer may go in in any order. Of those that wait behind the next in line, the system chooses.
//
// If ctx ends first, in whichever of its waits, Lock returns at once, and the error matches ctx.Err(). So it does if ctx has ended before
// the call. Where the system refuses anything, such as to open or to close a file, Lock does not try again, and the error wraps the
// system's reason: Lock never goes on without a lock, never out of turn, and never with the line left closed. After any error nothing is
// locked, and those behind move up. No handle is left open then, except one for a wait that the kernel cannot call off: it is closed once
// the kernel has granted what it was asked for (see filelock.Handle.Lock).
//
// path means the file that it leads to when Lock is called, symbolic links followed, even if the program changes its directory or someone
// changes a link while it waits. The file is created, with mode 0600, if it does not exist; its directory is not. For the line, Lock keeps
// files in the directory of that file, not in that of a link to it, whose names begin with that of the file. It creates them with the mode
// of the file, whatever the umask: who may lock the file may stand in line. None of these files is ever written or removed, or gets another
// mode, and all of them stay when Lock fails.
//
// Locks for different files do not wait for each other, except for a file and one of its line. A file with two hard links has a line for
// each of its names: the locks exclude each other, and the order holds among those who use the same name.
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

// pause is the time between two questions.
const pause = 10 * time.Millisecond

// acquire opens the file anew, so that each lock has an owner of its own, and asks for the lock until there is none on the file.
func acquire(ctx context.Context, path string, mode filelock.Mode) (*Held, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w; its directory must exist, and this user must be allowed to read and to write the file", err)
	}
	handle, err := filelock.New(file)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, errors.Join(err, file.Close()))
	}
	for {
		// TODO: whose turn is it when the lock is free? The kernel knows who waits, if they wait there. And the first in line needs a place
		// that an owner who asks again, or a reader, cannot go past.
		err := handle.TryLock(mode)
		if err == nil {
			return &Held{file, handle}, nil
		}
		if !errors.Is(err, filelock.ErrLocked) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: %w; try again, or give it more time", path, ctx.Err()) // TODO: and the file?
		case <-time.After(pause):
		}
	}
}
