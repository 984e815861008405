//go:build unix

package owner

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func keep(f *os.File, like fs.FileInfo) (perm fs.FileMode, err error) {
	perm = like.Mode().Perm()
	old, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return perm, nil // not a file of the operating system
	}
	err = f.Chown(int(old.Uid), int(old.Gid))
	if refused(err) {
		err = f.Chown(-1, int(old.Gid))
	}
	if refused(err) {
		others := perm & 0o007
		return perm & (0o707 | others<<3), nil
	}
	return perm, err
}

// refused reports whether the owner may not be given by this process (EPERM), or does not exist in its user namespace (EINVAL,
// user_namespaces(7)).
func refused(err error) bool { return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) }
