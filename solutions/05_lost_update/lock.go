package lostupdate

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/gofrs/flock"
)

// lock waits until no other caller holds the lock of the document at path, in this process or in another, and takes it. The caller
// must call unlock once.
//
// The lock is on a file of its own beside the document, PATH.lock, so that the document may be read, rewritten or replaced freely. The
// lock file is created with mode 0600 and stays: a process that removed it would take it away from those who wait for it. The kernel
// ends the lock of a process that dies. A caller that waits keeps a thread of its process in the kernel.
func lock(path string) (unlock func() error, err error) {
	// Each call makes a Flock of its own: one that is locked already grants the lock to every goroutine that asks it.
	guard := flock.New(path + ".lock")
	for {
		err := guard.Lock()
		if err == nil {
			return guard.Unlock, nil
		}
		if !errors.Is(err, syscall.EINTR) { // a signal ended the wait, which some file systems allow
			return nil, fmt.Errorf("lock %s: %w; this user must be able to create or open %s.lock", path, err, path)
		}
	}
}
