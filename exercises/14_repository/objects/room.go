package objects

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// ErrQuota is matched by the error of an upload for which Options.Quota leaves no room.
var ErrQuota = errors.New("the repository's quota leaves no room for it")

// ErrFull is matched by the error of an upload for which the disk, or the user's share of it, has no room.
var ErrFull = errors.New("the disk is full")

// A Room is what one upload takes of the quota. It is an io.Writer that counts, for one goroutine.
type Room struct {
	store *Store
	taken int64
}

// Room begins an upload that has taken nothing yet. Release it when the object is in place, or its temporary file gone.
func (s *Store) Room() *Room { return &Room{store: s} }

// Write takes room for len(data) bytes, or fails with an error that matches ErrQuota and takes none.
//
// The sum of all objects and of this process's uploads under way stays within the quota, so the object that is stored anew needs room twice
// for as long as its upload runs. What other processes store is seen when this one counts: at its first upload and before it refuses one.
// With n processes at work the quota may be exceeded by what n-1 of them have stored since.
func (r *Room) Write(data []byte) (int, error) {
	s := r.store
	if s.quota <= 0 {
		return len(data), nil
	}
	n := int64(len(data))
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !s.fits(n) {
		if err := s.count(); err != nil {
			return 0, fmt.Errorf("count the objects for the quota: %w", err)
		}
		if !s.fits(n) {
			return 0, fmt.Errorf("%w (%d of %d bytes are free)", ErrQuota, max(0, s.quota-s.counted-s.underway), s.quota)
		}
	}
	s.underway += n
	r.taken += n
	return len(data), nil
}

// Release ends the upload. A second Release does nothing.
func (r *Room) Release() {
	r.store.mutex.Lock()
	defer r.store.mutex.Unlock()
	r.store.underway -= r.taken
	r.store.since += r.taken // too much if the upload failed, or replaced an object: then the next one that does not fit counts anew
	r.taken = 0
}

func (s *Store) fits(n int64) bool {
	return s.counted != math.MaxInt64 && s.counted+s.since+s.underway+n <= s.quota
}

func (s *Store) count() error {
	sum := int64(0)
	for object, err := range s.List(context.Background()) {
		if err != nil {
			return err
		}
		sum += object.Size
	}
	s.counted, s.since = sum, 0
	return nil
}

// Explain adds to an error of an upload what the reader can do about it, and ErrFull if it is the kernel's word for that. nil stays nil.
func Explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrQuota):
		return fmt.Errorf("%w; remove objects, or raise the quota", err)
	case IsFull(err):
		return fmt.Errorf("%w: %w; make room on it, remove objects, or sweep", ErrFull, err)
	}
	return err
}
