package repository

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"example/turnstile/exercises/14_repository/objects"
)

// Put stores what content holds, from where it stands to its io.EOF, and returns the ID and size of that. It calls content's Read and no
// other method, and has returned from the last Read when it returns. It replaces any file with the object's name: a copy may be damaged.
//
// The object appears whole, by one step: a reader, or the next program after a process crash, finds all of it, or what was there before.
// After nil, a power cut does not take it away, as far as file system and disk do what fsync(2) promises. Any number of Puts, of one object
// too, run at once in any number of processes, and none waits for another one's content. A few MiB of memory do for any size.
//
// The error wraps its cause: what content's Read returned (io.EOF itself is the end, an error that wraps it is not), ctx.Err(), which Put
// asks before each Read, ErrQuota, or the kernel's reason, with ErrFull if the disk is full. A refused fsync or Close of its file is an
// error, which no second try mends, and nothing replaces a rename. After an error, and if content panics or ends its goroutine
// (runtime.Goexit), the store holds what it held before, the quota is given back, and nothing is left open. The one exception is an error
// that matches ErrNotDurable: the object is in place.
//
// Put makes the directories that are missing, and removes nothing but its own temporary file, or reports that it could not: old files may
// be those of slow uploads, and another Put may need an empty directory. It works in the directory that Open found, whatever becomes of the
// path, and never through a symbolic link that leads out of it. A file gets objects.Perm less the umask.
func (r *Repository) Put(ctx context.Context, content io.Reader) (Object, error) {
	object, err := r.put(ctx, content, nil)
	if err != nil {
		return Object{}, fmt.Errorf("put an object: %w", objects.Explain(err))
	}
	return object, nil
}

// PutExpected is Put for a content that its sender has announced. If another ID or size comes, the error matches ErrMismatch, or ErrQuota
// if the quota leaves no room. It reads at most 1 MiB more than want.Size. A negative want.Size is unknown; any other is a claim, up to
// math.MaxInt64, which reserves neither quota nor disk.
func (r *Repository) PutExpected(ctx context.Context, want Object, content io.Reader) error {
	if _, err := r.put(ctx, content, &want); err != nil {
		return fmt.Errorf("put object %v: %w", want.ID, objects.Explain(err))
	}
	return nil
}

// put stores the content. If want is not nil, it must be that.
func (r *Repository) put(ctx context.Context, content io.Reader, want *Object) (_ Object, err error) {
	var object Object
	if want != nil {
		object = *want // TODO: who compares the bytes with what was announced? And the size, which may be unknown?
	} else {
		// TODO: an upload of 10 GB is in memory now.
		data, err := io.ReadAll(content)
		if err != nil {
			return Object{}, err
		}
		object = Object{ID: sha256.Sum256(data), Size: int64(len(data))}
		content = bytes.NewReader(data)
	}
	room := r.store.Room()
	defer room.Release()
	// TODO: where does this path lead if the program changes its directory, or objects/ab is a link? And whose file is PATH.tmp?
	path := filepath.Join(r.store.Root.Name(), objects.Name(object.ID))
	if err := os.MkdirAll(filepath.Dir(path), objects.DirPerm); err != nil {
		return Object{}, err
	}
	defer func() {
		if err != nil { // a failed upload leaves nothing behind
			_ = os.Remove(path + ".tmp")
			_ = os.Remove(path) // TODO: is this ours?
		}
	}()
	file, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, objects.Perm)
	if err != nil {
		return Object{}, err
	}
	// TODO: what does a nil from here promise? And if a step fails, or ctx ends?
	if _, err := io.Copy(io.MultiWriter(room, file), content); err != nil {
		return Object{}, err
	}
	file.Close()
	return object, os.Rename(path+".tmp", path)
}
