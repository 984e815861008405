package objects

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"time"
)

// List yields each object, in the order of the IDs. It does not look at contents, and yields only what Put has put in place: leftovers and
// files of other programs are passed over.
//
// What cannot be listed is yielded as an error, and List goes on with the rest. When the context ends, its error is the last. An object
// that is stored or removed meanwhile may be there or not.
func (s *Store) List(ctx context.Context) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		s.walk(ctx, objectsDir, 0, yield)
	}
}

// walk yields the objects below a directory at that depth: 0 is the top, 2 holds objects. It returns false to end the walk.
func (s *Store) walk(ctx context.Context, dir string, depth int, yield func(Object, error) bool) bool {
	for _, entry := range s.entries(ctx, dir) {
		name := path.Join(dir, entry.name)
		switch {
		case entry.err != nil && errors.Is(entry.err, ctx.Err()):
			yield(Object{}, fmt.Errorf("list objects: %w", entry.err))
			return false
		case entry.err != nil:
			if !yield(Object{}, fmt.Errorf("list objects in %s: %w", name, entry.err)) {
				return false
			}
		case depth < 2:
			ours := entry.mode.IsDir() && len(entry.name) == 2 && strings.Trim(entry.name, "0123456789abcdef") == ""
			if ours && !s.walk(ctx, name, depth+1, yield) {
				return false
			}
		case entry.mode.IsRegular():
			id, err := ParseID(entry.name)
			if err == nil && Name(id) == name && !yield(Object{id, entry.size}, nil) {
				return false
			}
		}
	}
	return true
}

// An entry is a file in a directory, or an error.
type entry struct {
	name string
	mode fs.FileMode
	size int64
	time time.Time
	err  error
}

// entries returns the files in a directory by name, without those that vanish meanwhile.
func (s *Store) entries(ctx context.Context, dir string) []entry {
	if err := ctx.Err(); err != nil {
		return []entry{{err: err}}
	}
	file, err := s.Root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []entry{{err: err}}
	}
	found, err := file.ReadDir(-1)
	_ = file.Close() // it was open for reading
	var entries []entry
	for _, f := range found {
		info, err := s.Root.Lstat(path.Join(dir, f.Name())) // not f.Info, which may look outside: golang.org/issue/77827
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			entries = append(entries, entry{name: f.Name(), err: err})
			continue
		}
		entries = append(entries, entry{f.Name(), info.Mode(), info.Size(), info.ModTime(), nil})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	if err != nil {
		entries = append(entries, entry{err: err})
	}
	return entries
}

// Sweep removes what process crashes have left: temporary files to which no process has written for age. It returns how many it removed.
//
// Age is a guess: the temporary file of a slow upload looks like that of a dead one, only younger. If Sweep guesses wrong, that Put fails,
// and nothing else is lost. So let age be far longer than the longest pause of an upload; 0 is for a program that knows that none is under
// way. What cannot be removed does not keep Sweep from the rest; the error joins all that failed.
func (s *Store) Sweep(ctx context.Context, age time.Duration) (removed int, err error) {
	var failed []error
	for _, entry := range s.entries(ctx, tempDir) {
		switch {
		case entry.err != nil:
			failed = append(failed, entry.err)
			continue
		case !entry.mode.IsRegular() || !isTempName(entry.name) || age > 0 && time.Since(entry.time) < age:
			continue
		}
		switch err := s.Root.Remove(path.Join(tempDir, entry.name)); {
		case err == nil:
			removed++
		case !errors.Is(err, fs.ErrNotExist): // otherwise its Put has renamed it, or another Sweep was faster
			failed = append(failed, err)
		}
	}
	if err := errors.Join(failed...); err != nil {
		return removed, fmt.Errorf("sweep: %w; the rest of the leftovers is gone", err)
	}
	return removed, nil
}

// isTempName reports whether TempName could have returned the name.
func isTempName(name string) bool {
	return len(name) == len(rand.Text()) && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
