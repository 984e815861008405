// Package close opens files for the length of one function call and reports every error on the way. Its functions may be called
// concurrently; they take no lock and wait for none, so what concurrent calls for one file leave in it is not promised.
package close

import (
	"errors"
	"io/fs"
	"os"
)

// With opens the file at path as os.OpenFile does, whatever kind of file it is, calls use with it once, and closes the file
// exactly once, before With itself is left. With writes nothing to the file and never removes it.
//
// It closes the file on every exit path: when use returns, with or without an error, when use panics, and when use ends its
// goroutine (runtime.Goexit, which t.FailNow calls). A panic goes on with the same value. After os.Exit, log.Fatal or a kill
// no Go code runs any more; the kernel closes the file then.
//
// If the file cannot be opened, With does not call use, tries nothing else, and returns the error of os.OpenFile, in which
// errors.As finds an *fs.PathError. Otherwise errors.Is and errors.As find both the error of use and the error of Close in what
// With returns, whatever they are and whatever the file was opened for. With never retries a Close. After a panic the error of
// Close is lost.
//
// The file belongs to With. If use closes it, With returns an error that matches fs.ErrClosed and closes nothing else;
// otherwise With adds no such error. The file must not be used after With has returned.
//
// A nil error means that the kernel has accepted every byte, not that the bytes would survive a power cut: call f.Sync inside
// use for that.
func With(path string, flag int, perm fs.FileMode, use func(f *os.File) error) (err error) {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return err
	}
	// The result has a name, so that the deferred function can still add to it.
	defer func() { err = errors.Join(err, f.Close()) }()

	return use(f)
}
