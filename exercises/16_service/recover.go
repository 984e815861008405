package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	document "example/turnstile/exercises/13_document"
	repository "example/turnstile/exercises/14_repository"
	"example/turnstile/exercises/16_service/books"
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
	// TODO: which checkouts has a killed CheckIn left, though there is a version of them?
	done.Collected, done.Removed, err = s.collect(ctx)
	if err != nil {
		return done, fmt.Errorf("recover: collect: %w", err)
	}
	return done, nil
}

// collect removes what has no home.
func (s *Service) collect(ctx context.Context) (collected bool, removed int, err error) {
	// TODO: who may be about to publish an object that this View does not know? And may a collection happen at all?
	home := map[repository.ID]bool{}
	err = s.versions.View(ctx, func(b *books.Books) error {
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
