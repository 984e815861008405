package repository

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

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
	room := r.store.Room()
	defer room.Release()
	temp := r.store.TempName()
	file, err := r.store.Root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, objects.Perm)
	if err != nil {
		return Object{}, err
	}
	inPlace := false
	defer func() { // for every way out, a panic of content too
		if !inPlace {
			_ = file.Close() // Windows removes no open file
			err = errors.Join(err, r.store.RemoveTemp(temp))
		}
	}()
	object, err := receive(ctx, file, room, content, want)
	if err != nil {
		return Object{}, err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return Object{}, err
	}
	dir, err := r.store.Directory(object.ID)
	if err != nil {
		return Object{}, err
	}
	defer dir.Close() //nolint:errcheck // it is open for reading
	if err := r.store.Rename(temp, object.ID); err != nil {
		return Object{}, err
	}
	inPlace = true // from here on the temporary name is free
	if err := dir.Sync(); err != nil {
		return Object{}, fmt.Errorf("%w: %w; put it again, or check the disk", ErrNotDurable, err)
	}
	return object, nil
}

// receive copies the content to the file, and returns what it was.
func receive(ctx context.Context, file, room io.Writer, content io.Reader, want *Object) (Object, error) {
	content = objects.Until(ctx, content)
	if want != nil && want.Size+1 > 0 { // not unknown, and not the largest int64
		content = io.LimitReader(content, want.Size+1) // one more tells that there is more
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(room, file, hash), content)
	if err != nil {
		return Object{}, err
	}
	object := Object{ID: ID(hash.Sum(nil)), Size: size}
	if want != nil && (object.ID != want.ID || want.Size >= 0 && size != want.Size) {
		return Object{}, fmt.Errorf("%w: %d bytes with the ID %v came, and perhaps more; send it again", ErrMismatch, size, object.ID)
	}
	return object, ctx.Err()
}
