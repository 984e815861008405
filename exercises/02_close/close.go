// Package close opens files for the length of one function call and reports every error on the way. Its functions may be called
// concurrently. They share nothing and lock nothing, so what concurrent calls for one file leave in it is not promised.
package close

import (
	"io/fs"
	"os"
)

// With opens the file at path as os.OpenFile does, calls use with it once, and closes it once before With itself is left. It does
// nothing else with the file.
//
// It closes on every exit path: use returns, with or without an error, panics, or ends its goroutine (runtime.Goexit, which
// t.FailNow calls). A panic goes on with the same value; the error of Close is lost then.
//
// If the file cannot be opened, With returns the error of os.OpenFile and does not call use. Otherwise its error wraps that of use and
// that of Close (errors.Is and errors.As see both), and no other. If use closes the file itself, With's own Close fails with
// fs.ErrClosed.
//
// A nil error does not mean that the bytes would survive a power cut: call f.Sync inside use for that.
func With(path string, flag int, perm fs.FileMode, use func(f *os.File) error) error {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return err
	}
	// TODO: this function has four exits once the file is open. Which of them pass the line that closes it?
	if err := use(f); err != nil {
		return err
	}
	f.Close() // TODO: Close returns an error. Who gets it?
	return nil
}
