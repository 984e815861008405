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
	// Alive judges the owner of a lock that Acquire has found: may it still be at work? Acquire takes a lock away only if Alive returns
	// false. Each call of Acquire asks about each owner it finds exactly once; it remembers no earlier answer, and need not look who was
	// faster. Alive may take a day, and its answer counts: Acquire holds nothing meanwhile, and has made nothing yet. If it
	// panics, so does Acquire, with the same value, and nothing was changed. Nil means the function Alive of this package.
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
// As long as no owner is judged dead that still works, a lock has at most one owner, whatever other processes and goroutines do, and at
// whichever call they are stopped or killed. A wrong judgement gives it two; the first one learns of it from Release. A lock that this
// process holds already is taken, too.
//
// The lock is advisory: it excludes other calls of Acquire with this path, and nothing else. It survives the death of its owner, whatever
// ends the process, until an Acquire finds it and Alive returns false; a lock that a living process has forgotten stays taken.
//
// A relative path is resolved when Acquire is called, and every path is cleaned, both as filepath.Abs does it: link/../x is x, wherever the
// link leads. Symbolic links in the directory of the cleaned path are followed; a link at path itself is not a lock. The directory must
// exist. While a lock is taken, broken or released, names that begin with path and a dot may exist beside it; files of others that have
// such names are not touched, however old they are. An Acquire that fails leaves nothing behind, or at most the empty directory of a lock
// that it has broken; taking and releasing a lock leaves no more the hundredth time than the first, on the disk or open; an Acquire that is
// killed may leave what has such a name, which is in no other's way. What is created has the permissions of any new file or directory, 0666
// and 0777 less the umask: whom the umask lets may read the owner and break the lock. Network file systems are not supported.
//
// The error matches ErrLocked if the owner may be alive, even where this process may only read; then nothing was changed. It also matches
// ErrLocked if another Acquire or Release was faster. It matches ErrUnknown if something else exists at path, which is not touched: a file,
// a link to whatever, a pipe, which is not even opened, a lock with less in it than Acquire has written, or with more, even if it was put
// there while Acquire was at work. (An empty directory may count as a free lock. On Windows a file may be replaced that appears in the last
// moment.) Any other error matches neither: the system refused, or does not tell which process this is, and the error wraps its reason.
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

// Release gives the lock back.
//
// If it was no longer this owner's, nothing is touched and the error matches ErrLost: another process has judged this one dead, or
// Release was called before, or the lock, or a directory of its path, was removed, moved or replaced from outside, so that this owner
// is no longer found under the path. What this process has done since then was done without the lock. A file that a person has put into
// the lock stays, and is no loss.
//
// Any other error wraps the system's reason: the lock was not given back, or the system does not tell what is there, as where a directory
// of the path is a loop of links by now. Others may still find this owner, and Release may be called again.
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
		if _, unknown := look(path); errors.Is(unknown, ErrUnknown) {
			err = unknown
		} else {
			err = fmt.Errorf("%w: another process was faster (%w)", ErrLocked, err)
		}
	}
	return nil, fmt.Errorf("acquire %s: %w", path, errors.Join(err, os.RemoveAll(aside)))
}
