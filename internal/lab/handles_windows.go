package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"unsafe"

	"golang.org/x/sys/windows"
)

// IsOpen reports whether a handle to the file at path is open; see the Unix twin for the contract.
func IsOpen(path string) (bool, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return false, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	const flags = windows.FILE_ATTRIBUTE_NORMAL | windows.FILE_FLAG_BACKUP_SEMANTICS // the flag lets a directory be opened
	handle, err := windows.CreateFile(name, windows.GENERIC_READ, 0, nil, windows.OPEN_EXISTING, flags, 0)
	if errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		return true, nil
	}
	if err != nil {
		return false, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return false, windows.CloseHandle(handle)
}

var getProcessHandleCount = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetProcessHandleCount")

// OpenHandles counts the open handles of this process, of every kind.
func OpenHandles() (int, error) {
	var count uint32
	ok, _, err := getProcessHandleCount.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&count)))
	if ok == 0 {
		return 0, fmt.Errorf("count open handles: %w", err)
	}
	return int(count), nil
}

// LimitHandles is not possible on Windows.
func LimitHandles(int) error { return fmt.Errorf("limit open handles: %w", errors.ErrUnsupported) }

// LimitFileSize is not possible on Windows.
func LimitFileSize(int64) error {
	return fmt.Errorf("limit the size of files: %w", errors.ErrUnsupported)
}

// OpenDescriptors is not possible on this system.
func OpenDescriptors(string) ([]int, error) {
	return nil, fmt.Errorf("ask for open descriptors: %w", errors.ErrUnsupported)
}

// DuplicateDescriptors is not possible on this system.
func DuplicateDescriptors(string) (int, error) {
	return 0, fmt.Errorf("duplicate descriptors: %w", errors.ErrUnsupported)
}
