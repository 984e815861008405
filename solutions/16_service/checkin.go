package service

import (
	"context"
	"errors"
	"fmt"
	"io"

	"example/turnstile/exercises/16_service/books"
	document "example/turnstile/solutions/13_document"
)

// CheckIn makes content, from where it stands to its end, the next version of the part that the person has, gives the part back, and
// returns the version.
//
// It is all or nothing, to everyone who looks, and wherever its program is killed: after a Recover, either there is no new version and the
// person has the part still, or there is one, with its whole content, and the part is free. Recover needs no more than what the directory
// holds.
//
// The person may call again with the same ID and the same content, however the first call ended, also while it is under way: a version is
// published once, and each call returns it, also if others have changed the part since. The quota must have room for the content each time.
// With another content the error matches ErrEnded, and the version stays what it is.
//
// Twice CheckIn looks whether it may. At its beginning (begin): if no checkout and no version has the ID, or the version is another one's,
// the error matches ErrEnded; if the checkout is another one's, it is a *lockmanager.HeldError. When it publishes: if a later checkout of
// the part has come by (CheckOut, CheckIn), the error matches ErrEnded. If the checkout only ended in between, either answer is right.
//
// An error before the version is published, of content, of ctx or of a step, comes with no version: there is none, and the person has the
// part still. Once it is published, ctx plays no part, and the version comes with every error: ErrNotDurable alone if a power cut may undo
// it, and then the part is not given back; otherwise ErrUnfinished. To call again is right for both; after ErrNotDurable, that writes
// versions.json once more. Each error wraps its cause. CheckIn works in its caller's goroutine, repeats no refused step, and repairs no
// document.
//
// CheckIn reads content, stores and publishes inside the gate, so that no collection takes its files (gate.Gate.Upload); nothing else has
// to wait for a slow content. However it ends, also if content panics, CheckIn has left the gate.
func (s *Service) CheckIn(ctx context.Context, person, id string, content io.Reader) (Version, error) {
	v, err := s.checkIn(ctx, person, id, content)
	if err != nil {
		return v, fmt.Errorf("check in %s for %s: %w", id, person, err)
	}
	return v, nil
}

func (s *Service) checkIn(ctx context.Context, person, id string, content io.Reader) (Version, error) {
	c, err := s.begin(ctx, person, id)
	if err != nil {
		return Version{}, err
	}
	v, err := s.publish(ctx, c, content)
	if errors.Is(err, document.ErrSaved) && !errors.Is(err, ErrNotDurable) {
		return v, fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	if err != nil {
		return v, err
	}
	if err := s.giveBack(context.WithoutCancel(ctx), c); err != nil { // the version is there: the caller's context ends nothing any more
		return v, fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	return v, nil
}

// publish stores the content and makes it a version. The change of versions.json is the step that decides.
func (s *Service) publish(ctx context.Context, c Checkout, content io.Reader) (v Version, err error) {
	pass, err := s.gate.Upload(ctx)
	if err != nil {
		return Version{}, err
	}
	defer pass.Leave() //nolint:errcheck // what it guarded is done, and the file is closed
	object, err := s.objects.Put(ctx, content)
	if err != nil {
		return Version{}, err
	}
	err = s.versions.Update(ctx, func(b *books.Books) error {
		var published bool
		if v, published = b.Of(c.ID); published {
			if v.Object != object.ID {
				return ErrEnded
			}
			return nil // and write it once more: the first time may not have been durable
		}
		if c.Token < b.Mark(c.Path) {
			return ErrEnded
		}
		b.Leave(c)
		v = b.Add(c, object, s.now())
		return nil
	})
	if err != nil && !errors.Is(err, document.ErrSaved) {
		v = Version{}
	}
	return v, err
}
