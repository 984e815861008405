// Package files does what lessons 04 and 06 have explained: it replaces a file in one durable step, keeps what was there before, and sets
// a damaged file aside. It takes no lock: its callers have it.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"example/turnstile/exercises/06_atomic_replace/busy"
	"example/turnstile/exercises/06_atomic_replace/directory"
	"example/turnstile/exercises/06_atomic_replace/owner"
	"example/turnstile/exercises/06_atomic_replace/place"
)

var (
	// ErrSaved is matched by the error of a call that has done its work, and failed only then.
	ErrSaved = errors.New("all is saved")
	// ErrNotDurable is matched by the error of a Replace that did replace the file, and then could not make sure that the replacement
	// survives a power cut; so is ErrSaved. Every other error of Replace means that the file is as it was.
	ErrNotDurable = fmt.Errorf("%w, but a power cut may bring the old content back", ErrSaved)
)

// Absolute returns the path with the working directory of now in front of it, if it is relative, as package place understands it. If the
// system does not tell the working directory, the path stays as it is, and so does an empty one: Find will say what is wrong with it.
func Absolute(path string) string {
	if full, err := place.Absolute(path); err == nil {
		return full
	}
	return path
}

// A Finder finds one path, again and again. Its methods may be called at one time.
type Finder struct {
	last atomic.Pointer[string] // what Find has returned
}

// Find is place.Find, and follows the links to directories as well: the path that it returns has no symbolic link on it, and leads to the
// same file whatever becomes of the links. Two names of one file, but hard links, lead to one path.
//
// It remembers what it has found, and asks the kernel each time whether path leads there still: to look at each directory on the way takes
// five times as long. What it does not see is a directory on the remembered path that was moved, and replaced by a link to where it is now.
func (f *Finder) Find(path string) (place.Place, error) {
	if last := f.last.Load(); last != nil && sameEntry(path, *last) {
		if at, err := place.Find(*last); err != nil || at.Path == *last {
			return at, err
		}
	}
	at, err := find(path)
	if err == nil {
		f.last.Store(&at.Path)
	}
	return at, err
}

// sameEntry reports whether two paths are one name in one directory.
func sameEntry(a, b string) bool {
	dirOfA, nameInA := filepath.Split(a) // not filepath.Dir, which cleans
	dirOfB, nameInB := filepath.Split(b)
	if nameInA != nameInB {
		return false
	}
	first, err := os.Stat(dirOfA)
	if err != nil {
		return false
	}
	second, err := os.Stat(dirOfB)
	return err == nil && os.SameFile(first, second)
}

func find(path string) (place.Place, error) {
	for {
		at, err := place.Find(path)
		if err != nil {
			return place.Place{}, err
		}
		dir, err := filepath.EvalSymlinks(at.Dir()) // not of the whole path: the file need not exist
		if err != nil {
			return place.Place{}, fmt.Errorf("find %s: %w", path, err)
		}
		if path = filepath.Join(dir, filepath.Base(at.Path)); path == at.Path {
			return at, nil
		}
	}
}

// Replace makes data the whole content of the file, in one step, and returns nil once that survives a power cut. It is lesson 06's
// WriteFile: a temporary file beside the file, which gets its mode and its owner, or perm, less the umask, if there is none; fsync; rename;
// fsync of the directory.
//
// If backup is not empty, it is the path, in the same directory, that the old file has when the new one is in place. What had that path
// before is gone. At every moment, even after a process crash or a power cut, the file itself is the old one or the new one, whole; the
// backup is the one before, or the same as the file, or missing for the moment.
//
// An error wraps the refusal of the kernel. The file is then as it was and no temporary file is left, with one exception: an error that
// matches ErrNotDurable.
func Replace(at place.Place, data []byte, perm fs.FileMode, backup string) error {
	dir, err := directory.Open(at.Dir()) // what will be needed last: it should fail while nothing has changed
	if err != nil {
		return fmt.Errorf("replace %s: %w; the file is as it was", at.Path, err)
	}
	defer func() { _ = dir.Close() }() // it was open for reading: nothing can be lost
	temp, err := write(at, data, perm)
	if err == nil && backup != "" && at.Old != nil {
		err = keep(at.Path, backup)
	}
	if err == nil {
		err = busy.Rename(temp, at.Path)
	}
	if err != nil {
		return fmt.Errorf("replace %s: %w; the file is as it was", at.Path, errors.Join(err, discard(temp)))
	}
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("replace %s: %w: %w; check the disk, and read the file before you change it again", at.Path, ErrNotDurable, err)
	}
	return nil
}

// write returns the path of a temporary file beside the file, which has the data, on the disk. The path is not empty if a file may exist.
func write(at place.Place, data []byte, perm fs.FileMode) (temp string, err error) {
	if at.Old != nil {
		perm = at.Old.Mode().Perm() & 0o700 // until the file has the old one's group, its own may be another
	}
	file, err := os.OpenFile(at.TempName(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return "", err
	}
	err = inherit(file, at.Old)
	if err == nil {
		_, err = file.Write(data)
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return file.Name(), err
}

func inherit(file *os.File, old fs.FileInfo) error {
	if old == nil {
		return nil
	}
	perm, err := owner.Keep(file, old)
	if err != nil {
		return err
	}
	return file.Chmod(perm)
}

func discard(temp string) error {
	if temp == "" {
		return nil
	}
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; Recover will remove it", err)
	}
	return nil
}

// keep gives the file at path a second name, backup, under which it stays when path is replaced. A rename over the backup would not do: if
// a process crash has left both as names of one file, rename does nothing (rename(2)).
func keep(path, backup string) error {
	if err := os.Remove(backup); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep a backup: %w", err)
	}
	err := os.Link(path, backup)
	if err == nil {
		return nil
	}
	if failed := duplicate(path, backup); failed != nil {
		return fmt.Errorf("keep a backup: %w; and as a copy: %w", err, failed)
	}
	return nil
}

// duplicate is for file systems without hard links: it copies the file to a path that is free.
func duplicate(path, copied string) error {
	from, err := place.Find(path)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	temp, err := write(from, data, 0o600) // its mode and owner, and a name that Sweep knows
	if err == nil {
		err = busy.Rename(temp, copied)
	}
	if err != nil {
		return errors.Join(err, discard(temp))
	}
	return nil
}

// SetAside gives the file at path a second name, which is free: PATH.damaged-1, or the next number. Whatever has such a name already
// stays what it is; if it is this very file (a link), which a caller who got no further has set aside, the name serves again. The file
// stays at path too, until the caller replaces it.
func SetAside(path string) (aside string, err error) {
	file, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("set aside: %w", err)
	}
	for number := 1; ; number++ {
		aside = fmt.Sprintf("%s.damaged-%d", path, number)
		if other, err := os.Lstat(aside); err == nil {
			if os.SameFile(file, other) {
				return aside, nil
			}
			continue
		}
		err := os.Link(path, aside)
		switch {
		case err == nil:
			return aside, nil
		case errors.Is(err, fs.ErrExist):
			continue
		}
		if failed := duplicate(path, aside); failed != nil {
			return "", fmt.Errorf("set aside: %w; and as a copy: %w", err, failed)
		}
		return aside, nil
	}
}

// Sweep removes the temporary files that process crashes have left beside the file. The caller has the lock that all writers take, so
// none of them belongs to a live one. It returns the paths of those that it removed, even with an error.
func Sweep(at place.Place) (removed []string, err error) {
	entries, err := os.ReadDir(at.Dir())
	if err != nil {
		return nil, fmt.Errorf("sweep beside %s: %w", at.Path, err)
	}
	var failed []error
	for _, entry := range entries {
		if !at.IsTemp(entry.Name()) || !entry.Type().IsRegular() {
			continue
		}
		leftover := at.Beside(entry.Name())
		if err := os.Remove(leftover); err == nil {
			removed = append(removed, leftover)
		} else if !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return removed, fmt.Errorf("sweep beside %s: %w; the rest of the leftovers is gone", at.Path, err)
	}
	return removed, nil
}
