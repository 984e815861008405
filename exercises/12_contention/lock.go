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

// A Held is a lock on a file, shared or exclusive, from the call that returned it until its Unlock, or until the process ends, even if
// programs that it has started run on. It excludes as the locks of package filelock do: every other Held for the file in this process and
// in others, and every program that locks the file in the same way. The lock is advisory.
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
// If ctx ends first, in whichever of its waits, Lock returns at once, and the error matches ctx.Err(). If ctx has ended before the call,
// that is the error, whatever else is wrong; the files may have been created even so. Lock has no limit of its own.
//
// Where the system refuses anything, such as to open or to close a file or to set its mode, Lock neither tries again nor does without, and
// the error wraps the system's reason: Lock never goes on without a lock, never out of turn, and never with the line left closed. That a
// file does not exist yet, or that another caller was the first to create it, is not a refusal, and Lock goes on. After any error nothing
// is locked, even if a file could not be closed, and those behind move up. No handle is left open then, except one for a wait that the
// kernel cannot call off: it is closed once the kernel has granted what it was asked for (see filelock.Handle.Lock).
//
// path means the file that it leads to when Lock is called, symbolic links followed, even if the program changes its directory or someone
// changes a link while it waits. If another file is renamed over that file while it waits, it may lock either: a lock file should stay.
// The file is created, with mode 0600, if it does not exist; its directory is not. For the line, Lock keeps files in the directory of that
// file, not in that of a link to it, whose names begin with that of the file, such as PATH.next; programs stand in one line if they agree
// on the names. It creates them with the mode of the file, whatever the umask, or sets that mode a moment later: who may lock the file may
// stand in line. Lock never writes to any of these files or removes it, and one that exists keeps its mode. All of them stay when Lock
// fails.
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

// Unlock gives the lock back, even while a duplicate of the open file exists, as in a child that the program is just starting, and closes
// the file. A second Unlock changes nothing, even if another owner has the lock by then, and its error matches fs.ErrClosed; two goroutines
// must not call it at the same time. Any other error wraps the system's reason; the file is closed all the same.
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
