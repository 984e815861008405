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

// With opens the file as OpenFile does, calls use, and closes the file when use has returned or panicked, or has ended its goroutine. A
// panic goes on to the caller. Every error is returned: of the opening, of use, of the closing. If the file cannot be opened and
// locked, use is not called.
//
// use may close the file; that is no error then, and hides none of its own. It must not open the same file again, which would wait for
// itself.
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

// Edit calls change with all that the file at path holds, and makes the file hold what change returns. The file is locked exclusively from
// before it is read until after it is written: no Edit is lost. What is read and written is the file that is locked, even if path names
// another one by then. Any number of processes and goroutines may call it.
//
// The file must exist: if it does not, the error matches fs.ErrNotExist. It is written in place, and no other file is made, not even for
// a moment: its mode, its owner and its names stay, and its directory need not be writable. If the kernel refuses a write, the old
// content is put back if possible (package inplace). If change returns an error, panics, or ends its goroutine, the file keeps its
// bytes. Every error is returned, as With does.
//
// change may alter old, return it, and keep it: the slice is its own. It must not open the same file, which would wait for itself. ctx
// ends the wait for the lock, and nothing later.
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
