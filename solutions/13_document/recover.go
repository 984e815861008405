package document

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/exercises/13_document/files"
	"example/turnstile/exercises/13_document/format"
)

// A Recovery says what Recover has done, beside an error too. The zero Recovery means nothing.
type Recovery struct {
	// Removed are the paths of temporary files that crashes had left.
	Removed []string
	// Aside is the name that a damaged document got; empty if it was not damaged.
	Aside string
	// Restored is the new generation of a document that was brought back from the backup; 0 if none was.
	Restored int64
}

// Recover puts in order what a process crash, or a program without the lock, has left: call it when a program starts, or when View has
// failed with a *CorruptError.
//
// It removes the temporary files that crashes have left. If the document is damaged or missing, and the backup is a good one, Recover makes
// its content the document again: what the lost generation has changed is lost. The new generation is the backup's and two more, so that no
// other content gets the number of the lost one. A damaged document keeps its bytes, under the name PATH.damaged-1, or the next number that
// is free, and is at path until the new one is. A missing one gets the backup's mode. The backup stays what it is.
//
// A good document stays what it is. So does one of a newer version and, without a good backup, a damaged or missing one: Recover then
// returns the error of View, which tells of the backup in words alone. A second Recover finds nothing to do. If the first failed, the next
// sets the same document aside once more only where there are no hard links. In what it writes and when, in what ctx limits, and in what
// its errors mean, Recover is like Update.
func (d *Document[T]) Recover(ctx context.Context) (done Recovery, err error) {
	at, held, err := d.lock(ctx, filelock.Exclusive)
	if err != nil {
		return Recovery{}, fmt.Errorf("recover: %w", err)
	}
	defer func() { err = release(held, err) }()
	if done.Removed, err = files.Sweep(at); err != nil {
		return done, fmt.Errorf("recover: %w", err)
	}
	_, _, damage := d.load(at)
	var corrupt *CorruptError
	if damage == nil {
		return done, nil
	}
	if !errors.As(damage, &corrupt) && !errors.Is(damage, fs.ErrNotExist) {
		return done, fmt.Errorf("recover: %w", damage)
	}
	data, err := os.ReadFile(backup(at))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, fmt.Errorf("recover: %w; and the backup: %w", damage, err)
	}
	var generation int64
	var content *T
	if err == nil {
		generation, content, err = format.Decode(backup(at), data, d.validate)
	}
	if err != nil { // what the backup is must not be mistaken for what the document is: missing, damaged or newer
		return done, fmt.Errorf("recover: %w; and the backup: %v", damage, err)
	}
	if corrupt != nil {
		done.Aside, err = files.SetAside(at.Path)
	} else {
		at.Old, err = os.Stat(backup(at)) // the document that was lost had the mode and the owner of its backup
	}
	if err != nil {
		return done, fmt.Errorf("recover: %w", err)
	}
	err = d.save(at, generation+2, content, "")
	if err == nil || errors.Is(err, ErrSaved) {
		done.Restored = generation + 2
	}
	if err != nil {
		return done, fmt.Errorf("recover: %w", err)
	}
	return done, nil
}
