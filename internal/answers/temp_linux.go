package answers

import (
	"os"

	"golang.org/x/sys/unix"
)

// fastTemp returns the directory for the temp files of tests, "" for the system's. Where TMPDIR does not decide, it is memory: tests make
// thousands of small files, and a disk's file system takes ten times as long for each, more the more have been removed there.
func fastTemp() string {
	const shared, enough = "/dev/shm", 1 << 30 // a container's may hold 64 MiB
	var fs unix.Statfs_t
	if os.Getenv("TMPDIR") != "" || unix.Statfs(shared, &fs) != nil || fs.Type != unix.TMPFS_MAGIC || fs.Bavail*uint64(fs.Bsize) < enough ||
		unix.Access(shared, unix.W_OK|unix.X_OK) != nil {
		return ""
	}
	return shared
}
