//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package winfile

import (
	"slices"
	"sync"
	"sync/atomic"
)

var lastLock atomic.Uint64

// A span is a range of bytes.
type span struct{ offset, length uint64 }

func spanOf(low, high uint32, o *Overlapped) (span, error) {
	if o == nil {
		return span{}, ERROR_INVALID_PARAMETER
	}
	s := span{uint64(o.OffsetHigh)<<32 | uint64(o.Offset), uint64(high)<<32 | uint64(low)}
	if s.length != 0 && s.offset+s.length-1 < s.offset {
		return span{}, ERROR_INVALID_LOCK_RANGE
	}
	return s, nil
}

// overlaps is the arithmetic of [MS-FSA] 2.1.4.10, in which a range of no bytes overlaps only one that has bytes on both of its sides, and
// none at offset 0.
func (s span) overlaps(o span) bool {
	none := span{}
	if s == none || o == none {
		return false
	}
	return s.offset <= o.offset+o.length-1 && s.offset+s.length-1 >= o.offset
}

// A lock is held, or it is asked for, or it stands for a read or a write.
type lock struct {
	span
	exclusive bool
	owner     string
}

// An ownLock is a lock of a handle of this process, with its entry in the table.
type ownLock struct {
	heldLock
	*entry
}

// keptOut reports whether the other lock forbids this read or write.
func (l lock) keptOut(held lock) bool {
	return l.overlaps(held.span) && (l.exclusive && !held.exclusive || held.exclusive && held.owner != l.owner)
}

// excludes reports whether the other lock forbids this lock.
func (l lock) excludes(held lock) bool {
	return l.keptOut(held) || l.overlaps(held.span) && l.exclusive
}

func lockFileEx(h Handle, flags, reserved, low, high uint32, overlapped *Overlapped) error {
	f, err := find(h)
	if err != nil {
		return err
	}
	if reserved != 0 {
		return ERROR_INVALID_PARAMETER
	}
	if f.access&(mayRead|mayWrite) == 0 {
		return ERROR_ACCESS_DENIED
	}
	s, err := spanOf(low, high, overlapped)
	if err != nil {
		return err
	}
	want := lock{s, flags&LOCKFILE_EXCLUSIVE_LOCK != 0, f.owner}
	blocker, err := f.try(want)
	switch {
	case err != nil || blocker == "":
		return err
	case flags&LOCKFILE_FAIL_IMMEDIATELY != 0:
		return ERROR_LOCK_VIOLATION
	case f.overlapped:
		result := make(chan error, 1)
		pending.Store(overlapped, result)
		go func() { result <- f.wait(want, blocker) }()
		return ERROR_IO_PENDING
	default:
		return f.wait(want, blocker)
	}
}

// try takes the lock, or returns the entry of one that is in its way.
func (f *modelFile) try(want lock) (blocker string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return "", ERROR_INVALID_HANDLE
	}
	err = f.table.use(func() error {
		_, locks, err := f.table.read()
		if err != nil {
			return err
		}
		for _, held := range locks {
			if want.excludes(held.lock) {
				blocker = held.String()
				return nil
			}
		}
		taken := heldLock{want, lastLock.Add(1)}
		entry, err := f.table.add(taken.String())
		if err == nil {
			f.locks = append(f.locks, ownLock{taken, entry})
		}
		return err
	})
	return blocker, err
}

// wait waits in the kernel, for one lock after the other that is in the way.
func (f *modelFile) wait(want lock, blocker string) (err error) {
	for err == nil && blocker != "" {
		if err = f.table.await(blocker); err == nil {
			blocker, err = f.try(want)
		}
	}
	return err
}

func unlockFileEx(h Handle, reserved, low, high uint32, overlapped *Overlapped) error {
	f, err := find(h)
	if err != nil {
		return err
	}
	if reserved != 0 {
		return ERROR_INVALID_PARAMETER
	}
	s, err := spanOf(low, high, overlapped)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at := -1
	for i, own := range f.locks {
		if own.span == s && (at < 0 || own.exclusive && !f.locks[at].exclusive) {
			at = i
		}
	}
	if at < 0 {
		return ERROR_NOT_LOCKED
	}
	gone := f.locks[at]
	f.locks = slices.Delete(f.locks, at, at+1)
	return f.table.use(gone.remove)
}

// pending has the requests that GetOverlappedResult can ask about: an *Overlapped to a channel.
var pending sync.Map

func getOverlappedResult(_ Handle, overlapped *Overlapped, done *uint32, wait bool) error {
	result, ok := pending.Load(overlapped)
	if !ok {
		return ERROR_INVALID_PARAMETER
	}
	if done != nil {
		*done = 0
	}
	channel := result.(chan error)
	if !wait && len(channel) == 0 {
		return ERROR_IO_INCOMPLETE
	}
	err := <-channel
	pending.Delete(overlapped)
	return err
}
