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
// The person may call again with the same ID and the same content, however the first call ended, and as often as they like: a version is
// published once, and each call returns it, also if others have changed the part since. The quota must have room for the content each time.
// With another content the error matches ErrEnded, and the version stays what it is.
//
// If no checkout and no version has the ID, nothing is published, and the error matches ErrEnded. It is the same if a later checkout of the
// part has come by (CheckOut, CheckIn), however long ago CheckIn began. If the checkout is another one's, the error is a
// *lockmanager.HeldError; if the version is another one's, the error matches ErrEnded.
//
// If content fails, or ctx ends before the version is published, or a step is refused, there is no new version, and the person has the part
// still. Two errors come with the version. ErrUnfinished: it is published durably, and a later step was refused, or may not survive a power
// cut (then ErrNotDurable too). ErrNotDurable alone: a power cut may undo the version, and the part is not given back. To call again is
// right for both; after ErrNotDurable, that writes versions.json once more. Each error wraps its cause. Once the version is published, ctx
// plays no part. CheckIn works in its caller's goroutine, and repeats no refused step.
//
// While CheckIn stores and publishes, it is inside the gate, so that no collection takes its files (gate.Gate.Upload); nothing else has to
// wait for a slow content. However it ends, also if content panics, CheckIn has left the gate.
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
