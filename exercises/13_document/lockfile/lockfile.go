// Package lockfile has the fair file lock that lesson 12 builds, ready-made.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"example/turnstile/exercises/11_locked_file/filelock"
)

// A Held is a lock on a file, from the Lock that returned it until its Unlock, or until the process ends.
type Held struct {
	file   *os.File
	handle *filelock.Handle
}

// Lock waits until no other owner has a lock on the file at path that stands in the way, or until ctx ends, and takes a lock of that mode.
//
// It waits in the kernel, and the next in line is not overtaken: not by readers, and not by an owner that asks again right after its
// Unlock. For the line there is a second file, PATH.next. Both are created, with the mode perm less the umask, if they do not exist, and
// are never written or removed. Who takes a shared lock on files that exist needs no permission but to read them.
//
// If ctx ends, the error matches ctx.Err(). After any error nothing is locked and no file is left open. Each Lock is an owner of its own,
// in the same process too.
func Lock(ctx context.Context, path string, mode filelock.Mode, perm fs.FileMode) (*Held, error) {
	next, err := lock(ctx, path+".next", mode, filelock.Exclusive, perm)
	if err != nil {
		return nil, err
	}
	held, err := lock(ctx, path, mode, mode, perm)
	if err := errors.Join(err, next.Unlock()); err != nil {
		if held != nil {
			err = errors.Join(err, held.Unlock())
		}
		return nil, err
	}
	return held, nil
}

// lock locks one of the two files. A caller who is there for reading may be without the permission to write it.
func lock(ctx context.Context, path string, access, mode filelock.Mode, perm fs.FileMode) (*Held, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, perm)
	if err != nil && access == filelock.Shared {
		if readable, failed := os.Open(path); failed == nil {
			file, err = readable, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock: %w; its directory must exist, and this user must have access to both", err)
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

// Unlock gives the lock back and closes the file. A second Unlock changes nothing, and its error matches fs.ErrClosed. Any other error
// wraps the system's reason; the file is closed all the same.
func (h *Held) Unlock() error {
	unlocked, closed := h.handle.Unlock(), h.file.Close()
	if errors.Is(closed, fs.ErrClosed) {
		return fmt.Errorf("unlock: %w", closed)
	}
	if err := errors.Join(unlocked, closed); err != nil {
		return fmt.Errorf("unlock %s: %w; the file is closed", h.file.Name(), err)
	}
	return nil
}
