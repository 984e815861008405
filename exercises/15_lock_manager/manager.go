// Package lockmanager keeps who has which part, for many people at once: one checkout for a part, for goroutines and processes alike.
//
// Two locks meet here, and are kept apart. The kernel's lock beside locks.json lasts for milliseconds, and ends with its process: it makes
// one change of the document come after the other. A Checkout lasts for days, and is data: it ends when it is given back, or at a time that
// was set before.
package lockmanager

import (
	"context"
	"errors"
	"fmt"
	"time"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/15_lock_manager/ledger"
	"example/turnstile/exercises/15_lock_manager/part"
)

var (
	// ErrHeld is matched by the error of a call that finds the part in another checkout. It is a *HeldError.
	ErrHeld = errors.New("the part is checked out")
	// ErrNotFound is matched by the error of a call for a checkout that does not exist, or exists no more.
	ErrNotFound = errors.New("there is no such checkout; it has been given back, or has expired; list the checkouts to see what there is")
	// ErrName is matched by the error of a call that names a part by what is no clean path.
	ErrName = part.ErrName
	// ErrOwner is matched by the error of a Lock for an owner whose name is empty or not UTF-8.
	ErrOwner = errors.New("a checkout needs an owner; name a person, in UTF-8")
	// ErrCursor is matched by the error of a List or a Verify that goes on from what is no cursor of theirs.
	ErrCursor = ledger.ErrCursor
)

// A Checkout is the record that a person has a part.
type Checkout = ledger.Checkout

// A HeldError reports the checkout that stands in the way. It matches ErrHeld.
type HeldError struct{ Checkout Checkout }

// Error says who has the part.
func (e *HeldError) Error() string {
	since := e.Checkout.LockedAt.Format(time.RFC3339)
	return fmt.Sprintf("%s has had %s since %s; ask them to give it back", e.Checkout.Owner, e.Checkout.Path, since)
}

// Is makes it match ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Options of a Manager. The zero value is a good one.
type Options struct {
	Lease time.Duration    // after how long a checkout expires, unless it is renewed; 0 means never
	Now   func() time.Time // the clock; nil means time.Now
}

// A Manager keeps checkouts in a document. Any number of goroutines may use one, and any number of Managers, in this process and in others,
// may use one document.
//
// An expired checkout counts as given back: no call returns it, and its part can be taken. All clocks that judge it must agree roughly. The
// program of a person whose clock is wrong, or whose machine slept, may still work on the part: see Archive for what stops it.
type Manager struct {
	document *document.Document[ledger.Ledger]
	lease    time.Duration
	now      func() time.Time
}

// New returns a manager of the checkouts in the document at path. It opens no file: if the document does not exist, each call's error
// matches fs.ErrNotExist. See Create.
func New(path string, options Options) *Manager {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Manager{
		document: document.New(path, document.Options[ledger.Ledger]{Validate: (*ledger.Ledger).Validate}),
		lease:    options.Lease, now: options.Now,
	}
}

// Create makes the document, without checkouts. If it exists, it stays as it is, and the error matches fs.ErrExist.
func (m *Manager) Create(ctx context.Context) error {
	return m.document.Create(ctx, &ledger.Ledger{Checkouts: []Checkout{}})
}

// Recover puts the document in order after a process crash; see document.Document.Recover, and call it when a program starts. If it has
// to go back to the backup, the checkouts that were made last are lost, and their tokens must not be given out again: so the tokens that
// follow are much higher.
func (m *Manager) Recover(ctx context.Context) (done document.Recovery, err error) {
	if done, err = m.document.Recover(ctx); err != nil || done.Restored == 0 {
		return done, err
	}
	err = m.document.Update(ctx, func(l *ledger.Ledger) error {
		l.LastToken += 1 << 20
		return nil
	})
	if err != nil {
		err = fmt.Errorf("raise the tokens after a recovery: %w; without that, old ones may come again", err)
	}
	return done, err
}

// Renew makes the lease of a checkout begin anew. The checkout keeps its ID and its token: its owner has had it all the time. If it has
// expired, the error matches ErrNotFound, even if no one has taken the part since, and the owner must Lock it again; if it is another's,
// ErrHeld. After an error that matches document.ErrSaved the lease has been renewed, and the checkout is returned beside the error.
func (m *Manager) Renew(ctx context.Context, owner, id string) (Checkout, error) {
	var renewed Checkout
	err := m.document.Update(ctx, func(l *ledger.Ledger) error {
		now := m.now().UTC()
		l.Expire(now)
		i := l.FindID(id)
		if i < 0 {
			return ErrNotFound
		}
		if l.Checkouts[i].Owner != owner {
			return &HeldError{l.Checkouts[i]}
		}
		if m.lease > 0 {
			l.Checkouts[i].Expires = now.Add(m.lease)
		}
		renewed = l.Checkouts[i]
		return nil
	})
	if err == nil {
		return renewed, nil
	}
	if !errors.Is(err, document.ErrSaved) {
		renewed = Checkout{}
	}
	return renewed, fmt.Errorf("renew checkout %s for %s: %w", id, owner, err)
}

// How many checkouts List and Verify return in one piece.
const (
	DefaultLimit = ledger.DefaultLimit
	MaxLimit     = ledger.MaxLimit
)

type (
	// A Query says which checkouts List returns.
	Query = ledger.Query
	// A Page is a piece of a list.
	Page = ledger.Page
)

// List returns the checkouts that the query asks for, piece by piece.
//
// A caller that goes from piece to piece sees every checkout that exists from the first to the last call, once, however many others are
// made or given back meanwhile. If Path is not clean, the error matches ErrName; if Cursor is not one that List returned, ErrCursor.
func (m *Manager) List(ctx context.Context, q Query) (Page, error) {
	page, err := m.list(ctx, q)
	if err != nil {
		return Page{}, fmt.Errorf("list checkouts: %w", err)
	}
	return page, nil
}

// Verify is List for an owner who is about to publish: which checkouts are theirs (ours), and which are of others. Neither is nil. The
// limit is for both together.
func (m *Manager) Verify(ctx context.Context, owner, cursor string, limit int) (ours, theirs []Checkout, next string, err error) {
	page, err := m.list(ctx, Query{Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, nil, "", fmt.Errorf("verify checkouts for %s: %w", owner, err)
	}
	ours, theirs = page.Split(owner)
	return ours, theirs, page.Next, nil
}

func (m *Manager) list(ctx context.Context, q Query) (page Page, err error) {
	if err := q.Check(); err != nil {
		return Page{}, err
	}
	err = m.document.View(ctx, func(l *ledger.Ledger) error {
		page = l.List(q, m.now())
		return nil
	})
	return page, err
}
