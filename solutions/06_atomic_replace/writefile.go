// Package atomicreplace replaces whole files so that nobody ever sees half of one: no reader, no crash, no power cut.
//
// The new content is written to a temporary file in the target's own folder and renamed over the target. The target's
// old bytes are never touched.
package atomicreplace

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"example/turnstile/exercises/06_atomic_replace/busy"
	"example/turnstile/exercises/06_atomic_replace/owner"
)

// ErrNotDurable is matched by the error of a WriteFile that did replace the file, and then could not make sure that the
// replacement survives a power cut. Every other error of WriteFile means that the file is as it was.
var ErrNotDurable = errors.New("the new content is in place, but a power cut may bring the old one back")

// WriteFile makes data the whole content of the file at path, creating it with perm (before umask) if there is none.
//
// At every moment a reader that opens path gets the old content or the new one, whole; so does whoever looks after a
// crash of this process. Once WriteFile has returned nil, the same holds for a power cut, and it is the new content,
// as far as system, file system and disk do what fsync(2) promises. Windows gives no way to flush a folder: there, the
// last write may be gone after a power cut.
//
// On error the file is untouched and no temporary file is left, with one exception: an error that matches ErrNotDurable.
//
// An existing file keeps its permission bits, whatever perm says, and its owner and group as far as this process may set
// them. If the group cannot be kept, the new group gets no more than everybody else has. While it is written, the
// temporary file lets nobody in who might not read the old one. Not kept: hard links (the other names keep the old content), extended attributes, ACLs, and the special bits of the
// mode. A file without write permission is replaced all the same on Unix, where a rename asks only the folder.
// A symbolic link is followed; the file that it names is replaced, in that file's folder, and the link stays. What is
// neither a regular file nor missing is refused with an error that matches fs.ErrInvalid. The folder must exist and be
// readable and writable. Windows refuses the rename while another program has the file open; WriteFile waits up to two
// seconds for that to end. On Windows, rename is not promised to be atomic (os.Rename).
//
// Several WriteFile calls on one path may run at once, in any number of processes: the file is always the whole content
// of one of them. That is not isolation: a program that reads, changes and writes back needs a lock around all three.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	target, err := resolve(path)
	if err == nil {
		err = replace(target, data, perm)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func replace(target string, data []byte, perm fs.FileMode) error {
	old, err := regular(target)
	if err != nil {
		return err
	}
	// What can fail should fail while nothing has changed: the folder is opened now although it is needed last.
	folder, err := openFolder(target)
	if err != nil {
		return err
	}
	defer folder.Close() // read only: nothing can be lost

	temp, err := prepare(target, data, perm, old)
	if err != nil {
		return err
	}
	if err := rename(temp, target); err != nil {
		_ = os.Remove(temp) // the rename's error is the one to tell
		return err
	}
	// The new content is in place. From here on the name temp is nobody's, or already somebody else's: no more Remove.
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("%w: %w; write again, or check the disk", ErrNotDurable, err)
	}
	return nil
}

// regular returns what stands at target: a regular file, or nil if nothing does.
func regular(target string) (fs.FileInfo, error) {
	info, err := os.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // renaming over /dev/null would replace the device by a file
		return nil, fmt.Errorf("%s is not a regular file (%s): %w", target, info.Mode(), fs.ErrInvalid)
	case runtime.GOOS == "windows" && info.Mode()&0o200 == 0: // the rename would be refused, and look like a busy file
		return nil, &fs.PathError{Op: "replace read-only file", Path: target, Err: fs.ErrPermission}
	}
	return info, nil
}

// prepare writes data to a new file beside target and makes it durable there. It returns the new file's name.
func prepare(target string, data []byte, perm fs.FileMode, old fs.FileInfo) (name string, err error) {
	if old != nil {
		perm = old.Mode().Perm() & 0o700 // until it has the old file's group, the new one's group may be another
	}
	// O_EXCL follows no link that somebody has planted.
	temp, err := os.OpenFile(tempName(target), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return "", err
	}
	err = fill(temp, data, old)
	if closeErr := temp.Close(); err == nil { // close before Remove: Windows removes no open file
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // the first error is the one to tell
		return "", err
	}
	return temp.Name(), nil
}

func fill(temp *os.File, data []byte, old fs.FileInfo) error {
	if old != nil { // before the first byte: a crash at any moment shows a secret to nobody who might not read it before
		perm, err := owner.Keep(temp, old)
		if err != nil {
			return err
		}
		if err := temp.Chmod(perm); err != nil {
			return err
		}
	}
	if _, err := temp.Write(data); err != nil {
		return err
	}
	// Once only: after a failed fsync the kernel may call the lost pages clean, and a later one says nil (docs/tools/powercut).
	return temp.Sync()
}

// patience is how long rename waits for a file that somebody has open.
const patience = 2 * time.Second

func rename(from, to string) error {
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 64*time.Millisecond) {
		err := os.Rename(from, to)
		if err == nil || !busy.Refusal(err) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause/2 + rand.N(pause)) // there is nothing to wait on: Windows tells nobody that a handle was closed
	}
}

// openFolder opens the folder of target for its Sync.
func openFolder(target string) (syncCloser, error) {
	if runtime.GOOS == "windows" { // a handle to a folder cannot be flushed there
		return noFolder{}, nil
	}
	return os.Open(folderOf(target))
}

func folderOf(target string) string {
	if dir, _ := filepath.Split(target); dir != "" {
		return dir
	}
	return "."
}

type syncCloser interface {
	Sync() error
	Close() error
}

type noFolder struct{}

func (noFolder) Sync() error  { return nil }
func (noFolder) Close() error { return nil }

// resolve follows symbolic links at path and returns the path of the file itself, which need not exist.
//
// The parts are put together without cleaning: if the folder itself was reached through a link, only the system knows
// what ".." means.
func resolve(path string) (string, error) {
	const maxLinks = 40 // as Linux's own limit, path_resolution(7)
	target := path
	for range maxLinks {
		dir, name := filepath.Split(target)
		if name == "" {
			return "", &fs.PathError{Op: "replace", Path: target, Err: fmt.Errorf("it names a folder: %w", fs.ErrInvalid)}
		}
		link, err := os.Readlink(target)
		if err != nil {
			return target, nil // no link, or nothing there; whatever else is wrong, Lstat will tell
		}
		target = link
		if !filepath.IsAbs(link) {
			target = dir + link
		}
	}
	return "", &fs.PathError{Op: "follow", Path: path, Err: fmt.Errorf("more than %d symbolic links: %w", maxLinks, fs.ErrInvalid)}
}
