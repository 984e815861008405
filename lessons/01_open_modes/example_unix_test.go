//go:build unix

package openmodes_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// What an open that fails says, and what errors.Is makes of it. A *fs.PathError says the operation and the path as well.
func Example_errors() {
	path, remove := temporary("locks.json")
	defer remove()
	must(os.WriteFile(path, nil, 0o600))
	dir := filepath.Dir(path)

	for _, c := range []struct {
		what, path string
		flags      int
	}{
		{"a missing file", filepath.Join(dir, "lokcs.json"), os.O_RDWR},
		{"a missing directory", filepath.Join(dir, "tickets", "new"), os.O_RDWR | os.O_CREATE},
		{"a taken name", path, os.O_RDWR | os.O_CREATE | os.O_EXCL},
		{"a directory", dir, os.O_RDWR},
		{"a file as directory", filepath.Join(path, "new"), os.O_RDWR | os.O_CREATE},
	} {
		_, err := os.OpenFile(c.path, c.flags, 0o600)
		fmt.Printf("%-20s %-26s %s\n", c.what, errors.Unwrap(err), matches(err))
	}
	// Output:
	// a missing file       no such file or directory  fs.ErrNotExist
	// a missing directory  no such file or directory  fs.ErrNotExist
	// a taken name         file exists                fs.ErrExist
	// a directory          is a directory             none of the three
	// a file as directory  not a directory            none of the three
}

func matches(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "fs.ErrNotExist"
	case errors.Is(err, fs.ErrExist):
		return "fs.ErrExist"
	case errors.Is(err, fs.ErrPermission):
		return "fs.ErrPermission"
	}
	return "none of the three"
}
