package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// alarm reads the time limits of the threads that wait in epoll_pwait(2), its fourth argument, from proc_pid_syscall(5).
func alarm(pid int) (longest time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid)) // the pattern is good
	for _, thread := range threads {
		text, _ := os.ReadFile(thread) // one that is gone waits for nothing
		fields := strings.Fields(string(text))
		if len(fields) < 5 || fields[0] != strconv.Itoa(unix.SYS_EPOLL_PWAIT) {
			continue
		}
		if limit, err := strconv.ParseUint(fields[4], 0, 64); err == nil {
			longest = max(longest, time.Duration(int32(limit))*time.Millisecond) // -1 is for a thread that waits for ever
		}
	}
	return longest
}
