// Package contention has a file lock that is fair when many want it, and carries parts from one shelf of the workshop to another under two
// of them.
package contention

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example/turnstile/exercises/11_locked_file/filelock"
)

// A Held is a lock on a file, shared or exclusive, from the call that returned it until its Unlock, or until the process ends, even if
// programs that it has started run on. It excludes every other Held for the file, in this process and in others, and every program that
// locks the file as package filelock does.
//
// Keep the Held until its Unlock: the garbage collector may end the lock of one that nothing refers to.
type Held struct {
	file   *os.File
	handle *filelock.Handle
}

// Lock waits until no other owner has a lock on the file at path, and returns an exclusive one. It creates a file that does not
// exist, with mode 0600 (before umask), but not its directory. It follows symbolic links, and opens its files before it waits: what path
// leads to afterwards plays no part. (No link may change while it opens them.)
//
// It waits in the kernel, in a line: it locks FILE.next, the turnstile, and gives that back when its wait for the file is over. So no call
// that begins while a caller is next in line gets the lock before it, even an owner's right after its Unlock; only an RLock may overtake
// an RLock. Who comes after it is up to the system.
//
// FILE.next lies beside the file, and not beside a link to it. If Lock creates it, it gets the read and write permissions of the file, and
// never more; until Lock has undone what the umask took, another user may be refused it. Lock never writes to, removes or replaces either,
// and one that exists keeps its mode. A FILE.next that is a link to nothing is an error.
//
// Only ctx limits the wait. If it ends first, or has ended before the call, Lock returns at once, and the error matches ctx.Err().
// Whatever call the system refuses, Lock neither repeats it nor does without: the error wraps the reason. (Another caller may create a file
// first: that is not a refusal.) After any error nothing is locked, even if a file could not be closed, and none is open but for a wait
// that the kernel cannot call off (see filelock.Handle.Lock).
//
// A file with two hard links has a line for each. An owner that locks its own file once more waits for itself.
func Lock(ctx context.Context, path string) (*Held, error) {
	return acquire(ctx, path, filelock.Exclusive)
}

// RLock waits until no other owner has an exclusive lock on the file at path, and returns a shared one, of which there may be any
// number. Otherwise it is Lock.
func RLock(ctx context.Context, path string) (*Held, error) {
	return acquire(ctx, path, filelock.Shared)
}

// Unlock gives the lock back, even while a duplicate of the open file exists, as in a child that is just starting, and closes the file.
// A second Unlock changes nothing, and its error matches fs.ErrClosed; two goroutines must not call it at the same time. Any other error
// wraps the system's reason; the file is closed all the same.
func (h *Held) Unlock() error {
	if err := errors.Join(h.handle.Unlock(), h.file.Close()); err != nil {
		return fmt.Errorf("unlock %s: %w; the file is closed", h.file.Name(), err)
	}
	return nil
}

// acquire goes through the turnstile: a second lock, which the next in line has while it waits for the first one, and no longer. An owner
// that asks again finds it taken. Both files are open before the first wait, since path may lead elsewhere when it is over.
func acquire(ctx context.Context, path string, mode filelock.Mode) (*Held, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	line, err := openLine(path, file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("queue for %s: %w", path, err), file.Close())
	}
	next, err := lock(ctx, line, filelock.Exclusive)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("queue for %s: %w", path, err), file.Close())
	}
	held, err := lock(ctx, file, mode)
	if err := errors.Join(err, next.Unlock()); err != nil {
		if held != nil {
			err = errors.Join(err, held.Unlock())
		}
		return nil, err
	}
	return held, nil
}

// openLine opens the turnstile of the file that path leads to: all links to the file lead to one turnstile.
func openLine(path string, file *os.File) (*os.File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	path, err = filepath.EvalSymlinks(path) // not filepath.Abs or Clean: to them, link/.. is the directory of the link
	if err != nil {
		return nil, err
	}
	line, err := os.OpenFile(path+".next", os.O_RDWR|os.O_CREATE|os.O_EXCL, info.Mode()&0o666)
	if errors.Is(err, fs.ErrExist) {
		return open(path + ".next")
	}
	if err != nil {
		return nil, err
	}
	if err := line.Chmod(info.Mode() & 0o666); err != nil { // the umask may have taken something from it
		return nil, errors.Join(err, line.Close())
	}
	return line, nil
}

// open opens a file anew, so that each lock has an owner of its own.
func open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w; its directory must exist, and this user must be allowed to read and to write the file", err)
	}
	return file, nil
}

// lock locks an open file, or closes it.
func lock(ctx context.Context, file *os.File, mode filelock.Mode) (*Held, error) {
	handle, err := filelock.New(file)
	if err == nil {
		err = handle.Lock(ctx, mode)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
	}
	return &Held{file, handle}, nil
}
