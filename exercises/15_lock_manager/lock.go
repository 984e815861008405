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
// One Update decides and changes, as in Lock; of the checkouts that have not expired it removes this one or none. If there is no such
// checkout, or it has expired, the error matches ErrNotFound, whoever asks. If it is another owner's, the error is a *HeldError, unless
// force is true: who may force, the caller decides. Any other error is as in Lock. An owner without a name ("") is not an error.
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
