package lostupdate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

var (
	// ErrTaken is returned by Take when somebody has the part.
	ErrTaken = errors.New("the part is taken")
	// ErrNotHolder is returned by Return when somebody else has the part, or nobody.
	ErrNotHolder = errors.New("the part is with somebody else, or with nobody")
)

// Checkouts is the list of who has which part. Several programs may have the same list open for hours.
//
// Take and Return work on what the file holds at the moment of the call, whoever wrote it, and no other call comes between their
// look and their write. Like Update, they keep out only those who ask. A Checkouts is for one goroutine at a time. It stays with
// the file that it has opened: if that is replaced by another of the same name, as many editors do, open the list again.
// A list that is damaged is an error of Take and Return, and is left as it is.
type Checkouts struct {
	file *os.File
	path string // absolute: the lock stays the same if the program changes its folder
}

// Open opens the list at path, a JSON object such as {"bracket.step":"alice"}. It must be there: the error otherwise matches
// fs.ErrNotExist. Others may have the list open, and be writing it. Open need not look whether the list is damaged. The program
// may change its working folder afterwards. The caller owes a Close.
func Open(path string) (*Checkouts, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the list of checkouts: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the list of checkouts: %w; a new list is a file that holds {}", err)
	}
	return &Checkouts{file: file, path: path}, nil
}

// Take gives part to who. If anybody has it already, be it who or somebody else, the error matches ErrTaken and nothing
// changes. However many ask for a part at the same time, one gets it.
func (c *Checkouts) Take(part, who string) error {
	return c.change(func(holders map[string]string) error {
		if holder, taken := holders[part]; taken {
			return fmt.Errorf("take %s: %w by %s; ask for it back, or wait", part, ErrTaken, holder)
		}
		holders[part] = who
		return nil
	})
}

// Return takes part back from who. If who does not have it, the error matches ErrNotHolder and nothing changes. However many
// return a part at the same time, one succeeds.
func (c *Checkouts) Return(part, who string) error {
	return c.change(func(holders map[string]string) error {
		if holder, taken := holders[part]; !taken || holder != who {
			return fmt.Errorf("return %s: %w; look up who has it", part, ErrNotHolder)
		}
		delete(holders, part)
		return nil
	})
}

// Close closes the list. What was taken stays taken.
func (c *Checkouts) Close() error { return c.file.Close() }

// change reads the list, lets edit change it, and writes it, as one critical section. If edit fails nothing is written.
func (c *Checkouts) change(edit func(holders map[string]string) error) (err error) {
	unlock, err := lock(c.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	holders, err := readHolders(c.file)
	if err != nil {
		return err
	}
	if err := edit(holders); err != nil {
		return err
	}
	return writeDocument(c.file, holders)
}

func readHolders(file *os.File) (map[string]string, error) {
	var holders map[string]string
	if err := readDocument(file, &holders); err != nil {
		return nil, err
	}
	if holders == nil {
		return nil, fmt.Errorf("read %s: it holds null instead of a list; bring back a copy of it", file.Name())
	}
	return holders, nil
}
