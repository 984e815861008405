// Package place finds the file that a path leads to, and names the temporary files beside it.
package place

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A Place is where a file is to be put.
type Place struct {
	// Path is the path of the file itself: absolute, and no symbolic link.
	Path string
	// Old is the regular file that was at Path when Find looked. It is nil if there was none.
	Old fs.FileInfo
}

// Find follows path to the file that it leads to, which need not exist.
//
// If path is a symbolic link, Find follows it, and the links that it leads to. Links in a circle are an error, and so is anything at the
// end that is not a regular file: a directory, a pipe, a device. On Windows a read-only file is an error too, since no rename
// replaces it. These errors match fs.ErrInvalid or fs.ErrPermission.
//
// A relative path is joined to the working directory of now, so that a later Chdir does not change what Path means.
func Find(path string) (Place, error) {
	path, err := Absolute(path)
	if err != nil {
		return Place{}, err
	}
	path, err = resolve(path)
	if err != nil {
		return Place{}, err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Place{Path: path}, nil
	case err != nil:
		return Place{}, err
	case !info.Mode().IsRegular(): // a rename over /dev/null would replace the device by a file
		return Place{}, &fs.PathError{Op: "replace", Path: path, Err: fmt.Errorf("not a regular file (%s): %w", info.Mode(), fs.ErrInvalid)}
	case runtime.GOOS == "windows" && info.Mode()&0o200 == 0: // the rename would be refused, and look like a busy file
		return Place{}, &fs.PathError{Op: "replace read-only file", Path: path, Err: fs.ErrPermission}
	}
	return Place{Path: path, Old: info}, nil
}

// Absolute does what filepath.Abs does, without cleaning the path on Unix: behind a symbolic link only the kernel knows where ".." leads.
// For an empty path the error matches fs.ErrInvalid.
func Absolute(path string) (string, error) {
	if path == "" {
		return "", &fs.PathError{Op: "replace", Path: path, Err: fmt.Errorf("an empty path: %w", fs.ErrInvalid)}
	}
	if runtime.GOOS == "windows" && !os.IsPathSeparator(path[len(path)-1]) { // there, ".." is resolved on paper in any case
		return filepath.Abs(path)
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	working, err := os.Getwd()
	return strings.TrimSuffix(working, string(filepath.Separator)) + string(filepath.Separator) + path, err
}

// resolve follows the symbolic links at the end of path.
func resolve(path string) (string, error) {
	const maxLinks = 40 // Linux's own limit, path_resolution(7)
	target := path
	for range maxLinks {
		dir, name := filepath.Split(target)
		if name == "" {
			return "", &fs.PathError{Op: "replace", Path: target, Err: fmt.Errorf("it names a directory: %w", fs.ErrInvalid)}
		}
		link, err := os.Readlink(target)
		if err != nil {
			return target, nil // not a link, or missing; Lstat reports whatever else is wrong
		}
		target = link
		if !filepath.IsAbs(link) {
			target = dir + link // not filepath.Join, which cleans
		}
	}
	return "", &fs.PathError{Op: "follow", Path: path, Err: fmt.Errorf("more than %d symbolic links: %w", maxLinks, fs.ErrInvalid)}
}

// Dir returns the directory of the file.
func (p Place) Dir() string { return p.Beside("") }

// Beside returns the path of the file called name in the file's directory.
func (p Place) Beside(name string) string {
	dir, _ := filepath.Split(p.Path)
	return dir + name
}

// TempName returns the path for a new temporary file beside the file. A temporary file of locks.json is called .locks.json.RANDOM.tmp:
// hidden, recognisable, and with 128 random bits, so that no two calls return the same name and no program guesses one.
//
// The name is never longer than 255 bytes, which most file systems allow.
func (p Place) TempName() string { return p.Beside(p.prefix() + rand.Text() + suffix) }

// IsTemp reports whether entry, the name of a directory entry, has exactly the form of the names that TempName returns for this file. The
// temporary files of other files do not have it, and .locks.json.swp or .locks.json.notes.tmp do not have it either.
func (p Place) IsTemp(entry string) bool {
	random, hasPrefix := strings.CutPrefix(entry, p.prefix())
	random, hasSuffix := strings.CutSuffix(random, suffix)
	return hasPrefix && hasSuffix && len(random) == len(rand.Text()) && strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

const suffix = ".tmp"

func (p Place) prefix() string {
	const longest, kept = 200, 160
	_, name := filepath.Split(p.Path)
	if len(name) > longest { // there would be no room for the rest
		sum := sha256.Sum256([]byte(name))
		name = strings.ToValidUTF8(name[:kept], "") + "-" + hex.EncodeToString(sum[:8]) // macOS and Windows take no half characters
	}
	return "." + name + "."
}
