package filelock

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// The lock is on all bytes that a file can have, from the first: then it excludes the locks of other programs, whichever bytes they choose.
const (
	start    = 0
	allBytes = ^uint32(0) // in each half of the number of bytes
)

func lock(descriptor uintptr, m Mode, wait bool) error {
	var flags uint32
	if m == Exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	if !wait {
		flags |= windows.LOCKFILE_FAIL_IMMEDIATELY
	}
	handle, at := windows.Handle(descriptor), &windows.Overlapped{Offset: start}
	err := windows.LockFileEx(handle, flags, 0, allBytes, allBytes, at)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.ERROR_IO_PENDING): // the file was opened for overlapped calls: this one goes on after it has returned
		var n uint32
		_ = windows.CancelIoEx(handle, at)
		if windows.GetOverlappedResult(handle, at, &n, true) == nil {
			_ = unlock(descriptor)
		}
		return fmt.Errorf("LockFileEx: %w: the file is open with FILE_FLAG_OVERLAPPED; open it with os.OpenFile", errors.ErrUnsupported)
	case !wait && errors.Is(err, windows.ERROR_LOCK_VIOLATION):
		return fmt.Errorf("%w (%w); try again later, or wait", ErrLocked, err)
	case errors.Is(err, windows.ERROR_INVALID_FUNCTION), errors.Is(err, windows.ERROR_NOT_SUPPORTED):
		return fmt.Errorf("LockFileEx: %w (%w); choose a file on a local disk", errors.ErrUnsupported, err)
	default:
		return fmt.Errorf("LockFileEx: %w; the file must be open for reading or for writing", err)
	}
}

func unlock(descriptor uintptr) error {
	return windows.UnlockFileEx(windows.Handle(descriptor), 0, allBytes, allBytes, &windows.Overlapped{Offset: start})
}

func (h *Handle) duplicate() (descriptor uintptr, err error) {
	var duplicate windows.Handle
	self := windows.CurrentProcess()
	closed := h.raw.Control(func(original uintptr) {
		err = windows.DuplicateHandle(self, windows.Handle(original), self, &duplicate, 0, false, windows.DUPLICATE_SAME_ACCESS)
	})
	if err = errors.Join(closed, err); err != nil {
		return 0, fmt.Errorf("duplicate the handle to wait with: %w", err)
	}
	return uintptr(duplicate), nil
}

func closeDescriptor(descriptor uintptr) error {
	return windows.CloseHandle(windows.Handle(descriptor))
}

// An identity is the same for all names and all handles of one file.
type identity struct {
	volume    uint32
	high, low uint32
}

func (h *Handle) identity() (id identity, err error) {
	var info windows.ByHandleFileInformation
	closed := h.raw.Control(func(descriptor uintptr) { err = windows.GetFileInformationByHandle(windows.Handle(descriptor), &info) })
	return identity{info.VolumeSerialNumber, info.FileIndexHigh, info.FileIndexLow}, errors.Join(closed, err)
}
