package lostupdate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
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
	file    *os.File
	holders map[string]string
}

// Open opens the list at path, a JSON object such as {"bracket.step":"alice"}. It must be there: the error otherwise matches
// fs.ErrNotExist. Others may have the list open, and be writing it. Open need not look whether the list is damaged. The program
// may change its working folder afterwards. The caller owes a Close.
func Open(path string) (*Checkouts, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the list of checkouts: %w; a new list is a file that holds {}", err)
	}
	// TODO: this is what the file holds now. What does it hold when Take is called?
	holders, err := readHolders(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Checkouts{file: file, holders: holders}, nil
}

// Take gives part to who. If anybody has it already, be it who or somebody else, the error matches ErrTaken and nothing
// changes. However many ask for a part at the same time, one gets it.
func (c *Checkouts) Take(part, who string) error {
	if holder, taken := c.holders[part]; taken {
		return fmt.Errorf("take %s: %w by %s; ask for it back, or wait", part, ErrTaken, holder)
	}
	c.holders[part] = who
	return c.save()
}

// Return takes part back from who. If who does not have it, the error matches ErrNotHolder and nothing changes. However many
// return a part at the same time, one succeeds.
func (c *Checkouts) Return(part, who string) error {
	if holder, taken := c.holders[part]; !taken || holder != who {
		return fmt.Errorf("return %s: %w; look up who has it", part, ErrNotHolder)
	}
	delete(c.holders, part)
	return c.save()
}

// Close closes the list. What was taken stays taken.
func (c *Checkouts) Close() error { return c.file.Close() }

// save replaces the list in the file by the one in memory.
func (c *Checkouts) save() error {
	// TODO: whose list is it that these three lines throw away?
	if err := c.file.Truncate(0); err != nil {
		return err
	}
	if _, err := c.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return json.NewEncoder(c.file).Encode(c.holders)
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
