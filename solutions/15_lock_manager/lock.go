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
// One Update decides, by what it finds in the document; a View before it may refuse already, and do no more. If the part is out, under any
// of its names (part.Same) and even to the same owner, the error is a *HeldError with the checkout that was found. A checkout of the part
// that has expired is removed.
//
// The checkout has the path and the owner as they are given. If the path is not clean (part.Check), the error matches ErrName; if the owner
// is empty or not UTF-8, ErrOwner.
//
// Its ID is new, in all workshops: at least 64 random bits, in at most 200 letters, digits and . _ ~ -, which a URL does not escape. Its
// token is higher than those of all before it, even of those that are gone. It has the Update's time by the clock; if the Manager has a
// lease, it expires when that has passed.
//
// Any other error is that of the View or of the Update. Only if it matches document.ErrSaved has the change been made: the checkout is
// returned beside it. Even if the clock panics, nothing stays locked.
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
// One Update decides and changes, as in Lock; of the checkouts that have not expired it removes this one or none. If there is no such
// checkout, or it has expired, the error matches ErrNotFound, whoever asks. If it is another owner's, the error is a *HeldError, unless
// force is true: who may force, the caller decides. Any other error is as in Lock. An owner without a name ("") is not an error.
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
