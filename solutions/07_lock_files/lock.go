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
	"path/filepath"
	"runtime"
	"strings"
	"time"
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
	for deadline := time.Now().Add(patience); ; {
		holder, err := look(path)
		if notNow(err) && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("acquire %s: %w", path, err)
		}
		if holder == nil {
			lock, err := claim(path)
			if err == nil || !errors.Is(err, errNotFirst) || time.Now().After(deadline) {
				return lock, err
			}
			if !errors.Is(err, fs.ErrExist) {
				time.Sleep(time.Millisecond) // Windows, while somebody looks into the empty folder: nothing tells when that is over
			}
			continue
		}
		if alive(*holder) {
			return nil, fmt.Errorf("acquire %s: %w by process %d on %s; if that process is gone for good, remove %s",
				path, ErrLocked, holder.PID, holder.Host, path)
		}
		// No lock but the one that was judged has a file of this name. Whoever removes it, and however late: no other lock is
		// harmed, and the folder that stays behind is empty, which means free.
		if err := remove(ownerFile(path, holder.Token)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("break the lock %s of process %d, which is gone: %w; ask whoever may write there", path, holder.PID, err)
		}
	}
}

// Release gives the lock back. If it was not this owner's any more, nothing is touched and the error matches ErrLost: somebody
// has judged this process dead, or Release was called before. What was done since then was done without the lock. Any other
// error says that the lock is still this owner's.
func (l *Lock) Release() error {
	err := remove(ownerFile(l.path, l.owner.Token))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("release %s: %w; check what was written under it", l.path, ErrLost)
	}
	if err != nil {
		return fmt.Errorf("release %s: %w; it stays taken until this process ends", l.path, err)
	}
	_ = removeEmpty(l.path) // only for tidiness: an empty folder is a free lock
	return nil
}

// A lock is a folder with one file in it. The file's name ends in the token, and its content is the owner.
const ownerPrefix = "owner."

func ownerFile(folder, token string) string { return filepath.Join(folder, ownerPrefix+token) }

// look returns the owner of the lock at path, or nil if it is free: nothing is there, or an empty folder.
func look(path string) (*Owner, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	unknown := fmt.Errorf("%w; look at it, and remove it if nobody needs it", ErrUnknown)
	if !info.IsDir() {
		return nil, unknown
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	token, ours := strings.CutPrefix(entries[0].Name(), ownerPrefix)
	if !ours || len(entries) > 1 {
		return nil, unknown
	}
	content, err := os.ReadFile(ownerFile(path, token))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // released or broken a moment ago
	}
	if err != nil {
		return nil, err
	}
	var owner Owner
	if err := json.Unmarshal(content, &owner); err != nil || owner.Token != token {
		return nil, unknown
	}
	return &owner, nil
}

// errNotFirst is matched by the error of a claim on a path that was not free any more.
var errNotFirst = fmt.Errorf("%w, and changes hands all the time; try again later", ErrLocked)

// claim makes the lock aside, owner and all, and puts it at path in one step, which fails where a lock is.
func claim(path string) (*Lock, error) {
	owner, err := self(rand.Text())
	if err != nil {
		return nil, fmt.Errorf("acquire %s: %w", path, err)
	}
	aside := path + "." + owner.Token
	if err := prepare(aside, owner); err != nil {
		return nil, fmt.Errorf("acquire %s: %w; the folder must exist and let you write", path, errors.Join(err, discard(aside, owner)))
	}
	removal := removeEmpty(path)
	if err := os.Rename(aside, path); err != nil {
		err = errors.Join(err, discard(aside, owner))
		again := errors.Is(err, fs.ErrExist)
		if errors.Is(removal, fs.ErrPermission) { // another user's empty folder, in a folder like /tmp
			again, err = false, errors.Join(err, removal)
		}
		if again || notNow(err) || !isFree(path) {
			return nil, fmt.Errorf("acquire %s: %w (%w)", path, errNotFirst, err)
		}
		return nil, fmt.Errorf("acquire %s: %w", path, err)
	}
	return &Lock{path: path, owner: owner}, nil
}

// isFree reports whether a look finds no lock at path, and nothing else.
func isFree(path string) bool {
	holder, err := look(path)
	return holder == nil && err == nil
}

func prepare(folder string, owner Owner) error {
	content, err := json.Marshal(owner)
	if err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o777); err != nil {
		return err
	}
	return os.WriteFile(ownerFile(folder, owner.Token), content, 0o666)
}

// discard removes what prepare has made.
func discard(folder string, owner Owner) error {
	if err := remove(ownerFile(folder, owner.Token)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeEmpty removes the folder at path if nothing is in it. If anything is, the system refuses: a lock has a file in it.
func removeEmpty(path string) error {
	return os.Remove(path + string(os.PathSeparator)) // the separator at the end says: nothing but a folder
}

// patience bounds what Acquire and Release do again because the system says "not now".
const patience = 2 * time.Second

// notNow reports whether an error may be gone in a moment. Only Windows has such errors: it refuses to remove what somebody has
// open, a contender that reads the owner's name for instance, and what has been removed may keep its name until then.
func notNow(err error) bool {
	return runtime.GOOS == "windows" && err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrUnknown)
}

// remove is os.Remove, but for what notNow says.
func remove(name string) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // nothing tells when a handle is closed
		if err := os.Remove(name); !notNow(err) || time.Now().After(deadline) {
			return err
		}
	}
}
