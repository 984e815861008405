package lostupdate

import (
	"errors"
	"fmt"
	"os"

	"example/turnstile/exercises/05_lost_update/document"
)

var (
	// ErrTaken is returned by Take for a part that a person has.
	ErrTaken = errors.New("the part is taken")
	// ErrNotHolder is returned by Return for a part that another person has, or that is not checked out.
	ErrNotHolder = errors.New("this person does not have the part")
)

// Checkouts is the list of who has which part. Several programs may have the same list open for hours.
//
// Take and Return go by what the file holds when their turn comes, whichever program wrote it. Their turns are like Update's: they exclude
// every other Take and Return on the same list, and no other list's, under the same conditions, wait as long as it takes, and never go on
// without the lock. What Update promises of damaged files, of what the kernel refuses, of open files and of files of its own holds for
// them too. Close may report a refused close in their place, and leaves no file of the list open.
//
// A list of 16 MiB is not too long. Any text in UTF-8 is a name, except that no person's name is empty, and two names are the same only if
// they are equal byte for byte.
//
// A Checkouts is for one goroutine at a time. If a program puts another file of the same name in the list's place, as many editors do,
// open the list again.
type Checkouts struct {
	file    *os.File
	holders map[string]string
}

// Open opens the list at path, a JSON object such as {"bracket.step":"alice"}. If there is no file, the error matches fs.ErrNotExist and
// nothing is made up. Open does not judge the content, nor wait for a program in the middle of a Take or Return. The program may change
// its working directory afterwards. The caller must Close the list.
func Open(path string) (*Checkouts, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the list of checkouts: %w; a new list is a file that holds {}", err)
	}
	// TODO: this is what the file holds now. What does it hold when Take is called?
	holders, err := document.ReadCheckouts(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Checkouts{file: file, holders: holders}, nil
}

// Take gives part to person. If a person has it already, that person or another, the error matches ErrTaken and nothing is written.
func (c *Checkouts) Take(part, person string) error {
	if holder, taken := c.holders[part]; taken {
		return fmt.Errorf("take %s: %w by %s; ask for it back, or wait", part, ErrTaken, holder)
	}
	c.holders[part] = person
	return c.save()
}

// Return takes part back from person. If person does not have it, the error matches ErrNotHolder and nothing is written.
func (c *Checkouts) Return(part, person string) error {
	if holder, taken := c.holders[part]; !taken || holder != person {
		return fmt.Errorf("return %s: %w; look up who has it", part, ErrNotHolder)
	}
	delete(c.holders, part)
	return c.save()
}

// Close closes the list. What was taken stays taken.
func (c *Checkouts) Close() error { return c.file.Close() }

// save replaces the list in the file by the one in memory.
func (c *Checkouts) save() error {
	// TODO: which changes of other programs does this call throw away?
	return document.WriteCheckouts(c.file, c.holders)
}
