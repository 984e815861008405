package lockmanager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/15_lock_manager/ledger"
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
	// TODO: which names does a part have? And what becomes of this answer until the document is changed?
	var held *Checkout
	err := m.document.View(ctx, func(l *ledger.Ledger) error {
		for _, c := range l.Checkouts {
			if c.Path == path {
				held = &c
			}
		}
		return nil
	})
	if err != nil {
		return Checkout{}, fmt.Errorf("lock %s for %s: %w", path, owner, err)
	}
	if held != nil {
		return Checkout{}, fmt.Errorf("lock %s for %s: %w", path, owner, &HeldError{*held})
	}
	// TODO: the ID names the part, and so does that of the next checkout. And when does this one expire?
	made := Checkout{ID: identify(path), Path: path, Owner: owner, LockedAt: m.now().UTC()}
	err = m.document.Update(ctx, func(l *ledger.Ledger) error {
		l.LastToken++
		made.Token = l.LastToken
		l.Checkouts = append(l.Checkouts, made)
		return nil
	})
	return result(made, err, "lock %s for %s", path, owner)
}

// identify makes an ID for the part.
func identify(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:16])
}

// Unlock gives the checkout with the ID back, and returns it as it was.
//
// It removes this checkout or none, whatever others do at the same time: never one that has another ID, of the same part or not. If there
// is no such checkout, or it has expired, the error matches ErrNotFound, whoever asks. Otherwise, if it is another owner's, the error is
// a *HeldError, unless force is true. An owner without a name ("") has no checkouts and is no error. The caller decides who may force.
//
// If ctx ends or the change fails, the errors are those of Lock.
func (m *Manager) Unlock(ctx context.Context, owner, id string, force bool) (Checkout, error) {
	var found *Checkout
	err := m.document.View(ctx, func(l *ledger.Ledger) error {
		for _, c := range l.Checkouts {
			if c.ID == id {
				found = &c
			}
		}
		return nil
	})
	if err != nil {
		return Checkout{}, fmt.Errorf("unlock %s for %s: %w", id, owner, err)
	}
	if found == nil {
		return Checkout{}, fmt.Errorf("unlock %s for %s: %w", id, owner, ErrNotFound)
	}
	if found.Owner != owner && !force {
		return Checkout{}, fmt.Errorf("unlock %s for %s: %w", id, owner, &HeldError{*found})
	}
	err = m.document.Update(ctx, func(l *ledger.Ledger) error {
		// TODO: whose checkout of the part is it by now?
		l.Checkouts = slices.DeleteFunc(l.Checkouts, func(c Checkout) bool { return c.Path == found.Path })
		return nil
	})
	return result(*found, err, "unlock %s for %s", id, owner)
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
