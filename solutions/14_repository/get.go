package repository

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
)

// A Reader reads an object from its beginning, for one goroutine, and verifies it meanwhile. Close it.
type Reader struct {
	object Object
	file   *os.File
	hash   hash.Hash
	read   int64
	failed error // what each Read returns from now on
}

// Get opens an object. If there is none, the error matches fs.ErrNotExist; if the kernel refuses it, or ctx has ended, the error wraps
// that. What is not a regular file, or lies outside the directory that Open found, is an error. An empty file is ErrCorrupt at once, unless
// the object is empty: a caller that counts bytes makes no Read. A Get that fails leaves nothing open.
//
// The Reader goes on with the same object, whatever Put and Remove do meanwhile, and when ctx has ended. Its memory does not depend on the
// size.
func (r *Repository) Get(ctx context.Context, id ID) (*Reader, error) {
	reader, err := r.get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("get object %v: %w", id, err)
	}
	return reader, nil
}

func (r *Repository) get(ctx context.Context, id ID) (*Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, size, err := r.store.OpenFile(id)
	if err != nil {
		return nil, err
	}
	if size == 0 && id != sha256.Sum256(nil) { // a caller that counts makes no Read
		_ = file.Close() // nothing was read from it
		return nil, fmt.Errorf("%w; put it again from a good copy, or remove it", ErrCorrupt)
	}
	return &Reader{object: Object{ID: id, Size: size}, file: file, hash: sha256.New()}, nil
}

// Size returns how many bytes the object's file had when Get opened it.
func (r *Reader) Size() int64 { return r.object.Size }

// Read is that of an io.Reader. The last of Size bytes is handed out only if all of them have the object's ID; otherwise the error matches
// ErrCorrupt, now and for each later Read, so that a caller who counts bytes and does not wait for io.EOF cannot miss it. It is the bytes
// handed out that are verified: a disk changes them at any time. A file that has grown since Get may count as damaged; its further bytes
// are never handed out. If the kernel refuses a read, the error wraps that, and is neither io.EOF nor ErrCorrupt; a later Read fails too,
// or goes on where that one began.
func (r *Reader) Read(p []byte) (int, error) {
	if r.failed != nil {
		return 0, r.failed
	}
	n, err := r.file.Read(p)
	r.hash.Write(p[:n])
	r.read += int64(n)
	switch {
	case err != nil && err != io.EOF:
		r.failed = fmt.Errorf("read object %v: %w", r.object.ID, err)
	case r.read < r.object.Size && err == nil:
		return n, nil
	case r.read != r.object.Size || ID(r.hash.Sum(nil)) != r.object.ID:
		r.failed = fmt.Errorf("read object %v: %w; put it again from a good copy, or remove it", r.object.ID, ErrCorrupt)
	default:
		return n, err // these are the last bytes, or io.EOF after them, and all are right
	}
	return 0, r.failed
}

// Close gives the handle back. After it, Read and Close fail, and the error matches fs.ErrClosed. But Read repeats ErrCorrupt, and may
// repeat another error that is not io.EOF.
func (r *Reader) Close() error { return r.file.Close() }
