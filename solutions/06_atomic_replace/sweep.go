package atomicreplace

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Sweep removes what WriteFile calls that crashed have left beside path: their temporary files that nobody has written to
// for age. It returns the paths that it removed, also with an error, which joins what could not be removed.
//
// Age is a guess: a temporary file of a live writer looks like one of a dead writer, only younger. If Sweep guesses wrong,
// that writer's WriteFile fails and the file keeps its old content; nothing else is lost. So let age be far longer than a
// write can take on your slowest disk: an hour, not a second. The time is that of the file system's clock, which on a
// network file system is the server's. Whoever can be sure that no writer is alive (a program that holds the lock of the
// file's only writers) may pass 0.
//
// If path is a symbolic link, Sweep looks beside the file that it leads to, as WriteFile does. A temporary file that
// vanishes while Sweep works, since its writer renames it or another Sweep is faster, is no error. Other files are left
// alone, among them the temporary files of neighbours.
func Sweep(path string, age time.Duration) (removed []string, err error) {
	target, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("sweep beside %s: %w", path, err)
	}
	dir, name := filepath.Split(target)
	entries, err := os.ReadDir(folderOf(target)) // not Glob: the folder's name may hold a '['
	if err != nil {
		return nil, fmt.Errorf("sweep beside %s: %w", path, err)
	}
	var failed []error
	for _, entry := range entries {
		if !isTempName(entry.Name(), name) || !olderThan(age, entry) {
			continue
		}
		switch err := os.Remove(dir + entry.Name()); {
		case err == nil:
			removed = append(removed, dir+entry.Name())
		case !errors.Is(err, fs.ErrNotExist): // another sweeper was faster, or its writer has renamed it
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return removed, fmt.Errorf("sweep beside %s: %w", path, err)
	}
	return removed, nil
}

func olderThan(age time.Duration, entry fs.DirEntry) bool {
	info, err := entry.Info()
	return err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) >= age
}

// A temporary file of locks.json is called .locks.json.RANDOM.tmp: hidden, recognisable, and never the same twice.
const tempSuffix = ".tmp"

func tempPrefix(name string) string {
	const longest = 200 // leaves room for the rest in the 255 bytes of most file systems
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "") // macOS and Windows take no half characters
	}
	return "." + name + "."
}

func tempName(target string) string {
	dir, name := filepath.Split(target)
	return dir + tempPrefix(name) + rand.Text() + tempSuffix // 128 random bits: nobody meets or guesses them
}

// isTempName reports whether entry was made by tempName for the file called name. It is strict so that another file's
// temporary file, or a user's own file, is never taken for one.
func isTempName(entry, name string) bool {
	random, hasPrefix := strings.CutPrefix(entry, tempPrefix(name))
	random, hasSuffix := strings.CutSuffix(random, tempSuffix)
	return hasPrefix && hasSuffix && len(random) == len(rand.Text()) && strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
