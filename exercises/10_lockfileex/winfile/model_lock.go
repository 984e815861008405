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
	r := &request{file: f, want: want, result: make(chan error, 1)}
	blocker, err := r.try()
	switch {
	case err != nil || blocker == "":
		return err
	case flags&LOCKFILE_FAIL_IMMEDIATELY != 0:
		return ERROR_LOCK_VIOLATION
	case f.overlapped:
		pending.Store(overlapped, r)
		go func() { r.result <- r.wait(blocker) }()
		return ERROR_IO_PENDING
	default:
		return r.wait(blocker)
	}
}

// A request is one for a lock.
type request struct {
	file             *modelFile
	want             lock
	result           chan error // what a pending one ends with
	taken, abandoned bool       // guarded by the file's mu
}

// try takes the lock, or returns the entry of one that is in its way.
func (r *request) try() (blocker string, err error) {
	f, want := r.file, r.want
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || r.abandoned {
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
			f.locks, r.taken = append(f.locks, ownLock{taken, entry}), true
		}
		return err
	})
	return blocker, err
}

// wait waits in the kernel, for one lock after the other that is in the way.
func (r *request) wait(blocker string) (err error) {
	for err == nil && blocker != "" {
		if err = r.file.table.await(blocker); err == nil {
			blocker, err = r.try()
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
	return f.drop(s)
}

// drop takes a lock on that range away. The caller has f.mu.
func (f *modelFile) drop(s span) error {
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

// pending has the requests that GetOverlappedResult can ask about: an *Overlapped to a *request.
var pending sync.Map

// abandon ends a pending request without a lock.
func abandon(_ Handle, overlapped *Overlapped) {
	asked, ok := pending.LoadAndDelete(overlapped)
	if !ok {
		return
	}
	r := asked.(*request)
	r.file.mu.Lock()
	defer r.file.mu.Unlock()
	r.abandoned = true
	if r.taken {
		_ = r.file.drop(r.want.span)
	}
}

func getOverlappedResult(_ Handle, overlapped *Overlapped, done *uint32, wait bool) error {
	asked, ok := pending.Load(overlapped)
	if !ok {
		return ERROR_INVALID_PARAMETER
	}
	if done != nil {
		*done = 0
	}
	r := asked.(*request)
	if !wait && len(r.result) == 0 {
		return ERROR_IO_INCOMPLETE
	}
	err := <-r.result
	pending.Delete(overlapped)
	return err
}
