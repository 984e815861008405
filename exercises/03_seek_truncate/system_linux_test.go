package seektruncate_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"

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
