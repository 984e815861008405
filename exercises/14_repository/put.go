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

// Put stores what content holds, up to its io.EOF, and returns the object's ID and size. If the object exists, Put stores it anew: the
// copy that it finds may be damaged.
//
// The object does not exist until all its bytes are stored: a reader, a List, or the next program after a process crash finds it whole, or
// what was there before. When Put returns nil, a power cut does not take it away, as far as file system and disk do what fsync(2) promises;
// the names of new directories too (objects.Directory). Any number of Puts, of the same object too and in any number of processes, run at
// once: none waits for the content of another one, and none takes its file away. The memory that Put needs, a few MiB at most, does not
// depend on the size.
//
// Put fails if content fails (io.EOF itself is the end, an error that wraps it is not; an io.Reader need not repeat its error), if ctx
// ends, which Put asks before each Read of the content, if the quota has no room (ErrQuota), or if the kernel refuses a step; the error
// wraps the cause, and ErrFull too if the disk is full. Then the store holds what it held before, the quota is given back, and nothing is
// left open or behind, not even if content panics or ends its goroutine (runtime.Goexit); empty directories may be. The one exception is an
// error that matches ErrNotDurable: the object is in place. Put reports each refusal of a step that its promise rests on, the Close of its
// file and the removal of what it leaves among them, but not the Close of a directory. It never does without a step that was refused, and
// repeats none, except as Store.Rename does on Windows. Once Put has returned, it reads content no more: a Read that blocks keeps it. Only
// a process crash leaves a temporary file, for Sweep. Put does not sweep: an old temporary file may be that of a slow upload.
//
// Put writes in the directory that Open found, whatever becomes of the path, and never through a symbolic link that leads out of it. A file
// gets objects.Perm less the umask.
func (r *Repository) Put(ctx context.Context, content io.Reader) (Object, error) {
	object, err := r.put(ctx, content, nil)
	if err != nil {
		return Object{}, fmt.Errorf("put an object: %w", objects.Explain(err))
	}
	return object, nil
}

// PutExpected is Put for a content that its sender has announced. If the content has another ID or another size, the error matches
// ErrMismatch, and it is as if there had been no upload: an object that exists stays what it is. PutExpected reads at most 1 MiB more than
// want.Size bytes to see that. A negative want.Size is unknown; any other is a claim, up to math.MaxInt64, for which PutExpected takes
// nothing in advance. If the quota, too, has no room for what comes, the error matches ErrMismatch or ErrQuota.
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
