// Package filelock locks an open file, again and again, for other processes and for goroutines of this one. It waits in the kernel and
// obeys a context.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
)

// ErrLocked is matched by the error of a TryLock that found another owner.
var ErrLocked = errors.New("another owner has a lock on the file")

// A Mode says what a lock keeps out.
type Mode int

const (
	Shared    Mode = iota // keeps exclusive locks out
	Exclusive             // keeps all other locks out
)

// A Handle takes and gives back locks on one open file.
//
// Each open file is one owner, to the kernel: whoever opens the file again is another owner, in this process too, by whatever name of
// the file. The lock lasts until Unlock, until the file is closed, or until the process ends.
//
// A Handle is not re-entrant: while it has a lock, another Lock of the same Handle waits, and TryLock finds the file locked. Any number
// of goroutines may call its methods.
//
// The lock is that of the system: flock(2), or LockFileEx for all bytes of the file. flock is advisory; LockFileEx also keeps others
// from reading (beside an exclusive lock) and from writing, through any handle but this one. On NFS flock needs a file that is open for
// writing for an exclusive lock, and for reading for a shared one, so open with os.O_RDWR what you open for writing.
type Handle struct {
	raw   syscall.RawConn
	state atomic.Int32                  // free, taken or locked
	freed atomic.Pointer[chan struct{}] // made by a goroutine that waits until the Handle is free; closed then

	// What ask asks the kernel for, and the answer: they belong to the goroutine that has taken the Handle. A function for each call would
	// be garbage each time.
	ask    func(descriptor uintptr)
	mode   Mode
	unlock bool
	err    error
}

const (
	free   = iota
	taken  // a goroutine is about to lock or to unlock, or has left a call in the kernel that may yet get a lock
	locked // this open file has a lock
)

// New returns a Handle for the file, which has no lock yet. The file remains the caller's, who keeps it open while the Handle is in use,
// and closes it. A file has one Handle at most.
func New(file *os.File) (*Handle, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	h := &Handle{raw: raw}
	h.ask = func(descriptor uintptr) {
		if h.unlock {
			h.err = unlock(descriptor)
		} else {
			h.err = lock(descriptor, h.mode, false)
		}
	}
	return h, nil
}

// Lock waits until no other owner has a lock on the file that stands in the way, or until ctx ends, and takes a lock of that mode.
//
// It waits in the kernel and does not poll. However many goroutines of the process wait for a file, one thread at most waits in the
// kernel for those that still want the lock; the others wait in this process, first come, first served. No order is promised among
// processes.
//
// If ctx ends first, or has ended before, Lock returns an error that wraps ctx.Err() at once, and nothing is locked, now or later. The
// kernel's wait cannot be ended: one thread and one duplicate of the file's descriptor remain until its turn comes, for each mode at
// most, and then give the lock back at once. Until then the next waiter of the process waits for them, and this Handle's TryLock fails
// with ErrLocked.
//
// Every other error wraps the system's reason, and matches errors.ErrUnsupported if the system or the file system has no locks. It
// never matches ErrLocked. After an error nothing is locked.
func (h *Handle) Lock(ctx context.Context, m Mode) error {
	if err := ctx.Err(); err != nil {
		return stopped(err)
	}
	for {
		freed := h.take()
		if freed == nil {
			break
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return stopped(ctx.Err())
		}
	}
	err := ErrLocked
	if !overtakes(h) {
		err = h.call(m, false)
	}
	if errors.Is(err, ErrLocked) {
		return h.wait(ctx, m) // it gives the Handle back on errors
	}
	return h.settle(err)
}

// TryLock is Lock, except that it does not wait: if another owner has a lock that stands in the way, the error matches ErrLocked. It is
// also the error while this Handle has a lock.
func (h *Handle) TryLock(m Mode) error {
	if h.take() != nil {
		return fmt.Errorf("%w, through this same handle; try again later", ErrLocked)
	}
	return h.settle(h.call(m, false))
}

// take takes the Handle for this goroutine, if it is free, and returns nil. Otherwise it returns what will be closed when that may be so.
func (h *Handle) take() (freed <-chan struct{}) {
	for !h.state.CompareAndSwap(free, taken) {
		freed := h.freed.Load()
		if freed == nil {
			mine := make(chan struct{})
			h.freed.CompareAndSwap(nil, &mine)
			continue // it may have become free before there was anything to close
		}
		return *freed
	}
	return nil
}

func (h *Handle) free() {
	h.state.Store(free)
	if h.freed.Load() != nil { // a Load is cheap, a Swap is not
		if freed := h.freed.Swap(nil); freed != nil {
			close(*freed)
		}
	}
}

// settle notes what a call of the kernel has brought. The caller has taken the Handle.
func (h *Handle) settle(err error) error {
	if err != nil {
		h.free()
		return err
	}
	h.state.Store(locked)
	return nil
}

// Unlock gives the lock back. The next owner can have it as soon as Unlock has returned, even if a duplicate of the descriptor exists,
// as in a child that the program is about to start.
//
// If there is no lock, the error matches fs.ErrInvalid, and nothing changes. Any other error is the system's; the lock ends when the
// file is closed.
func (h *Handle) Unlock() error {
	if !h.state.CompareAndSwap(locked, taken) {
		return fmt.Errorf("unlock: %w: the file is not locked", fs.ErrInvalid)
	}
	err := h.call(Shared, true)
	h.free()
	if err != nil {
		return fmt.Errorf("unlock: %w; close the file", err)
	}
	return nil
}

// call asks the kernel for a lock of the mode, without waiting, or to give the lock back. While it does, the descriptor stays open,
// even if the program closes the file.
func (h *Handle) call(m Mode, unlock bool) error {
	h.mode, h.unlock = m, unlock
	if err := h.raw.Control(h.ask); err != nil {
		return fmt.Errorf("lock: %w (%w); keep the file open while it is locked", fs.ErrClosed, err)
	}
	return h.err
}

func stopped(err error) error {
	return fmt.Errorf("wait for the lock: %w; another owner has kept it for as long as this caller was willing to wait", err)
}
