// Package ledger is the content of locks.json: who has which part.
package ledger

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"example/turnstile/exercises/15_lock_manager/part"
)

// A Checkout is the record that a person has a part. It is data: it stays when the program that made it ends.
type Checkout struct {
	ID       string    `json:"id"`                  // names this checkout, and no other one, ever
	Path     string    `json:"path"`                // the part, as its owner spelled it
	Owner    string    `json:"owner"`               // the person
	LockedAt time.Time `json:"locked_at"`           // in UTC
	Expires  time.Time `json:"expires_at,omitzero"` // from then on it counts no more; zero if it has no end
	Token    uint64    `json:"token"`               // higher than that of every checkout before it
}

// Expired reports whether the checkout has an end, and it has come.
func (c Checkout) Expired(now time.Time) bool { return !c.Expires.IsZero() && !now.Before(c.Expires) }

// A Ledger has one Checkout for each part that is out, in the order of their tokens.
type Ledger struct {
	LastToken uint64     `json:"last_token"` // of all checkouts that there have ever been
	Checkouts []Checkout `json:"checkouts"`
}

// NewID returns 128 random bits in hexadecimal: an ID that no checkout has had before.
func NewID() string {
	bits := make([]byte, 16)
	_, _ = rand.Read(bits) // it never fails: see its documentation
	return hex.EncodeToString(bits)
}

// Find returns the index of the first checkout for the part, or -1.
func (l *Ledger) Find(path string) int {
	return slices.IndexFunc(l.Checkouts, func(c Checkout) bool { return part.Same(c.Path, path) })
}

// FindID returns the index of the first checkout with the ID, or -1.
func (l *Ledger) FindID(id string) int {
	return slices.IndexFunc(l.Checkouts, func(c Checkout) bool { return c.ID == id })
}

// Expire removes the checkouts that have expired.
func (l *Ledger) Expire(now time.Time) {
	l.Checkouts = slices.DeleteFunc(l.Checkouts, func(c Checkout) bool { return c.Expired(now) })
}

// Validate returns an error unless the ledger could have been written by this package's users: each checkout has an ID, an owner and a
// clean path, and the tokens rise. That no part is out twice it does not check.
func (l *Ledger) Validate() error {
	last := uint64(0)
	for i, c := range l.Checkouts {
		switch err := part.Check(c.Path); {
		case err != nil:
			return fmt.Errorf("checkout %d: %w", i+1, err)
		case c.ID == "" || c.Owner == "":
			return fmt.Errorf("checkout %d of %s has no ID or no owner", i+1, c.Path)
		case c.Token <= last:
			return fmt.Errorf("checkout %d of %s has token %d, and one before it has %d; they must rise", i+1, c.Path, c.Token, last)
		}
		last = c.Token
	}
	if last > l.LastToken {
		return errors.New("last_token is lower than the token of a checkout")
	}
	return nil
}
