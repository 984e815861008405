// Package books is the content of versions.json: what has been checked in, and which tokens have come by.
package books

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"example/turnstile/exercises/14_repository/objects"
	"example/turnstile/exercises/15_lock_manager/ledger"
	"example/turnstile/exercises/15_lock_manager/part"
)

// A Version is one state of a part that was checked in. Its content is an object; the record says where it is at home.
type Version struct {
	Path     string     `json:"path"`     // the part
	Number   int        `json:"number"`   // of the part, from 1
	Owner    string     `json:"owner"`    // who checked it in
	Checkout string     `json:"checkout"` // the ID of the checkout that it was made of
	Token    uint64     `json:"token"`    // and that one's token
	Object   objects.ID `json:"oid"`      // the content
	Size     int64      `json:"size"`     // of the content
	At       time.Time  `json:"at"`       // when it was checked in, in UTC
}

// Books have all versions, in the order in which they were published, and for each part the highest token that has come by (15).
type Books struct {
	Versions []Version         `json:"versions"`
	Marks    map[string]uint64 `json:"marks"` // by part.Key
}

// New returns books without a version.
func New() *Books { return &Books{Versions: []Version{}, Marks: map[string]uint64{}} }

// Of returns the first version that was made of the checkout with the ID.
func (b *Books) Of(checkout string) (v Version, found bool) {
	if i := slices.IndexFunc(b.Versions, func(v Version) bool { return v.Checkout == checkout }); i >= 0 {
		return b.Versions[i], true
	}
	return v, false
}

// History returns the versions of the part, the first one first.
func (b *Books) History(path string) []Version {
	history := []Version{}
	for _, v := range b.Versions {
		if part.Same(v.Path, path) {
			history = append(history, v)
		}
	}
	return history
}

// Mark returns the highest token that has come by for the part.
func (b *Books) Mark(path string) uint64 { return b.Marks[part.Key(path)] }

// Leave makes the token of the checkout the mark of its part, if it is higher.
func (b *Books) Leave(c ledger.Checkout) {
	key := part.Key(c.Path)
	b.Marks[key] = max(b.Marks[key], c.Token)
}

// Add records the object as the next version of the part, made of the checkout, and returns it. It asks nothing.
func (b *Books) Add(c ledger.Checkout, object objects.Object, at time.Time) Version {
	v := Version{
		Path: c.Path, Number: len(b.History(c.Path)) + 1, Owner: c.Owner, Checkout: c.ID, Token: c.Token,
		Object: object.ID, Size: object.Size, At: at.UTC(),
	}
	b.Versions = append(b.Versions, v)
	return v
}

// Validate returns an error unless the books could have been written by this package's users: each version has an owner, a checkout and a
// clean path, and those of a part are numbered from 1. That no checkout has two versions it does not check.
func (b *Books) Validate() error {
	if b.Versions == nil || b.Marks == nil {
		return errors.New("the books have no \"versions\" or no \"marks\"")
	}
	last := map[string]int{}
	for i, v := range b.Versions {
		key := part.Key(v.Path)
		switch err := part.Check(v.Path); {
		case err != nil:
			return fmt.Errorf("version %d of the books: %w", i+1, err)
		case v.Owner == "" || v.Checkout == "":
			return fmt.Errorf("version %d of the books, of %s, has no owner or no checkout", i+1, v.Path)
		case v.Number != last[key]+1:
			return fmt.Errorf("%s has version %d after version %d", v.Path, v.Number, last[key])
		}
		last[key]++
	}
	return nil
}
