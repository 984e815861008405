// Package lostupdate changes JSON files that several programs share: the counter that numbers the job cards of a workshop, and
// the list of who has which part.
package lostupdate

import (
	"errors"
	"fmt"
	"os"

	"example/turnstile/exercises/05_lost_update/document"
)

// Update replaces the counter in the JSON file at path by change(counter), and returns the new counter.
//
// No update is lost. From before it reads the counter until it has written the new one, an Update excludes every other Update of the same
// file, in this process and in others, whatever their working directories and environments. The others wait as long as that takes, in no
// promised order, and then go by the file at path. Updates of different files never wait for each other, so change may call Update for
// another file; for the same file, it would wait for itself.
//
// A path may be relative, in any spelling. While an Update of a relative path runs, the program must not change its working directory. A
// file may count as another one by a link, by a path through symbolic links, by .. in a directory that was entered through one, and on
// another machine.
//
// The file holds {"counter":41}, laid out in any way, in up to 1 MiB. If it is missing, neither it nor its directory is created, and the
// error matches fs.ErrNotExist, unless a lock file could not be created. A damaged file (see package document) is an error and stays as it
// is.
//
// Update calls change once, unless it fails first. If change panics or ends its goroutine (runtime.Goexit), or the process dies in it,
// nothing is written, and a panic goes on to the caller. After that, and after every error but a refused unlock, the next Update gets its
// turn. Open files do not add up.
//
// If Update cannot have the lock, for whatever reason, it returns the error without a call of change. A signal that ends the wait (EINTR)
// may be such a reason. If the kernel refuses to write or close the counter, or to unlock other than by a close, Update returns that error
// and any other one, and errors.Is finds each. The file may then hold the old counter, the new one or half a write, and after a refused
// unlock the lock may stay until the program ends.
//
// Programs that do not call Update are not excluded, and a process crash in the middle of the write may damage the file. Update may create
// files of its own beside the file, such as a lock file, and changes no others.
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

	counter, err = document.ReadCounter(file)
	if err != nil {
		return 0, fmt.Errorf("update the counter: %w", err)
	}
	counter = change(counter)
	if err := document.WriteCounter(file, counter); err != nil {
		return 0, fmt.Errorf("update the counter: %w", err)
	}
	return counter, nil
}
