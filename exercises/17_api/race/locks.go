package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"example/turnstile/exercises/11_locked_file/filelock"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/ledger"
	"example/turnstile/exercises/15_lock_manager/part"
)

// plain is a Locks that is right and neither durable nor fast. The demo has one of its own, so that it shows what the handlers do, whatever
// lessons 13 to 15 are like by now.
type plain struct{ path string }

// update calls change with the ledger while no one else has it, and writes it back unless change returns an error.
func (p plain) update(ctx context.Context, change func(l *ledger.Ledger) error) (err error) {
	file, err := os.OpenFile(p.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lock, err := filelock.New(file)
	if err != nil {
		return err
	}
	if err := lock.Lock(ctx, filelock.Exclusive); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	var l ledger.Ledger
	text, err := os.ReadFile(p.path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	if err := change(&l); err != nil {
		return err
	}
	if text, err = json.Marshal(l); err != nil {
		return err
	}
	return os.WriteFile(p.path, text, 0o600)
}

// nothing changes nothing.
func nothing(*ledger.Ledger) error { return nil }

func (p plain) Lock(ctx context.Context, owner, path string) (made lockmanager.Checkout, err error) {
	if err := part.Check(path); err != nil {
		return made, err
	}
	err = p.update(ctx, func(l *ledger.Ledger) error {
		if i := l.Find(path); i >= 0 {
			return &lockmanager.HeldError{Checkout: l.Checkouts[i]}
		}
		l.LastToken++
		made = lockmanager.Checkout{ID: ledger.NewID(), Path: path, Owner: owner, Token: l.LastToken}
		l.Checkouts = append(l.Checkouts, made)
		return nil
	})
	return made, err
}

func (p plain) Unlock(ctx context.Context, owner, id string, force bool) (removed lockmanager.Checkout, err error) {
	err = p.update(ctx, func(l *ledger.Ledger) error {
		i := l.FindID(id)
		if i < 0 {
			return lockmanager.ErrNotFound
		}
		if removed = l.Checkouts[i]; removed.Owner != owner && !force {
			return &lockmanager.HeldError{Checkout: removed}
		}
		l.Checkouts = append(l.Checkouts[:i], l.Checkouts[i+1:]...)
		return nil
	})
	return removed, err
}

// List returns all that the query asks for in one piece.
func (p plain) List(ctx context.Context, q lockmanager.Query) (page lockmanager.Page, err error) {
	err = p.update(ctx, func(l *ledger.Ledger) error {
		for _, c := range l.Checkouts {
			if (q.ID == "" || c.ID == q.ID) && (q.Path == "" || part.Same(c.Path, q.Path)) {
				page.Checkouts = append(page.Checkouts, c)
			}
		}
		return nil
	})
	return page, err
}

func (p plain) Verify(ctx context.Context, owner, _ string, _ int) (ours, theirs []lockmanager.Checkout, next string, err error) {
	page, err := p.List(ctx, lockmanager.Query{})
	for _, c := range page.Checkouts {
		if c.Owner == owner {
			ours = append(ours, c)
		} else {
			theirs = append(theirs, c)
		}
	}
	return ours, theirs, "", err
}
