package lockmanager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"example/turnstile/exercises/15_lock_manager/ledger"
	"example/turnstile/exercises/15_lock_manager/part"
	document "example/turnstile/solutions/13_document"
)

// Lock checks a part out for its owner, and returns the new checkout.
//
// There is never more than one checkout for a part, under any of its names (part.Same), however many Locks run at the same time, in this
// process and in others. If the part is out, even to the same owner, the error is a *HeldError with that checkout. Only what the document
// holds in this call decides: in a View if Lock refuses, when it is changed if Lock checks the part out. A checkout of the part that has
// expired is replaced.
//
// The checkout has the path and the owner as they are given. If the path is not clean (part.Check), the error matches ErrName; if the owner
// is empty or not UTF-8, ErrOwner.
//
// No checkout in any workshop has had its ID before: it has at least 64 random bits, which need not be secret, in at most 200 letters,
// digits and . _ ~ -, which a URL does not escape. Its token is higher than those of all before it, including checkouts that are gone. It
// has the clock's time to the nanosecond; if the Manager has a lease, it expires when the lease has passed since then.
//
// If ctx ends before the change begins, or the change fails, nothing has changed, and the error wraps the reason. Only if the error matches
// document.ErrSaved has the change been made: the checkout is returned beside the error. If it matches document.ErrNotDurable too, a power
// cut may undo the change. Even if the clock panics, nothing stays locked.
func (m *Manager) Lock(ctx context.Context, owner, path string) (Checkout, error) {
	if owner == "" || !utf8.ValidString(owner) {
		return Checkout{}, fmt.Errorf("lock %s: %w", path, ErrOwner)
	}
	if err := part.Check(path); err != nil {
		return Checkout{}, fmt.Errorf("lock for %s: %w", owner, err)
	}
	made := Checkout{ID: ledger.NewID(), Path: path, Owner: owner}
	err := m.document.Update(ctx, func(l *ledger.Ledger) error {
		made.LockedAt = m.now().UTC()
		l.Expire(made.LockedAt)
		if i := l.Find(path); i >= 0 {
			return &HeldError{l.Checkouts[i]}
		}
		if m.lease > 0 {
			made.Expires = made.LockedAt.Add(m.lease)
		}
		l.LastToken++
		made.Token = l.LastToken
		l.Checkouts = append(l.Checkouts, made)
		return nil
	})
	return result(made, err, "lock %s for %s", path, owner)
}

// Unlock gives the checkout with the ID back, and returns it as it was.
//
// Of the checkouts that have not expired it removes this one or none, whatever others do at the same time: none with another ID, even of
// the same part. If there is no such checkout, or it has expired, the error matches ErrNotFound, whoever asks. Otherwise, if it is another
// owner's, the error is a *HeldError, unless force is true: who may force, the caller decides. An owner without a name ("") is no error.
//
// Otherwise it fails as Lock does.
func (m *Manager) Unlock(ctx context.Context, owner, id string, force bool) (Checkout, error) {
	var removed Checkout
	err := m.document.Update(ctx, func(l *ledger.Ledger) error {
		l.Expire(m.now())
		i := l.FindID(id)
		if i < 0 {
			return ErrNotFound
		}
		removed = l.Checkouts[i]
		if removed.Owner != owner && !force {
			return &HeldError{removed}
		}
		l.Checkouts = slices.Delete(l.Checkouts, i, i+1)
		return nil
	})
	return result(removed, err, "unlock %s for %s", id, owner)
}

// result returns what a change has made, if it was made.
func result(c Checkout, err error, doing string, args ...any) (Checkout, error) {
	if err == nil {
		return c, nil
	}
	err = fmt.Errorf(doing+": %w", append(args, err)...)
	if !errors.Is(err, document.ErrSaved) {
		c = Checkout{}
	}
	return c, err
}
