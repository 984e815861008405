//go:build unix

package lab

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// descriptorLimit bounds the search for open descriptors: a test process never has more, and a limit may be "infinite".
const descriptorLimit = 4096

// descriptors calls see with every open descriptor of this process, and with what fstat(2) tells of it. Where /proc lists the open ones,
// it asks about no others; there is no such list on macOS, nor for a process that may open no more files.
func descriptors(see func(descriptor int, status unix.Stat_t)) {
	ask := func(descriptor int) {
		var status unix.Stat_t
		if unix.Fstat(descriptor, &status) == nil { // the list names its own descriptor too, which is closed by now
			see(descriptor, status)
		}
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		for descriptor := range descriptorLimit {
			ask(descriptor)
		}
		return
	}
	for _, entry := range entries {
		if descriptor, err := strconv.Atoi(entry.Name()); err == nil {
			ask(descriptor)
		}
	}
}

// IsOpen reports whether this process holds an open handle to the file at path. Run it in a worker when other tests of the
// process may have the same file open.
//
// On Unix every descriptor is compared with the file by device and inode; on Windows the file is opened without sharing,
// which any other open handle, in any process, refuses.
func IsOpen(path string) (bool, error) {
	found, err := OpenDescriptors(path)
	return len(found) > 0, err
}

// OpenDescriptors returns the descriptors of this process that are open on the file at path. On Windows, where they have no such
// numbers, the error matches errors.ErrUnsupported.
func OpenDescriptors(path string) (found []int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	want, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("identity of %s: %w", path, syscall.ENOTSUP)
	}
	descriptors(func(descriptor int, got unix.Stat_t) {
		if uint64(got.Dev) == uint64(want.Dev) && got.Ino == want.Ino {
			found = append(found, descriptor)
		}
	})
	return found, nil
}

// DuplicateDescriptors makes a duplicate of each descriptor that this process has open on the file at path, as a child has for a moment
// when a program starts one, and returns how many. They stay open. On Windows the error matches errors.ErrUnsupported.
func DuplicateDescriptors(path string) (int, error) {
	found, err := OpenDescriptors(path)
	for _, descriptor := range found {
		duplicate, err := unix.Dup(descriptor)
		if err != nil {
			return 0, fmt.Errorf("duplicate descriptor %d of %s: %w", descriptor, path, err)
		}
		unix.CloseOnExec(duplicate)
	}
	return len(found), err
}

// OpenHandles counts the open handles of this process.
func OpenHandles() (int, error) {
	count := 0
	descriptors(func(int, unix.Stat_t) { count++ })
	return count, nil
}

// LimitHandles allows this process no more than n open handles from now on (RLIMIT_NOFILE, getrlimit(2)). On Windows
// there is no such limit, and the error matches errors.ErrUnsupported.
func LimitHandles(n int) error {
	var limit unix.Rlimit
	assign(&limit.Cur, n)
	assign(&limit.Max, n)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit open handles to %d: %w", n, err)
	}
	return nil
}

// LimitFileSize makes every write of this process that would grow a file beyond n bytes fail with EFBIG, or stop short
// (RLIMIT_FSIZE, getrlimit(2)): a full disk without a full disk. On Windows the error matches errors.ErrUnsupported.
func LimitFileSize(n int64) error {
	var limit unix.Rlimit
	assign(&limit.Cur, n)
	assign(&limit.Max, n)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return fmt.Errorf("limit the size of files to %d: %w", n, err)
	}
	return nil
}

// assign stores n in a field that is signed on some systems and unsigned on others.
func assign[Field int64 | uint64, Number int | int64](field *Field, n Number) { *field = Field(n) }
