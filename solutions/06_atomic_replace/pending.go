// Package atomicreplace replaces whole files so that no reader, no process crash and no power cut ever finds half of one.
package atomicreplace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"example/turnstile/exercises/06_atomic_replace/busy"
	"example/turnstile/exercises/06_atomic_replace/directory"
	"example/turnstile/exercises/06_atomic_replace/owner"
	"example/turnstile/exercises/06_atomic_replace/place"
)

// ErrNotDurable is matched by every error that Commit returns once it has replaced the file, whatever failed then: a power cut may undo
// the replacement. After any other error of Commit the file is as it was.
var ErrNotDurable = errors.New("the new content is in place, but a power cut may bring the old one back")

// A Pending is the new content of a file on its way: written piece by piece, not yet in place. It belongs to one goroutine at a time.
//
// The caller of Create calls Commit or Discard, which end it even if they fail. Then nothing of it stays open, in this process or in a
// child that was started meanwhile (close-on-exec). Write and Commit change nothing any more and fail with an error that matches
// fs.ErrClosed. Discard does nothing and returns nil, so that it can be deferred: by then the temporary name may be another program's.
//
// What a process that dies before leaves is for Sweep. So is a temporary file that the kernel refuses to remove: the error of Create,
// Commit or Discard then wraps that refusal too.
type Pending struct {
	where  place.Place
	file   *os.File
	dir    *directory.Directory
	failed error // the first error of Write
	done   bool  // Commit or Discard has ended it
}

// Create begins a new content for the file at path, in a temporary file. Until Commit, the file at path stays what it is; if there is
// none, none appears.
//
// A new file gets perm, less the umask, as from os.WriteFile; the umask of the process is left alone. An existing file keeps the
// permission bits, the owner and the group that Create finds, whatever perm says, and as far as this process may set them; where the
// group cannot be kept, the new group gets no more than all other users have (package owner).
//
// The temporary file is in the target's directory, under a name that no other call has, dead or alive, and it is made exclusively (O_EXCL
// or O_TMPFILE). From the first moment only its owner may read it, and those who may read the old file or, if there is none, a new one
// with perm.
//
// Package place says how path is understood: symbolic links at its end are followed and stay, what is not a regular file is refused, and
// a Chdir before Commit changes nothing. Create makes no directories. If the kernel refuses a step, the error wraps the refusal, nothing
// has changed, and nothing is left behind or open: there is no other way to write that Create falls back on.
//
// Not kept: hard links (the other names keep the old content). Not promised to stay: extended attributes, the special bits of the mode,
// and ACLs; a default ACL of the directory may let more users in. On Unix a file without write permission is replaced all the same,
// because a rename asks only the directory, which must be readable.
func Create(path string, perm fs.FileMode) (*Pending, error) {
	p, err := create(path, perm)
	if err != nil {
		return nil, fmt.Errorf("replace %s: %w; the file is as it was", path, err)
	}
	return p, nil
}

func create(path string, perm fs.FileMode) (*Pending, error) {
	where, err := place.Find(path)
	if err != nil {
		return nil, err
	}
	// Commit needs the open directory last. If it cannot be opened, let it fail now, while nothing has changed.
	dir, err := directory.Open(where.Dir())
	if err != nil {
		return nil, err
	}
	if where.Old != nil {
		perm = where.Old.Mode().Perm() & 0o700 // until the file has the old one's group, its own may be another
	}
	file, err := os.OpenFile(where.TempName(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	p := &Pending{where: where, file: file, dir: dir}
	if err := p.inherit(); err != nil {
		return nil, errors.Join(err, p.Discard())
	}
	return p, nil
}

// inherit gives the temporary file what belongs to the old file and not to its name. It comes before the first byte: what a process
// crash leaves must not show a secret to more people.
func (p *Pending) inherit() error {
	if p.where.Old == nil {
		return nil
	}
	perm, err := owner.Keep(p.file, p.where.Old)
	if err != nil {
		return err
	}
	return p.file.Chmod(perm)
}

// Write adds data to the new content, and keeps no part of the slice. After a Write has failed, Commit fails too.
func (p *Pending) Write(data []byte) (int, error) {
	n, err := p.file.Write(data)
	if err != nil && p.failed == nil {
		p.failed = err
	}
	return n, err
}

// Commit puts the new content in place, in one step: a reader that opens the path, even after a process crash or a power cut, finds the
// old content or the new one, whole. Once Commit has returned nil, it is the new one, with its mode and owner. Power cuts are survived as
// far as file system and disk do what fsync(2) promises; the disk is asked for every Commit, whatever the file held before. If another
// program has replaced or removed the file since Create, the last Commit wins.
//
// Commit fails if a Write failed or the kernel refuses a step, and the error wraps the refusal. No error of an fsync is passed over, not
// even one that says that the file system has none. The temporary file is gone then, and the file is as it was unless the error matches
// ErrNotDurable.
//
// Windows cannot bring a name to the disk (package directory), promises no atomicity for a rename (os.Rename), and refuses it while
// another program has the file open, for which Commit waits (package busy).
func (p *Pending) Commit() error {
	if p.done {
		return fmt.Errorf("replace %s: %w; Commit or Discard has ended this one", p.where.Path, fs.ErrClosed)
	}
	err := p.failed
	if err == nil {
		err = p.file.Sync() // once only: after a failed fsync the kernel may call the lost pages clean (NOTES)
	}
	if closeErr := p.file.Close(); err == nil { // Windows renames and removes no open file
		err = closeErr
	}
	if err == nil {
		err = busy.Rename(p.file.Name(), p.where.Path)
	}
	if err != nil {
		return fmt.Errorf("replace %s: %w; the file is as it was", p.where.Path, errors.Join(err, p.Discard()))
	}
	// The new content is in place. From here on the temporary name is free, or already another writer's: no more Remove.
	p.done = true
	err = p.dir.Sync()
	_ = p.dir.Close()
	if err != nil {
		return fmt.Errorf("replace %s: %w: %w; write it again, or check the disk", p.where.Path, ErrNotDurable, err)
	}
	return nil
}

// Discard gives the new content up: the file stays as it was. Nil means that the temporary file is gone, even if Discard did not find it
// any more. If the close is refused, Discard removes it all the same.
func (p *Pending) Discard() error {
	if p.done {
		return nil
	}
	p.done = true
	_ = p.file.Close() // no reader wants these bytes any more, and Windows removes no open file
	_ = p.dir.Close()
	if err := os.Remove(p.file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("discard: %w; Sweep will find it", err)
	}
	return nil
}
