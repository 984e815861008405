// Package close gives a file back, whatever happens while it is open, and tells what happened.
package close

import (
	"io/fs"
	"os"
)

// With opens the file at path as os.OpenFile does, gives it to use, and closes it when use is done.
//
// It closes on every way out: when use returns, when it panics, and when it ends its goroutine (runtime.Goexit, which is
// how t.FailNow leaves). A panic goes on after the close. os.Exit, log.Fatal and a crash run nothing: then the operating system closes.
//
// The file belongs to With. A use that closes it has its work done twice, and With says so: the second Close yields
// fs.ErrClosed. After With has returned, the file must not be used any more.
//
// Errors: if the file cannot be opened, use is not called and the error is that of os.OpenFile. Else errors.Is and
// errors.As find both use's error and Close's in what With returns. A panic has no room for a second error: Close's is then lost.
//
// A nil error means that the operating system has taken everything. It does not mean that a disk has it: that is f.Sync's
// promise, to be asked for inside use.
func With(path string, flag int, perm fs.FileMode, use func(f *os.File) error) error {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return err
	}
	// TODO: count the ways out of this function, and those on which the file is closed.
	if err := use(f); err != nil {
		return err
	}
	// TODO: Close has something to say.
	f.Close()
	return nil
}
