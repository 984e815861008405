package lockedfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"example/turnstile/exercises/11_locked_file/inplace"
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
	defer func() {
		if closeErr := file.Close(); !errors.Is(closeErr, fs.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}()
	return use(file)
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
	return With(ctx, path, os.O_RDWR, 0, func(file *File) error {
		old, err := io.ReadAll(file)
		if err != nil {
			return err
		}
		content, err := change(bytes.Clone(old))
		if err != nil {
			return fmt.Errorf("edit %s: %w", path, err)
		}
		return inplace.Rewrite(file.osFile, old, content)
	})
}
