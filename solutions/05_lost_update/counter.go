// Package lostupdate changes JSON files that several programs share: the counter that numbers the job cards of a workshop, and
// the list of who has which part.
package lostupdate

import (
	"errors"
	"fmt"
	"os"
)

type counterDocument struct {
	Counter *int `json:"counter"`
}

// Update replaces the counter in the file at path by change(counter), and returns the new one.
//
// The file holds {"counter":41} and nothing else; how the JSON is laid out does not matter. It must be there: a counter that
// begins at 0 by itself would give out the same numbers again. The error then matches fs.ErrNotExist, unless this user may not
// create the lock file either. A file that is damaged, or has other fields, is an error too, and is left as it is.
//
// Callers may be goroutines of one process or different processes. An Update waits until no other Update of the same path is
// between reading the counter and having written the new one, however long that takes. So every change begins with what the
// one before it has written, and none is lost. The same path is any spelling of one file name, absolute or relative. Updates of
// different files in different processes do not wait for one another; within one process they may. If the lock is refused,
// that is an error, and the file is left as it is.
//
// change is called once. It must not call Update for the same path, which would wait for itself. If change panics, nothing is
// written and the panic goes on; if its process dies inside, nothing is written. Either way the others go on.
//
// Not promised: an order among those who wait; that programs which write the file without Update are kept out; that several
// names of one file (links), or several machines that share it, count as one; a whole file after a crash in the middle of the
// write.
func Update(path string, change func(counter int) int) (counter int, err error) {
	// From here to the end is the critical section: the lock is taken before the file is read and given back after it is closed.
	unlock, err := lock(path)
	if err != nil {
		return 0, fmt.Errorf("update the counter: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()

	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("update the counter: %w; Update needs an existing file that this user may write", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	var document counterDocument
	if err := readDocument(file, &document); err != nil {
		return 0, fmt.Errorf("update the counter: %w", err)
	}
	if document.Counter == nil {
		return 0, fmt.Errorf("update the counter: %s holds no counter; bring back a copy of it", path)
	}
	next := change(*document.Counter)
	if err := writeDocument(file, counterDocument{&next}); err != nil {
		return 0, fmt.Errorf("update the counter: %w", err)
	}
	return next, nil
}
