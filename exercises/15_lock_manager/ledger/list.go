package ledger

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"example/turnstile/exercises/15_lock_manager/part"
)

// ErrCursor is matched by the error of a List that goes on from what is not a cursor of its own.
var ErrCursor = errors.New("this is not a cursor that List or Verify has returned; begin without one")

// How many checkouts List returns in one piece.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// A Query says which checkouts List returns. The zero value means the first DefaultLimit of all.
type Query struct {
	Path   string // only the checkout of this part; "" means any
	ID     string // only the checkout with this ID; "" means any
	Cursor string // those after the piece whose Next this was; "" means from the beginning
	Limit  int    // how many at most; from 1 to MaxLimit; 0 or less means DefaultLimit, more means MaxLimit
}

// A Page is a piece of a list.
type Page struct {
	Checkouts []Checkout // the oldest first; never nil
	Next      string     // the Cursor of the next piece; "" if there is none
}

// Check returns an error for a query that List cannot answer: for a Path that is not clean (part.ErrName), or for a foreign Cursor.
func (q Query) Check() error {
	if q.Path != "" {
		if err := part.Check(q.Path); err != nil {
			return err
		}
	}
	_, err := q.after()
	return err
}

// after returns the token that the cursor stands for: a key and not a position, so it means the same when checkouts before it are gone.
func (q Query) after() (token uint64, err error) {
	if q.Cursor == "" {
		return 0, nil
	}
	if token, err = strconv.ParseUint(q.Cursor, 10, 64); err != nil {
		return 0, fmt.Errorf("cursor %.40q: %w", q.Cursor, ErrCursor)
	}
	return token, nil
}

// List returns the checkouts that the query asks for and that have not expired. Check has found nothing wrong with the query.
func (l *Ledger) List(q Query, now time.Time) Page {
	after, _ := q.after()
	limit := min(q.Limit, MaxLimit)
	if limit <= 0 {
		limit = DefaultLimit
	}
	page := Page{Checkouts: []Checkout{}}
	for _, c := range l.Checkouts {
		switch {
		case c.Token <= after, c.Expired(now), q.ID != "" && c.ID != q.ID, q.Path != "" && !part.Same(c.Path, q.Path):
		case len(page.Checkouts) == limit:
			page.Next = strconv.FormatUint(page.Checkouts[limit-1].Token, 10)
			return page
		default:
			page.Checkouts = append(page.Checkouts, c)
		}
	}
	return page
}

// Split returns the checkouts of the owner, and those of all others. Neither is nil.
func (p Page) Split(owner string) (ours, theirs []Checkout) {
	ours, theirs = []Checkout{}, []Checkout{}
	for _, c := range p.Checkouts {
		if c.Owner == owner {
			ours = append(ours, c)
		} else {
			theirs = append(theirs, c)
		}
	}
	return ours, theirs
}
