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
// that. What is not a regular file (a symbolic link, a pipe), or is reached through a link that leads out of the directory that Open found,
// is an error. If the file is empty and the object is not, that is ErrCorrupt at once: a caller that counts bytes makes no Read. A Get that
// fails leaves nothing open.
//
// The Reader goes on with the same object, whatever Put and Remove do meanwhile, and also when ctx, which is Get's alone, has ended. The
// memory that it needs does not depend on the size.
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

// Size returns how many bytes the object's file had when Get opened it, whatever becomes of the file, and after Close too.
func (r *Reader) Size() int64 { return r.object.Size }

// Read is that of an io.Reader. If the bytes that it hands out do not have the object's ID, Read, or Get before it, fails with an error
// that matches ErrCorrupt, and so does each later Read. No earlier verification counts, and no time of the file: a disk changes bytes and
// leaves the time. The bytes before the error are not to be trusted; the last byte of a damaged object is never handed out, so that a
// caller who counts bytes and does not wait for io.EOF cannot miss the error. If the kernel refuses a read, the error wraps that, and is
// neither io.EOF nor ErrCorrupt; a later Read fails too, or goes on where that one began.
func (r *Reader) Read(p []byte) (int, error) {
	return r.file.Read(p) // TODO: the ID is the hash of the content. Who computes it?
}

// Close gives the handle back. It does not verify what was not read. After Close, Read and Close fail, and the error matches fs.ErrClosed.
// But a Read of an object that was found damaged goes on to match ErrCorrupt, and one after a refusal may return that again.
func (r *Reader) Close() error { return r.file.Close() }
