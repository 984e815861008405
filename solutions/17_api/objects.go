package api

import (
	"context"
	"errors"
	"io"
	"net/http"

	"example/turnstile/exercises/17_api/transfer"
	"example/turnstile/exercises/17_api/wire"
	repository "example/turnstile/solutions/14_repository"
)

// objects is a repository as package transfer needs it. Nothing of this file needs editing.
type objects struct{ *repository.Repository }

// Get returns the object as an interface, because the learner's Reader and the reference's are two types.
func (o objects) Get(ctx context.Context, id repository.ID) (transfer.Content, error) {
	reader, err := o.Repository.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return reader, nil
}

// PutExpected says of an error whose it is.
func (o objects) PutExpected(ctx context.Context, want repository.Object, content io.Reader) error {
	err := o.Repository.PutExpected(ctx, want, content)
	switch {
	case errors.Is(err, repository.ErrMismatch):
		return &wire.Error{Status: http.StatusUnprocessableEntity, Message: "the content is not what its oid says; send it again", Err: err}
	case errors.Is(err, repository.ErrQuota):
		const message = "the server's quota is used up; its administrator has to make room"
		return &wire.Error{Status: http.StatusInsufficientStorage, Message: message, Err: err}
	}
	return err
}
