// Package busy renames files that other programs may have open.
package busy

import (
	"io/fs"
	"os"
)

// Rename is os.Rename. On Windows it tries again while the rename is refused because a program has one of the two files open.
//
// Only Windows refuses a rename for that, since most programs open files without FILE_SHARE_DELETE, Go's os.Open among them. Nothing tells
// when the file is free again, so Rename asks in growing intervals. It gives up two seconds after the file at to has last changed: other
// writers who replace the same file are in the way for a moment each, and that is progress. After thirty seconds it gives up in any
// case. The error is then the last refusal, and both files are as they were.
//
// Windows reports "access denied" for an open file as it does for a file that this process may not touch at all, so Rename waits in
// vain for the second.
func Rename(from, to string) error { return place{os.Rename, os.Lstat}.rename(from, to) }

// RenameIn is Rename for names in an open directory.
func RenameIn(root *os.Root, from, to string) error {
	return place{root.Rename, root.Lstat}.rename(from, to)
}

// A place is where names mean files.
type place struct {
	once func(from, to string) error
	look func(name string) (fs.FileInfo, error)
}

// Refused reports whether err is what Windows returns while a program has the file open, or is renaming over it. Other systems refuse
// nothing for that, and there it reports false.
func Refused(err error) bool { return refused(err) }
