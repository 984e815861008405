// Package atomicreplace replaces whole files so that no reader, no process crash and no power cut ever finds half of one.
package atomicreplace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"example/turnstile/exercises/06_atomic_replace/place"
)

// ErrNotDurable is matched by the error of a Commit that did replace the file, and then could not make sure that the replacement
// survives a power cut. Every other error of Commit means that the file is as it was.
var ErrNotDurable = errors.New("the new content is in place, but a power cut may bring the old one back")

// A Pending is the new content of a file on its way: written piece by piece, not yet in place. It belongs to one goroutine at a time.
//
// The caller of Create ends it with Commit or Discard, and then nothing of it stays open, in this process or in a child that was started
// meanwhile (close-on-exec). A deferred Discard does for every way out, since after Commit it does nothing. A process that dies before
// leaves a temporary file, for Sweep.
type Pending struct {
	where  place.Place
	file   *os.File
	failed error // the first error of Write
	done   bool  // Commit or Discard has ended it
}

// Create begins a new content for the file at path. Until Commit, that file stays what it is; if there is none, none appears.
//
// A new file gets perm, less the umask, as from os.WriteFile; the umask of the process is left alone. An existing file keeps its
// permission bits, whatever perm says, and its owner and group as far as this process may set them; where the group cannot be kept, the
// new group gets no more than all other users have (package owner does both). They are those that Create finds; a change of them between
// Create and Commit may be lost. At no moment may a user read the temporary file who may not read the old file, or a new one with perm,
// except the writer. It is in the target's directory, under a name that no other call has, dead or alive, not even one of a dead process
// with this one's number. Create makes it exclusively (O_EXCL or O_TMPFILE): what has that name already is never opened.
//
// Package place says how path is understood: symbolic links at its end are followed and stay, what is not a regular file is refused,
// and a Chdir before Commit changes nothing. Create makes no directories. If the kernel refuses a step, the error wraps the
// refusal. On error nothing has changed, nothing is left behind or open, and there is no other way to write that Create falls back on.
//
// Not kept: hard links (the other names keep the old content). Not promised to stay: extended attributes, ACLs, and the special bits of
// the mode. On Unix a file without write permission is replaced all the same, because a rename asks only the directory. The directory
// must be readable, or Create fails.
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
	// TODO: this line empties the only good copy. What does a reader, or a process crash, find from here to the last byte?
	file, err := os.OpenFile(where.Path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return nil, err
	}
	// TODO: a new file has no mode, owner and group but those that you give it. (As long as you write to the old one, they stay.)
	return &Pending{where: where, file: file}, nil
}

// Write adds data to the new content, and keeps no part of the slice. After a Write has failed, Commit fails too.
func (p *Pending) Write(data []byte) (int, error) {
	n, err := p.file.Write(data)
	if err != nil && p.failed == nil {
		p.failed = err
	}
	return n, err
}

// Commit puts the new content in place, in one step: a reader that opens the path, even after a process crash, finds the old content or
// the new one, whole. When it returns nil, the same holds after a power cut, and it is the new content, with its mode and owner, as far as
// file system and disk do what fsync(2) promises. The disk is asked every time, whatever the file held before. If another writer has
// committed since Create, this content replaces that one: the last Commit wins.
//
// Commit fails if a Write failed, or the kernel refuses a step, and the error wraps each refusal. No error of an fsync is passed over, not
// even one that says that the file system has none, and no refusal is tried again for ever. The file is then as it was and the temporary
// file is gone, as after Discard, with one exception: an error that matches ErrNotDurable. After a Commit or a Discard, even one that
// failed, Write and Commit fail with an error that matches fs.ErrClosed and change nothing.
//
// Windows cannot bring a name to the disk (package directory), promises no atomicity for a rename (os.Rename), and refuses it while
// another program has the file open, for which Commit waits (package busy).
func (p *Pending) Commit() error {
	if p.done {
		return fmt.Errorf("replace %s: %w; Commit or Discard has ended this one", p.where.Path, fs.ErrClosed)
	}
	p.done = true
	// TODO: "written" means "in the memory of this machine". Nothing asks the disk, and nothing asks what has failed, then or now.
	p.file.Close()
	return nil
}

// Discard gives the new content up and removes it: the file stays as it was. Nil means that the temporary file is gone, even if Discard
// did not find it any more. An error means that it may still exist, and wraps the kernel's; a refused close keeps Discard from nothing.
// After a Commit or a Discard, even one that failed, it does nothing and returns nil: by then the name may be another program's.
func (p *Pending) Discard() error {
	if p.done {
		return nil
	}
	p.done = true
	// TODO: the caller gives these bytes up. Where are they?
	return p.file.Close()
}
