package seektruncate_test

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// limitFileSizeSoftly makes every write of this process beyond n bytes of a file fail, until the limit is lifted.
func limitFileSizeSoftly(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return fmt.Errorf("read the limit of the size of files: %w", err)
	}
	limit.Cur = uint64(n)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return fmt.Errorf("limit the size of files: %w", err)
	}
	return nil
}

// liftFileSizeLimit lets a process that has limited itself softly write again.
func liftFileSizeLimit(pid int) error {
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
		return fmt.Errorf("read another process's limit: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		return fmt.Errorf("lift another process's limit: %w", err)
	}
	return nil
}

// offsetOf returns the offset of a process's open file (proc_pid_fdinfo(5)).
func offsetOf(pid int, descriptor uintptr) (int, error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, descriptor))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(info)) {
		if position, found := strings.CutPrefix(line, "pos:"); found {
			return strconv.Atoi(strings.TrimSpace(position))
		}
	}
	return 0, fmt.Errorf("no offset in %q", info)
}

// holdLocks locks the file at path, in both ways that the kernel has, until the test ends. The locks belong to an open file description of
// the test, and any other in this process meets them too (flock(2), F_OFD_SETLK in fcntl_locking(2)).
func holdLocks(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	prepared(t, err)
	t.Cleanup(func() { prepared(t, file.Close()) })
	prepared(t, unix.Flock(int(file.Fd()), unix.LOCK_EX))
	prepared(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}))
}

// closeNumber closes a descriptor that no os.File refers to.
func closeNumber(descriptor int) { _ = unix.Close(descriptor) }
