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
// file, in this process and in others, whatever their working directories and environments. The others wait as long as change takes.
// No time limit ends the wait or the turn. Neither does a program that opens and closes files in the directory meanwhile. Every spelling of
// a path, absolute or relative, names the same file; a path through a symbolic link is another path. While an Update of a relative path
// runs, the program must not change its working directory.
//
// Updates of different files never wait for each other, in one process either, so change may call Update for another file. It must not
// call Update for the same file, which would wait for itself.
//
// The file holds {"counter":41}, laid out in any way, in up to 1 MiB. If it does not exist, the error matches fs.ErrNotExist, and Update
// makes neither a counter nor a directory for it; but if no lock file can be created there either, the error may be about that instead. A
// damaged file (package document says what that is) is an error and stays as it is.
//
// Update calls change once, in the caller's goroutine. If change panics, the panic goes on to the caller. If change panics, ends its
// goroutine (runtime.Goexit, which t.FailNow calls) or dies with its process, nothing is written. After that, and after every error but
// a refused unlock, the next Update gets its turn. A program may call Update any number of times, for any number of files: the files it
// has opened do not add up, whether or not Update succeeds, unless unlocks are refused.
//
// If Update cannot have the lock, for whatever reason, it returns the error, does not call change and leaves the file as it is: it never
// goes on without the lock. That the lock file cannot be created or opened is such a reason, and so is a name that is too long for one. A
// wait that a signal ends (EINTR) may be such an error, or Update may wait on.
//
// If the kernel refuses to write or to close the counter, or to give the lock back, Update returns that error, together with any other
// one, and errors.Is finds it. The file may then hold the old counter, the new one or, after half a write, neither. After a refused unlock
// the lock and its file may stay until the program ends.
//
// Update excludes programs that call Update and no others. It promises no order among those who wait, and no whole file after a process
// crash in the middle of the write. Two links to a file, two paths of which one goes through a symbolic link to a directory, or two
// machines that share the file, need not count as one. What a path means in which ".." follows a symbolic link is left open. Update may
// create files of its own beside the file, such as a lock file, and touches no others; a file that already has the lock file's name counts
// as the lock file.
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
