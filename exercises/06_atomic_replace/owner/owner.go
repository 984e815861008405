// Package owner gives a new file the owner and the group of the file that it is about to replace.
package owner

import (
	"io/fs"
	"os"
)

// Keep gives f the owner and the group that like has, as far as this process may: root always; another user only a group that the user is
// a member of (chown(2)). What may not be given stays as it is and is not an error: the new file then belongs to the user who wrote
// it. Any other refusal of the kernel is an error.
//
// Keep returns the permission bits that f may have. They are those of like, with one exception: if the group could not be given, f's
// group has other members, and they get no more than all other users have. So 0640 becomes 0600, and 0644 stays. Call Chmod with these
// bits after Keep: a change of owner may clear bits of the mode.
//
// On Windows Keep changes nothing: a new file takes its owner from the process and its access rules from the directory.
func Keep(f *os.File, like fs.FileInfo) (perm fs.FileMode, err error) { return keep(f, like) }
