//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package lockedfile_test

import "golang.org/x/sys/unix"

// duplicate makes a duplicate of each descriptor that is open on the file, as a child has for a moment when the program starts one.
func duplicate(path string) (count int, err error) {
	var file unix.Stat_t
	if err := unix.Stat(path, &file); err != nil {
		return 0, err
	}
	var found []int
	for descriptor := range 256 {
		var open unix.Stat_t
		if unix.Fstat(descriptor, &open) == nil && open.Dev == file.Dev && open.Ino == file.Ino {
			found = append(found, descriptor)
		}
	}
	for _, descriptor := range found {
		if _, err := unix.FcntlInt(uintptr(descriptor), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}
