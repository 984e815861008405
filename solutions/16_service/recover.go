package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"example/turnstile/exercises/16_service/books"
	"example/turnstile/exercises/16_service/gate"
	document "example/turnstile/solutions/13_document"
	repository "example/turnstile/solutions/14_repository"
)

// A Recovery says what Recover has done.
type Recovery struct {
	Locks, Versions document.Recovery // of locks.json and of versions.json
	GivenBack       []Checkout        // those whose version had been published
	Collected       bool              // whether objects without a home were looked for
	Removed         int               // how many objects and temporary files were removed
}

// Recover puts in order what killed programs have left: call it when a program starts, and as often as you like, also while other services
// work in the directory, and other programs recover it.
//
// It brings both documents in order (document.Document.Recover), and gives back each checkout of which there is a version, and no other
// one: its CheckIn was killed before its last step. It publishes nothing. To Recover twice changes nothing more, and a Recover that was
// killed can be called again.
//
// It then removes the objects that no version has, and temporary files, inside the gate. While an upload is inside, or if the gate is
// barred, it removes nothing, Collected is false, and that is not an error. The gate is barred once versions.json had to come back from its
// backup: the contents are all that is left of the versions that were lost.
//
// An error says what could not be done, and what was done is in the Recovery, also if a power cut may undo it.
func (s *Service) Recover(ctx context.Context) (done Recovery, err error) {
	if done.Locks, done.Versions, err = s.restore(ctx); err != nil {
		return done, fmt.Errorf("recover: %w", err)
	}
	if done.GivenBack, err = s.finish(ctx); err != nil {
		return done, fmt.Errorf("recover: give back what is checked in: %w", err)
	}
	done.Collected, done.Removed, err = s.collect(ctx)
	if err != nil {
		return done, fmt.Errorf("recover: collect: %w", err)
	}
	return done, nil
}

// finish gives back the checkouts that have a version.
func (s *Service) finish(ctx context.Context) (done []Checkout, err error) {
	all, err := s.Checkouts(ctx)
	if err != nil {
		return nil, err
	}
	published := map[string]bool{}
	err = s.versions.View(ctx, func(b *books.Books) error {
		for _, v := range b.Versions {
			published[v.Checkout] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if !published[c.ID] {
			continue
		}
		err := s.giveBack(ctx, c)
		if err == nil || errors.Is(err, document.ErrSaved) {
			done = append(done, c)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// collect removes what has no home.
func (s *Service) collect(ctx context.Context) (collected bool, removed int, err error) {
	pass, err := s.gate.Collect()
	if errors.Is(err, gate.ErrBusy) || errors.Is(err, gate.ErrBarred) {
		return false, 0, nil
	} else if err != nil {
		return false, 0, err
	}
	defer pass.Leave() //nolint:errcheck // what it guarded is done, and the file is closed
	home := map[repository.ID]bool{}
	err = s.versions.View(ctx, func(b *books.Books) error { // inside the gate: no version can come any more
		for _, v := range b.Versions {
			home[v.Object] = true
		}
		return nil
	})
	if err != nil {
		return false, 0, err
	}
	for object, err := range s.objects.List(ctx) {
		if err != nil {
			return true, removed, err
		}
		if home[object.ID] {
			continue
		}
		if err := s.objects.Remove(ctx, object.ID); err == nil {
			removed++
		} else if !errors.Is(err, fs.ErrNotExist) {
			return true, removed, err
		}
	}
	swept, err := s.objects.Sweep(ctx, 0)
	return true, removed + swept, err
}
