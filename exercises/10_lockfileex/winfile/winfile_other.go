//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package winfile

import (
	"errors"
	"io/fs"
)

type file struct{}

func open(string, int, fs.FileMode, uint32, uint32) (file, error) {
	return file{}, errors.ErrUnsupported
}

func (file) handle() Handle                     { return 0 }
func (file) size() (int64, error)               { return 0, errors.ErrUnsupported }
func (file) readAt([]byte, int64) (int, error)  { return 0, errors.ErrUnsupported }
func (file) writeAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
func (file) truncate(int64) error               { return errors.ErrUnsupported }
func (file) close() error                       { return errors.ErrUnsupported }

func nameOf(Handle) string        { return "" }
func remove(string) error         { return errors.ErrUnsupported }
func rename(string, string) error { return errors.ErrUnsupported }

func lockFileEx(Handle, uint32, uint32, uint32, uint32, *Overlapped) error {
	return errors.ErrUnsupported
}

func unlockFileEx(Handle, uint32, uint32, uint32, *Overlapped) error { return errors.ErrUnsupported }

func abandon(Handle, *Overlapped) {}

func getOverlappedResult(Handle, *Overlapped, *uint32, bool) error { return errors.ErrUnsupported }
