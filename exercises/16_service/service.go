// Package service lets people check parts out, work on them, and check the result in: any number of programs on one directory, any of which
// may be killed at any moment.
//
// The directory belongs to the service. It has
//
//	locks.json      who has which part (lesson 15)
//	versions.json   what was checked in (package books)
//	objects, tmp    the contents (lesson 14)
//	uploads.lock    keeps uploads and collection apart (package gate)
//
// No single call can change all of them. So there is one step that decides, the change of versions.json: what comes before it can be thrown
// away, and what comes after it can be done by others, again, and twice.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	document "example/turnstile/exercises/13_document"
	repository "example/turnstile/exercises/14_repository"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/16_service/books"
	"example/turnstile/exercises/16_service/gate"
)

var (
	// ErrEnded is matched by the error of a CheckIn for a checkout that has ended, or has never been. It is lockmanager.ErrFenced.
	ErrEnded = lockmanager.ErrFenced
	// ErrForbidden is matched by the error of a person who may not force.
	ErrForbidden = errors.New("the policy does not let this person give back what another one has; ask the owner")
	// ErrPublished is matched by the error of an Undo that comes too late.
	ErrPublished = errors.New("the checkout has been checked in, and its version stays; check the part out to change it again")
	// ErrNotDurable is matched by the error of a call whose change is made, and which a power cut may undo.
	ErrNotDurable = document.ErrNotDurable
	// ErrUnfinished is matched by the error of a CheckIn that has published the version, durably, and met an error after that.
	ErrUnfinished = errors.New("the version is published, but the part may not be given back; check it in again, or let Recover do the rest")
)

type (
	// A Checkout is the record that a person has a part.
	Checkout = lockmanager.Checkout
	// A Version is one state of a part that was checked in.
	Version = books.Version
)

// Options of a Service. The zero value is a good one.
type Options struct {
	Lease time.Duration    // after how long a checkout expires; 0 means never
	Now   func() time.Time // the clock; nil means time.Now
	Quota int64            // how many bytes the objects may have; 0 means any number
	// MayForce is the policy: whether a person may undo another one's checkout. Nil means that no one may. It must not use the service.
	MayForce func(person string, other Checkout) bool
}

// A Service works in a directory. Any number of goroutines may use one, and any number of Services, in this process and in others, may use
// one directory.
type Service struct {
	manager  *lockmanager.Manager
	objects  *repository.Repository
	versions *document.Document[books.Books]
	gate     gate.Gate
	now      func() time.Time
	mayForce func(string, Checkout) bool
}

// Create makes a new service in the directory at dir, which must exist, and opens it. If there is a service, the error matches fs.ErrExist.
// A Create that was killed can be called again.
func Create(ctx context.Context, dir string, options Options) (*Service, error) {
	s := with(dir, options)
	for _, err := range []error{s.manager.Create(ctx), s.versions.Create(ctx, books.New())} {
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create a service: %w", err)
		}
	}
	// The objects come last: Open takes no service that is half made.
	objects, err := repository.Create(dir, repository.Options{Quota: options.Quota})
	if err != nil {
		return nil, fmt.Errorf("create a service: %w", err)
	}
	s.objects = objects
	return s, nil
}

// Open opens the service in the directory at dir. It makes nothing: if there is none, the error matches fs.ErrNotExist. Call Recover next.
func Open(dir string, options Options) (*Service, error) {
	s := with(dir, options)
	objects, err := repository.Open(dir, repository.Options{Quota: options.Quota})
	if err != nil {
		return nil, fmt.Errorf("open a service: %w", err)
	}
	s.objects = objects
	return s, nil
}

func with(dir string, options Options) *Service {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.MayForce == nil {
		options.MayForce = func(string, Checkout) bool { return false }
	}
	return &Service{
		manager:  lockmanager.New(filepath.Join(dir, "locks.json"), lockmanager.Options{Lease: options.Lease, Now: options.Now}),
		versions: document.New(filepath.Join(dir, "versions.json"), document.Options[books.Books]{Validate: (*books.Books).Validate}),
		gate:     gate.New(filepath.Join(dir, "uploads.lock")),
		now:      options.Now, mayForce: options.MayForce,
	}
}

// Close closes the directory. Contents that are open stay open.
func (s *Service) Close() error { return s.objects.Close() }

// CheckOut gives a person the part, and returns the checkout and the part's last content, which the caller closes; a part without a version
// has an empty one. From then on, no earlier checkout of the part can be checked in.
//
// If another one has the part, the error is a *lockmanager.HeldError. A person who has it gets the same checkout once more: an answer that
// was lost can be asked for again. If the content cannot be handed over, the checkout is returned beside the error: call CheckOut again, or
// Undo.
func (s *Service) CheckOut(ctx context.Context, person, path string) (Checkout, io.ReadCloser, error) {
	c, err := s.manager.Lock(ctx, person, path)
	var held *lockmanager.HeldError
	if errors.As(err, &held) && held.Checkout.Owner == person {
		c, err = held.Checkout, nil
	}
	var content io.ReadCloser
	if err == nil {
		content, err = s.handOver(ctx, c)
	}
	if err != nil {
		return c, nil, fmt.Errorf("check out %s for %s: %w", path, person, err)
	}
	return c, content, nil
}

// handOver leaves the token of the checkout, and opens the part's last content.
func (s *Service) handOver(ctx context.Context, c Checkout) (io.ReadCloser, error) {
	var history []Version
	err := s.versions.Update(ctx, func(b *books.Books) error {
		if _, published := b.Of(c.ID); published {
			return ErrUnfinished
		}
		if c.Token < b.Mark(c.Path) {
			return ErrEnded
		}
		b.Leave(c)
		history = b.History(c.Path)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(history) == 0:
		return io.NopCloser(strings.NewReader("")), nil
	default:
		return s.objects.Get(ctx, history[len(history)-1].Object)
	}
}

// Undo gives a part back as it was before it was checked out, and returns the checkout that has ended. Another one's checkout it gives back
// only with force, and if the policy lets the person do that (ErrForbidden); without force, the error is a *lockmanager.HeldError. If there
// is no such checkout, the error matches lockmanager.ErrNotFound. If it has been checked in, the part is given back all the same, and the
// error matches ErrPublished.
func (s *Service) Undo(ctx context.Context, person, id string, force bool) (Checkout, error) {
	c, err := s.undo(ctx, person, id, force)
	if err != nil {
		return c, fmt.Errorf("undo checkout %s for %s: %w", id, person, err)
	}
	return c, nil
}

func (s *Service) undo(ctx context.Context, person, id string, force bool) (Checkout, error) {
	c, found, err := s.find(ctx, id)
	switch {
	case err != nil:
		return Checkout{}, err
	case !found:
		return Checkout{}, lockmanager.ErrNotFound
	case force && c.Owner != person && !s.mayForce(person, c): // decided before the change: no checkout ever gets another owner
		return Checkout{}, ErrForbidden
	}
	if c, err = s.manager.Unlock(ctx, person, id, force); err != nil {
		return c, err
	}
	err = s.versions.View(ctx, func(b *books.Books) error {
		if _, published := b.Of(id); published {
			return ErrPublished
		}
		return nil
	})
	return c, err
}

// Checkouts returns all checkouts that are in force.
func (s *Service) Checkouts(ctx context.Context) (all []Checkout, err error) {
	for cursor := ""; ; {
		page, err := s.manager.List(ctx, lockmanager.Query{Cursor: cursor, Limit: lockmanager.MaxLimit})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Checkouts...)
		if cursor = page.Next; cursor == "" {
			return all, nil
		}
	}
}

// find returns the checkout with the ID, if it is in force.
func (s *Service) find(ctx context.Context, id string) (c Checkout, found bool, err error) {
	page, err := s.manager.List(ctx, lockmanager.Query{ID: id})
	if err != nil || id == "" || len(page.Checkouts) == 0 {
		return Checkout{}, false, err
	}
	return page.Checkouts[0], true, nil
}

// begin returns the checkout that a person wants to check in: as it is in force, or, if it was checked in before, as its version has it. If
// it is neither, the error matches ErrEnded; if it is another one's, it is a *lockmanager.HeldError, or ErrEnded if that one has checked it
// in.
//
// It asks the manager first. The other way round, a CheckIn that publishes and gives back between the two questions would be seen by
// neither.
func (s *Service) begin(ctx context.Context, person, id string) (Checkout, error) {
	c, found, err := s.find(ctx, id)
	switch {
	case err != nil:
		return Checkout{}, err
	case found && c.Owner != person:
		return Checkout{}, &lockmanager.HeldError{Checkout: c}
	case found:
		return c, nil
	}
	err = s.versions.View(ctx, func(b *books.Books) error {
		v, published := b.Of(id)
		if !published || v.Owner != person {
			return ErrEnded
		}
		c = Checkout{ID: id, Owner: person, Path: v.Path, Token: v.Token}
		return nil
	})
	return c, err
}

// giveBack ends a checkout. That it has ended already is as good.
func (s *Service) giveBack(ctx context.Context, c Checkout) error {
	if _, err := s.manager.Unlock(ctx, c.Owner, c.ID, false); !errors.Is(err, lockmanager.ErrNotFound) {
		return err
	}
	return nil
}

// restore brings both documents in order. Before it brings versions.json back from its backup, without the last versions, it bars the gate:
// what is left of those are objects without a home. A collection that was inside already has to leave first, and knows the old versions.
func (s *Service) restore(ctx context.Context) (locks, versions document.Recovery, err error) {
	if locks, err = s.manager.Recover(ctx); err != nil {
		return locks, versions, err
	}
	err = s.versions.View(ctx, func(*books.Books) error { return nil })
	var damage *document.CorruptError
	if errors.As(err, &damage) || errors.Is(err, fs.ErrNotExist) {
		if err := s.gate.Bar(); err != nil {
			return locks, versions, err
		}
		pass, err := s.gate.Upload(ctx)
		if err != nil {
			return locks, versions, err
		}
		defer pass.Leave() //nolint:errcheck // what it guarded is done, and the file is closed
	}
	versions, err = s.versions.Recover(ctx)
	return locks, versions, err
}

// History returns the versions of the part, the first one first.
func (s *Service) History(ctx context.Context, path string) (history []Version, err error) {
	err = s.versions.View(ctx, func(b *books.Books) error {
		history = b.History(path)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("history of %s: %w", path, err)
	}
	return history, nil
}

// Content opens the content of a version, for its caller to close.
func (s *Service) Content(ctx context.Context, v Version) (io.ReadCloser, error) {
	content, err := s.objects.Get(ctx, v.Object)
	if err != nil {
		return nil, fmt.Errorf("version %d of %s: %w", v.Number, v.Path, err)
	}
	return content, nil
}
