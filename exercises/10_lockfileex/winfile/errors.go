//go:build !windows

package winfile

import (
	"errors"
	"fmt"
	"io/fs"
)

// A Handle is the number of an open file.
type Handle uintptr

// Overlapped has the offset of a request, in two halves, and stands for the request while it is pending.
type Overlapped struct {
	Internal, InternalHigh uintptr
	Offset, OffsetHigh     uint32
	HEvent                 Handle
}

// An Errno is a number of an error of Windows, as syscall.Errno is there.
type Errno uint32

// Errors of Windows.
const (
	ERROR_ACCESS_DENIED      Errno = 5
	ERROR_INVALID_HANDLE     Errno = 6
	ERROR_NOT_ENOUGH_MEMORY  Errno = 8
	ERROR_SHARING_VIOLATION  Errno = 32
	ERROR_LOCK_VIOLATION     Errno = 33
	ERROR_INVALID_PARAMETER  Errno = 87
	ERROR_DISK_FULL          Errno = 112
	ERROR_NOT_LOCKED         Errno = 158
	ERROR_INVALID_LOCK_RANGE Errno = 307
	ERROR_IO_INCOMPLETE      Errno = 996
	ERROR_IO_PENDING         Errno = 997
	ERROR_NOT_SUPPORTED      Errno = 50
)

var texts = map[Errno]string{
	ERROR_ACCESS_DENIED:      "access is denied",
	ERROR_INVALID_HANDLE:     "the handle is invalid",
	ERROR_NOT_ENOUGH_MEMORY:  "not enough memory",
	ERROR_SHARING_VIOLATION:  "the file is used by another handle, which does not share it",
	ERROR_LOCK_VIOLATION:     "another handle has locked a portion of the file",
	ERROR_INVALID_PARAMETER:  "the parameter is incorrect",
	ERROR_DISK_FULL:          "there is not enough space on the disk",
	ERROR_NOT_LOCKED:         "the segment is not locked",
	ERROR_INVALID_LOCK_RANGE: "the lock ranges are invalid",
	ERROR_IO_INCOMPLETE:      "the request is not complete",
	ERROR_IO_PENDING:         "the request is pending",
	ERROR_NOT_SUPPORTED:      "the request is not supported",
}

func (e Errno) Error() string {
	if text, ok := texts[e]; ok {
		return text
	}
	return fmt.Sprintf("error %d of Windows", uint32(e))
}

// Is reports what syscall.Errno reports on Windows.
func (e Errno) Is(target error) bool {
	switch target {
	case fs.ErrPermission:
		return e == ERROR_ACCESS_DENIED
	case errors.ErrUnsupported:
		return e == ERROR_NOT_SUPPORTED
	}
	return false
}
