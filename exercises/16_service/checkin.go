package service

import (
	"context"
	"fmt"
	"io"

	"example/turnstile/exercises/16_service/books"
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

func (s *Service) checkIn(ctx context.Context, person, id string, content io.Reader) (v Version, err error) {
	c, err := s.begin(ctx, person, id)
	if err != nil {
		return Version{}, err
	}
	// TODO: what is left if the program is killed after this line, or after one of the next? And what comes of a call that is repeated?
	if err := s.giveBack(ctx, c); err != nil {
		return Version{}, err
	}
	// TODO: no version has the object yet. What if a collection comes by?
	object, err := s.objects.Put(ctx, content)
	if err != nil {
		return Version{}, err
	}
	err = s.versions.Update(ctx, func(b *books.Books) error {
		// TODO: has the part had another owner since?
		b.Leave(c)
		v = b.Add(c, object, s.now())
		return nil
	})
	return v, err
}
