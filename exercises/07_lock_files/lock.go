// Package lockfiles makes a lock of nothing but names in a folder: one process at a time has it, and what a crash leaves of it
// is found out and taken away.
package lockfiles

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

var (
	// ErrLocked is matched by the error of an Acquire that found the lock in the hands of somebody who may be alive.
	ErrLocked = errors.New("the lock is taken")
	// ErrUnknown is matched by the error of an Acquire that found something at the path that no Acquire has put there.
	ErrUnknown = errors.New("this is no lock, or a damaged one")
	// ErrLost is matched by the error of a Release of a lock that was not its owner's any more.
	ErrLost = errors.New("the lock was lost to somebody else")
)

// Options change how Acquire works. The zero value is good.
type Options struct {
	// Alive judges the owner of a lock that is found: may it still be at work? Only false lets Acquire take the lock away. It
	// may be called more than once, and for different owners; it may take its time: nothing is held meanwhile. Nil means
	// the function Alive of this package.
	Alive func(owner Owner) bool
}

// A Lock is a claim on a path, held from Acquire until Release, or until somebody judges its owner dead.
type Lock struct {
	path  string
	owner Owner
}

// Owner returns what others read about the holder of this lock.
func (l *Lock) Owner() Owner { return l.owner }

// Acquire takes the lock at path, or says who has it. It does not wait.
//
// As long as no owner is judged dead that still works, the lock has one owner at most, whatever processes do, and at whichever
// step they are interrupted or killed. A wrong judgement gives it two, and the first one is not told before it calls Release. A
// lock that a living process holds is not free to that same process either.
//
// The lock is advisory: it keeps out nobody who does not call Acquire with this path. It survives its owner's death, on purpose
// (nobody is there to take it away), until an Acquire that is told so by Alive. It has not been made for network file
// systems. The folder of path must exist, and while the lock is taken or broken, names that begin with path and a dot come
// and go beside it. A crash can leave one there, which is in nobody's way; without crashes, what stays in the folder does not
// grow with the number of locks taken.
//
// The error matches ErrLocked if somebody has the lock who may be alive, and then nothing was changed; or if somebody else is
// about to take, break or release it. It matches ErrUnknown if something else stands at path: a damaged lock, a file that
// is no lock, be it that somebody has put it there while Acquire was at work. That is not touched either. (Windows may replace
// a file that comes in the last moment.) Any other error, such as that of a missing folder or of a lock that
// this user may not remove, is not tried for ever but returned. What this user may see of the lock, another user may too, so far
// as the umask lets him.
func Acquire(path string, o Options) (*Lock, error) {
	alive := o.Alive
	if alive == nil {
		alive = Alive
	}
	for {
		lock, err := claim(path)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return lock, err
		}
		holder, err := look(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		// TODO: what cannot be read counts as nobody's. Who may be about to write there, at this moment?
		if err == nil && alive(holder) {
			return nil, fmt.Errorf("acquire %s: %w by process %d on %s; if that process is gone for good, remove %s",
				path, ErrLocked, holder.PID, holder.Host, path)
		}
		// TODO: the owner of the lock that was looked at is dead. Whose lock has this name by now?
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("break the lock %s: %w", path, err)
		}
	}
}

// Release gives the lock back. If it was not this owner's any more, nothing is touched and the error matches ErrLost: somebody
// has judged this process dead, or Release was called before. What was done since then was done without the lock. Any other
// error says that the lock is still this owner's.
func (l *Lock) Release() error {
	// TODO: whose lock is it that has this name?
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("release %s: %w; check what was written under it", l.path, ErrLost)
	}
	if err != nil {
		return fmt.Errorf("release %s: %w; it stays taken until this process ends", l.path, err)
	}
	return nil
}

// look returns the owner of the lock at path.
func look(path string) (Owner, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Owner{}, err
	}
	var owner Owner
	if err := json.Unmarshal(content, &owner); err != nil {
		return Owner{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return owner, nil
}

// claim makes the lock at path, if there is none.
func claim(path string) (*Lock, error) {
	owner, err := self(rand.Text())
	if err != nil {
		return nil, fmt.Errorf("acquire %s: %w", path, err)
	}
	content, err := json.Marshal(owner)
	if err != nil {
		return nil, fmt.Errorf("acquire %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("acquire %s: %w; the folder must exist and let you write", path, err)
	}
	// TODO: what does the lock say if this process is stopped here, and what if it is killed here?
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("acquire %s: write the owner: %w", path, err)
	}
	return &Lock{path: path, owner: owner}, nil
}
