package atomicreplace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"example/turnstile/exercises/06_atomic_replace/place"
)

// Sweep removes what process crashes have left beside the file at path: temporary files of Create for this file that no process has
// written to for age, whoever owns them. There need not be a file yet. It returns the paths of those that it removed, and no others, even
// with an error.
//
// Age is a guess: the temporary file of a live writer looks like that of a dead one, only younger. If Sweep guesses wrong, that writer's
// Commit fails and the file keeps its old content; nothing else is lost. So let age be far longer than the slowest write: an hour, not a
// second. A file's time comes from the file system's clock, on a network from the server's, and Sweep compares it with this machine's. A
// program that holds the lock that all writers take passes 0: then all are removed, whatever the two clocks say.
//
// Sweep looks in the directory in which Create writes, also if path is a symbolic link, and in no other. It removes regular files only,
// empty ones too, whose names have exactly the form of this file's temporary names. One that vanishes meanwhile, because its writer
// renames it or another Sweep is faster, is not an error. If something cannot be removed or examined, Sweep goes on with the rest, and
// the error joins all that failed, each with its path. A directory that is missing or cannot be listed is an error. In any case nothing
// stays open.
func Sweep(path string, age time.Duration) (removed []string, err error) {
	where, err := place.Find(path)
	if err != nil {
		return nil, fmt.Errorf("sweep beside %s: %w", path, err)
	}
	entries, err := os.ReadDir(where.Dir())
	if err != nil {
		return nil, fmt.Errorf("sweep beside %s: %w", path, err)
	}
	var failed []error
	for _, entry := range entries {
		if !where.IsTemp(entry.Name()) {
			continue
		}
		leftover := where.Beside(entry.Name())
		info, err := os.Lstat(leftover)
		if err == nil && (!info.Mode().IsRegular() || age > 0 && time.Since(info.ModTime()) < age) {
			continue
		}
		if err == nil {
			err = os.Remove(leftover)
		}
		switch {
		case err == nil:
			removed = append(removed, leftover)
		case !errors.Is(err, fs.ErrNotExist): // otherwise its writer has renamed it, or another Sweep was faster
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return removed, fmt.Errorf("sweep beside %s: %w; the rest of the leftovers is gone", path, err)
	}
	return removed, nil
}
