// Package repository stores objects under the SHA-256 of their content, in a directory, for any number of goroutines and processes.
//
// An object never changes, so no reader and no writer needs a lock: two uploads of one object put the same bytes in place.
package repository

import (
	"context"
	"errors"
	"iter"
	"time"

	"example/turnstile/exercises/14_repository/objects"

	atomicreplace "example/turnstile/exercises/06_atomic_replace"
)

// An ID, an Object and the Options are those of package objects, which is given. ParseID is the only way from a text to an ID.
type (
	ID      = objects.ID
	Object  = objects.Object
	Options = objects.Options
)

// ParseID returns the ID that text names: 64 hexadecimal digits in lower case. Any other text is an error that matches fs.ErrInvalid.
func ParseID(text string) (ID, error) { return objects.ParseID(text) }

var (
	// ErrMismatch is matched by the error of an upload whose content is not what its sender announced.
	ErrMismatch = errors.New("the content is not what was announced")
	// ErrCorrupt is matched by the error of a reader whose object is damaged: the bytes on the disk do not have its ID.
	ErrCorrupt = errors.New("the object is damaged")
	// ErrQuota is matched by the error of an upload for which Options.Quota leaves no room (objects.Room).
	ErrQuota = objects.ErrQuota
	// ErrFull is matched by the error of an upload for which the disk, or the user's share of it, has no room. It wraps the kernel's.
	ErrFull = objects.ErrFull
	// ErrNotDurable is matched by the error of an upload whose object is in place, and which a power cut may take away again.
	ErrNotDurable = atomicreplace.ErrNotDurable
)

// A Repository is a directory that holds objects. Its methods may be called from many goroutines, and many processes may have it open.
// Nothing of this file needs editing: Put and PutExpected are in put.go, Get is in get.go.
type Repository struct {
	store *objects.Store
}

// Create makes a new repository in the directory at dir, which must exist: a mistyped path does not become a directory, and the error
// matches fs.ErrNotExist. If there is a repository, the error matches fs.ErrExist.
func Create(dir string, options Options) (*Repository, error) {
	return with(objects.Create(dir, options))
}

// Open opens the repository in the directory at dir. It makes nothing: where there is none, the error matches fs.ErrNotExist.
func Open(dir string, options Options) (*Repository, error) { return with(objects.Open(dir, options)) }

func with(store *objects.Store, err error) (*Repository, error) {
	if err != nil {
		return nil, err
	}
	return &Repository{store}, nil
}

// Close closes the directory. A Reader stays open.
func (r *Repository) Close() error { return r.store.Close() }

// Stat returns the object if it exists, without a look at its content. Otherwise the error matches fs.ErrNotExist.
func (r *Repository) Stat(ctx context.Context, id ID) (Object, error) { return r.store.Stat(ctx, id) }

// List yields each object, in the order of the IDs, and passes over leftovers and files of other programs. What cannot be listed is yielded
// as an error, and List goes on. When the context ends, its error is the last.
func (r *Repository) List(ctx context.Context) iter.Seq2[Object, error] { return r.store.List(ctx) }

// Remove removes the object; a Reader that has it open reads on. If there is none, the error matches fs.ErrNotExist.
//
// A Put that has returned nil does not protect the object from Remove: a program that removes what nobody needs must know which objects
// other programs are about to need.
func (r *Repository) Remove(ctx context.Context, id ID) error { return r.store.Remove(ctx, id) }

// Sweep removes what process crashes have left: temporary files to which no process has written for age, and says how many. Let age be far
// longer than the longest pause of an upload; 0 is for a program that knows that none is under way.
func (r *Repository) Sweep(ctx context.Context, age time.Duration) (removed int, err error) {
	return r.store.Sweep(ctx, age)
}
