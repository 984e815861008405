//go:build unix

package owner

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Keep gives f the owner and the group that like has, as far as the process may: root always; another user only a group
// that the user is a member of (chown(2)). What may not be given is left as it is and is no error: the new file then
// belongs to whoever wrote it.
//
// It returns the permission bits that f may have. They are those of like, with one exception: if the group could not be
// given, f's group has other members, and they get no more than everybody else has. So 0640 becomes 0600, and 0644 stays.
// Chmod to these bits after Keep: a change of owner may clear bits of the mode.
//
// On Windows Keep does nothing: a new file takes its owner from the process and its access rules from the folder.
func Keep(f *os.File, like fs.FileInfo) (perm fs.FileMode, err error) {
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
		everybody := perm & 0o007
		return perm & (0o707 | everybody<<3), nil
	}
	return perm, err
}

// refused reports whether the owner may not be given by this process (EPERM), or does not exist in its user namespace
// (EINVAL, user_namespaces(7)).
func refused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL)
}
