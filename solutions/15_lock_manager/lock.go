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
// There is never more than one checkout for a part, however many Locks for it run at the same time, in this process and in others, under
// any of its names (part.Same). If the part is out, even to the same owner, the error is a *HeldError with that checkout, and matches
// ErrHeld. What the document holds while Lock has its lock decides, and nothing that was read or noted before.
//
// The path must be clean (part.Check), or the error matches ErrName; the checkout has it as it is. The owner is any text in UTF-8, and the
// checkout has it as it is; if it is empty or not UTF-8, the error matches ErrOwner.
//
// The checkout has an ID that no checkout has had before, in any workshop: it is drawn at random, at least 64 bits. It has a token that is
// higher than those of all before it, including checkouts that are gone, and even if the owner has had the part before. It has the clock's
// time to the nanosecond, and if the Manager has a lease, it expires when the lease has passed since then; a checkout that has expired does
// not stand in the way. The ID has at most 200 letters, digits and . _ ~ -, whatever the owner's name is, so it needs no escape in a URL.
//
// If ctx ends before the change begins, or the change fails, nothing has changed, and the error wraps the reason. Only if the error matches
// document.ErrSaved has the change been made: the checkout is returned beside the error. If the error matches document.ErrNotDurable too, a
// power cut may undo the change.
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
// It removes this checkout or none, whatever others do at the same time: never one that has another ID, of the same part or not. If there
// is no such checkout, or it has expired, the error matches ErrNotFound, whoever asks. Otherwise, if it is another owner's, the error is
// a *HeldError, unless force is true. An owner without a name ("") has no checkouts and is no error. The caller decides who may force.
//
// If ctx ends or the change fails, the errors are those of Lock.
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
