// Package shelf finds the stock file of a shelf by whatever name it is given, together with the file to lock for it, and writes two of
// them. It takes no lock: that is its callers' work.
package shelf

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example/turnstile/exercises/08_flock/bins"
)

// A Shelf is the stock file of a shelf.
type Shelf struct {
	// Stock is the stock file: an absolute path without symbolic links.
	Stock string
	// Lock is the file that everyone locks who works with the stock: Stock + ".lock". It exists, is never removed, and holds nothing.
	Lock string

	stock fs.FileInfo
	lock  identity
}

// identity is what a file is to the system, by whichever of its names it was opened.
type identity struct{ device, file uint64 }

// Find returns the shelf whose stock file is at path, which must exist, and creates its lock file if there is none, with mode 0600.
//
// Two Finds of one shelf return the same Stock and Lock, by whatever relative path and symbolic links. By two hard links they return two
// Locks.
func Find(path string) (s Shelf, err error) {
	if s.Stock, err = realPath(path); err != nil {
		return Shelf{}, fmt.Errorf("find the stock: %w; a new stock is a file that holds {}", err)
	}
	s.Lock = s.Stock + ".lock"
	if s.stock, err = os.Stat(s.Stock); err != nil {
		return Shelf{}, fmt.Errorf("find the stock: %w", err)
	}
	file, err := os.OpenFile(s.Lock, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return Shelf{}, fmt.Errorf("create the lock of the stock: %w; this user must be allowed to write its directory", err)
	}
	if s.lock, err = identify(s.Lock); err != nil {
		return Shelf{}, fmt.Errorf("identify the lock of the stock: %w", err)
	}
	return s, nil
}

// realPath returns the absolute path without symbolic links. It joins paths when there are no links left in them: filepath.Abs would clean
// first, and make the directory of the link of link/.. .
func realPath(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil || filepath.IsAbs(path) {
		return path, err
	}
	working, err := os.Getwd()
	if err == nil {
		working, err = filepath.EvalSymlinks(working)
	}
	return filepath.Join(working, path), err
}

// Same reports whether s and t are one shelf, or two names (hard links) of one stock file.
func (s Shelf) Same(t Shelf) bool { return s.lock == t.lock || os.SameFile(s.stock, t.stock) }

// Compare puts all shelves of the machine in one order, which is the same in every process, whatever names each has used: it compares
// what the lock files are to the system. It returns -1, 0 or +1, as cmp.Compare does, and 0 only for one shelf. Two hard links to a stock
// are two shelves to it, although they are the Same.
func (s Shelf) Compare(t Shelf) int {
	return cmp.Or(cmp.Compare(s.lock.device, t.lock.device), cmp.Compare(s.lock.file, t.lock.file))
}

// Read returns the stock on the shelf; see bins.Read.
func (s Shelf) Read() (bins.Stock, error) { return bins.Read(s.Stock) }

// WriteBoth writes the stocks of two shelves. If the system refuses one, it puts back what both files held, as far as the system lets it,
// and returns every error. A process crash between the two writes leaves one of them.
func WriteBoth(s Shelf, stock bins.Stock, t Shelf, other bins.Stock) error {
	old, err := os.ReadFile(s.Stock)
	if err != nil {
		return fmt.Errorf("write two stocks: %w", err)
	}
	otherOld, err := os.ReadFile(t.Stock)
	if err != nil {
		return fmt.Errorf("write two stocks: %w", err)
	}
	if err := bins.Write(s.Stock, stock); err != nil {
		return errors.Join(err, os.WriteFile(s.Stock, old, 0))
	}
	if err := bins.Write(t.Stock, other); err != nil {
		return errors.Join(err, os.WriteFile(s.Stock, old, 0), os.WriteFile(t.Stock, otherOld, 0))
	}
	return nil
}
