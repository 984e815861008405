// Package kept keeps the content of a document in memory, and knows whether the file still has it.
package kept

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"example/turnstile/exercises/13_document/deep"
	"example/turnstile/exercises/13_document/format"
)

// A Copy is what a file held when it was last read or written, decoded. Any number of goroutines may use it; each of them has the
// document's lock, shared or exclusive, around Get and Put.
//
// The content is shared by all who get it: it is only read, never changed. Own and Draft copy it for those who may change it.
type Copy[T any] struct {
	copier func(*T) *T
	last   atomic.Pointer[seen[T]]
}

// New returns a Copy that has nothing. For types that package deep cannot copy it never has.
func New[T any]() *Copy[T] { return &Copy[T]{copier: deep.Copier[T]()} }

type seen[T any] struct {
	generation int64
	info       fs.FileInfo
	content    *T
}

// Get returns the content, if the file at path is the one that Put has seen.
//
// Every program that follows the lock's rule writes a new generation into a new file. The generation alone would not do: a person may have
// put an older copy of the file in place, and other programs may since have counted up to the same number.
// So the file must also be the same one to the system, with the same size and the same time of modification.
func (c *Copy[T]) Get(path string) (content *T, generation int64, ok bool) {
	last := c.last.Load()
	if last == nil {
		return nil, 0, false
	}
	info, generation, err := look(path)
	if err != nil || generation != last.generation || !same(info, last.info) {
		return nil, 0, false
	}
	return last.content, generation, true
}

// Own returns a content that Get, or the decoder, has returned, as a value that its owner may change and keep.
func (c *Copy[T]) Own(content *T) *T {
	if c.copier == nil { // so it is not kept
		return content
	}
	return c.copier(content)
}

// Draft returns a copy of the content, whatever it is. Types that package deep cannot copy go through JSON.
func (c *Copy[T]) Draft(content *T) (draft *T, err error) {
	if c.copier == nil {
		_, draft, err = format.Encode("a copy", 1, content, nil)
		return draft, err
	}
	return c.copier(content), nil
}

// Put notes that the file at path has this content, which the caller gives away: nothing that is changed later may refer to any part of it.
func (c *Copy[T]) Put(path string, content *T, generation int64) {
	if c.copier == nil {
		return
	}
	info, found, err := look(path)
	if err != nil || found != generation { // another form than Encode writes: it is read anew each time
		c.Drop()
		return
	}
	c.last.Store(&seen[T]{generation, info, content})
}

// Drop forgets the content.
func (c *Copy[T]) Drop() { c.last.Store(nil) }

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

func look(path string) (_ fs.FileInfo, generation int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	var header [format.HeaderSize]byte
	n, err := io.ReadFull(file, header[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, err
	}
	generation, known := format.Generation(header[:n])
	if !known {
		return nil, 0, fmt.Errorf("%s: no generation where it is expected", path)
	}
	return info, generation, nil
}
