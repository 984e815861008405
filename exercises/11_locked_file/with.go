package lockedfile

import (
	"context"
	"fmt"
	"io/fs"
	"os"
)

// With opens the file as OpenFile does, calls use, and closes the file on every way out of use: when it returns, panics, which goes on to
// the caller, or ends its goroutine. If the file cannot be opened and locked, use is not called. Every error is returned: of the opening,
// of use, of the closing.
//
// use may close the file, which is no error. It must not open the same file again, which would wait for itself.
func With(ctx context.Context, path string, flag int, perm fs.FileMode, use func(file *File) error) (err error) {
	file, err := OpenFile(ctx, path, flag, perm)
	if err != nil {
		return err
	}
	// TODO: on which ways out of this function is the file still locked?
	if err := use(file); err != nil {
		return err
	}
	return file.Close()
}

// Edit opens the file at path as OpenFile does with os.O_RDWR, calls change with all that it holds, and makes it hold what change returns.
// The file is locked from before it is read until after it is written: no Edit of any process or goroutine is lost.
//
// It is written in place, and no other file is made: its mode, its owner and its names stay. If it cannot be read, change is not called.
// If change returns an error, panics, or ends its goroutine, the file keeps its bytes. If the kernel refuses a write, the old content is
// put back if possible (package inplace). Every error is returned, as With does.
//
// change may alter old, append to it, return it, and keep it: the slice is its own. It may open other files, but not the same one again.
// ctx ends the wait for the lock, and nothing later.
func Edit(ctx context.Context, path string, change func(old []byte) (content []byte, err error)) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	content, err := change(old)
	if err != nil {
		return fmt.Errorf("edit %s: %w", path, err)
	}
	// TODO: what may the file hold by now? And what is left of it if the kernel refuses the write?
	return With(ctx, path, os.O_RDWR|os.O_TRUNC, 0, func(file *File) error {
		_, err := file.Write(content)
		return err
	})
}
