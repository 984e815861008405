package winfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/windows"

	"example/turnstile/internal/lab/wine"
)

// The types and errors of Windows.
type (
	Handle     = windows.Handle
	Overlapped = windows.Overlapped
)

// Errors of Windows.
const (
	ERROR_ACCESS_DENIED      = windows.ERROR_ACCESS_DENIED
	ERROR_INVALID_HANDLE     = windows.ERROR_INVALID_HANDLE
	ERROR_NOT_ENOUGH_MEMORY  = windows.ERROR_NOT_ENOUGH_MEMORY
	ERROR_SHARING_VIOLATION  = windows.ERROR_SHARING_VIOLATION
	ERROR_LOCK_VIOLATION     = windows.ERROR_LOCK_VIOLATION
	ERROR_INVALID_PARAMETER  = windows.ERROR_INVALID_PARAMETER
	ERROR_DISK_FULL          = windows.ERROR_DISK_FULL
	ERROR_NOT_LOCKED         = windows.ERROR_NOT_LOCKED
	ERROR_INVALID_LOCK_RANGE = windows.ERROR_INVALID_LOCK_RANGE
	ERROR_IO_INCOMPLETE      = windows.ERROR_IO_INCOMPLETE
	ERROR_IO_PENDING         = windows.ERROR_IO_PENDING
	ERROR_NOT_SUPPORTED      = windows.ERROR_NOT_SUPPORTED
)

// names has the paths of the open handles, which Intercept needs.
var names sync.Map

func nameOf(h Handle) string {
	name, _ := names.Load(h)
	text, _ := name.(string)
	return text
}

type file struct {
	data *os.File // nil for an overlapped handle: Go's poller would take the end of our requests for that of its own
	raw  *rawHandle
}

type rawHandle struct{ handle Handle }

func open(path string, flag int, perm fs.FileMode, share, flags uint32) (f file, err error) {
	if flags == 0 && share == FILE_SHARE_READ|FILE_SHARE_WRITE {
		f.data, err = os.OpenFile(path, flag, perm)
	} else {
		f, err = create(path, flag, share, flags)
	}
	if err == nil {
		names.Store(f.handle(), path)
	}
	return f, err
}

func create(path string, flag int, share, flags uint32) (f file, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return f, err
	}
	access := map[int]uint32{
		os.O_RDONLY: windows.GENERIC_READ, os.O_WRONLY: windows.GENERIC_WRITE, os.O_RDWR: windows.GENERIC_READ | windows.GENERIC_WRITE,
	}[flag&(os.O_RDONLY|os.O_WRONLY|os.O_RDWR)]
	mode := uint32(windows.OPEN_EXISTING)
	switch {
	case flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		mode = windows.CREATE_NEW
	case flag&os.O_CREATE != 0:
		mode = windows.OPEN_ALWAYS
	}
	h, err := windows.CreateFile(name, access, share, nil, mode, windows.FILE_ATTRIBUTE_NORMAL|flags, 0)
	if err != nil {
		return f, err
	}
	if flags&FILE_FLAG_OVERLAPPED == 0 {
		return file{data: os.NewFile(uintptr(h), path)}, nil
	}
	f.raw = &rawHandle{h}
	runtime.SetFinalizer(f.raw, func(r *rawHandle) { _ = windows.CloseHandle(r.handle) })
	return f, nil
}

func (f file) handle() Handle {
	if f.data == nil {
		return f.raw.handle
	}
	return Handle(f.data.Fd())
}

func (f file) size() (int64, error) {
	if f.data == nil {
		return 0, errOverlapped
	}
	info, err := f.data.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

var errOverlapped = fmt.Errorf("%w: this file was opened with FILE_FLAG_OVERLAPPED, for locks alone", errors.ErrUnsupported)

func (f file) readAt(p []byte, offset int64) (int, error) {
	if f.data == nil {
		return 0, errOverlapped
	}
	return f.data.ReadAt(p, offset)
}

func (f file) writeAt(p []byte, offset int64) (int, error) {
	if f.data == nil {
		return 0, errOverlapped
	}
	return f.data.WriteAt(p, offset)
}

func (f file) truncate(size int64) error {
	if f.data == nil {
		return errOverlapped
	}
	return f.data.Truncate(size)
}

func (f file) close() error {
	if f.data != nil {
		names.Delete(f.handle())
		return f.data.Close()
	}
	if f.raw.handle == windows.InvalidHandle {
		return fs.ErrClosed
	}
	names.Delete(f.raw.handle)
	err := windows.CloseHandle(f.raw.handle)
	f.raw.handle = windows.InvalidHandle
	runtime.SetFinalizer(f.raw, nil)
	return err
}

func remove(path string) error     { return os.Remove(path) }
func rename(from, to string) error { return os.Rename(from, to) }

// pending keeps the structures of pending requests where they are: the system writes to them, and Go moves what is on a stack. Each has
// the two halves of the request's length.
var pending sync.Map

func lockFileEx(h Handle, flags, reserved, low, high uint32, overlapped *Overlapped) error {
	err := windows.LockFileEx(h, flags, reserved, low, high, overlapped)
	if errors.Is(err, ERROR_IO_PENDING) {
		pending.Store(overlapped, [2]uint32{low, high})
	}
	return err
}

func unlockFileEx(h Handle, reserved, low, high uint32, overlapped *Overlapped) error {
	err := windows.UnlockFileEx(h, reserved, low, high, overlapped)
	if errors.Is(err, ERROR_LOCK_VIOLATION) && wine.Present() {
		return ERROR_NOT_LOCKED
	}
	return err
}

// abandon ends a pending request without a lock.
func abandon(h Handle, overlapped *Overlapped) {
	length, ok := pending.Load(overlapped)
	if !ok {
		return
	}
	_ = windows.CancelIoEx(h, overlapped)
	var done uint32
	if getOverlappedResult(h, overlapped, &done, true) == nil { // it had the lock already
		bytes := length.([2]uint32)
		_ = unlockFileEx(h, 0, bytes[0], bytes[1], overlapped)
	}
}

func getOverlappedResult(h Handle, overlapped *Overlapped, done *uint32, wait bool) error {
	err := windows.GetOverlappedResult(h, overlapped, done, wait)
	if !errors.Is(err, ERROR_IO_INCOMPLETE) {
		pending.Delete(overlapped)
	}
	return err
}
