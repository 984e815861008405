// Package lockfiles makes a lock of nothing but names in a directory: one process at a time has it, and what a process crash leaves of
// it can be taken away.
package lockfiles

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"example/turnstile/exercises/07_lock_files/names"
)

var (
	// ErrLocked is matched by the error of an Acquire that found another owner, who may be alive.
	ErrLocked = errors.New("the lock is taken")
	// ErrUnknown is matched by the error of an Acquire that found something at the path that is not a whole lock.
	ErrUnknown = errors.New("not a lock, or a damaged one")
	// ErrLost is matched by the error of a Release whose lock was no longer its owner's.
	ErrLost = errors.New("the lock was lost")
)

// Options change how Acquire works. The zero value is good.
type Options struct {
	// Alive judges the owner of a lock that Acquire has found: may it still be at work? Acquire breaks a lock only if Alive returns false.
	// It asks once about each owner that it finds, remembers no answer, and has made nothing meanwhile: Alive may take a day. If it panics,
	// so does Acquire. Nil means the function Alive of this package.
	Alive func(owner Owner) bool
}

// A Lock is a claim on a path, held from Acquire until Release, or until its owner is judged dead.
type Lock struct {
	path  string
	owner Owner
}

// Owner returns what others read about the holder of this lock.
func (l *Lock) Owner() Owner { return l.owner }

// Acquire takes the lock at path if it is free or if its owner is dead. It never waits for a process or a goroutine.
//
// As long as Alive is right, a lock has at most one owner, at whichever call processes and goroutines are stopped or killed. After a wrong
// judgement it has two, and the first one learns of it from Release. The lock is advisory. It stays until it is released or judged: an
// owner that forgets it, or is ended by a signal, does not give it back.
//
// A relative path is resolved when Acquire is called. The directory must exist, on a local file system. The lock is made under a name that
// begins with path and a dot, and put in place in one step; the permissions are 0666 and 0777 less the umask. Calls that return leave
// nothing open, and such names do not pile up; what a killed call leaves is in no other's way. Files of others are not touched.
//
// The error matches ErrLocked if the owner may be alive, even where this process may only read, and then nothing was changed; or if path
// was taken meanwhile. It matches ErrUnknown for what is not a lock, which is not touched: a file, a link, a pipe, which is not even
// opened, a lock with less in it than its owner, or with more. (An empty directory may count as a free lock.) Any other error wraps the
// system's reason.
func Acquire(path string, o Options) (*Lock, error) {
	alive := o.Alive
	if alive == nil {
		alive = Alive
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("acquire: %w", err)
	}
	holder, err := look(path)
	if err != nil {
		return nil, fmt.Errorf("acquire %s: %w", path, err)
	}
	if holder != nil {
		if alive(*holder) {
			return nil, fmt.Errorf("acquire %s: %w by process %d on %s; if that process is certainly gone, remove %s",
				path, ErrLocked, holder.PID, holder.Host.Name, path)
		}
		// Only the lock that was judged has a file of this name. However late this call comes, it harms no other lock, and an empty
		// directory is a free lock.
		if err := names.Remove(ownerFile(path, holder.Token)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("break the lock %s of process %d, which has ended: %w; ask a user who may write there",
				path, holder.PID, err)
		}
	}
	return claim(path)
}

// Release gives the lock back, and touches nothing else. A file that a person has put into the lock stays.
//
// The error matches ErrLost if the lock was no longer this owner's: another process has judged this one dead, Release was called before,
// or a person has removed or replaced the lock. What was done since then was done without it. Any other error wraps the system's reason:
// the lock was not given back, and Release may be called again.
func (l *Lock) Release() error {
	err := names.Remove(ownerFile(l.path, l.owner.Token))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("release %s: %w: it is no longer this owner's; check what was written under it", l.path, ErrLost)
	}
	if err != nil {
		return fmt.Errorf("release %s: %w; it stays taken until a later Release succeeds or another process breaks it", l.path, err)
	}
	_ = names.RemoveEmpty(l.path) // for tidiness only: an empty directory is a free lock
	return nil
}

// A lock is a directory with one file in it. The file's name ends in the token, and its content is the owner.
const ownerPrefix = "owner."

func ownerFile(dir, token string) string { return filepath.Join(dir, ownerPrefix+token) }

// look returns the owner of the lock at path, or nil if the lock is free: nothing exists at path, or an empty directory.
func look(path string) (*Owner, error) {
	name, content, err := names.OnlyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, names.ErrOther) {
		return nil, err
	}
	var owner Owner
	token, ours := strings.CutPrefix(name, ownerPrefix)
	if err != nil || !ours || json.Unmarshal(content, &owner) != nil || owner.Token != token {
		return nil, fmt.Errorf("%w; look at it, and remove it if it is not needed", ErrUnknown)
	}
	return &owner, nil
}

// claim makes the lock beside path, owner and all, and puts it at path in one step.
func claim(path string) (*Lock, error) {
	owner, err := self(rand.Text())
	if err != nil {
		return nil, fmt.Errorf("acquire %s: %w", path, err)
	}
	content, err := json.Marshal(owner)
	if err != nil {
		return nil, fmt.Errorf("acquire %s: %w", path, err)
	}
	aside := path + "." + owner.Token
	if err := names.MakeDirectory(aside, ownerPrefix+owner.Token, content); err != nil {
		return nil, fmt.Errorf("acquire %s: %w; its directory must exist and let you write", path, err)
	}
	err = names.PutDirectory(aside, path)
	if err == nil {
		return &Lock{path: path, owner: owner}, nil
	}
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: another process was faster (%w)", ErrLocked, err)
	}
	return nil, fmt.Errorf("acquire %s: %w", path, errors.Join(err, os.RemoveAll(aside)))
}
