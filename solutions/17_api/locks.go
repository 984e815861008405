package api

import (
	"context"
	"errors"
	"net/http"

	"example/turnstile/exercises/17_api/wire"
	document "example/turnstile/solutions/13_document"
	lockmanager "example/turnstile/solutions/15_lock_manager"
)

// LockHandlers answers the requests about locks, for the user of the request's record (wire.UserOf).
//
// Any number of servers may have one document. A lock that one of them has given is held, listed and removed at each.
//
// A handler decodes the request (wire.Decode or wire.DecodeQuery, and r.PathValue). Then it asks Locks, once, by the method that is for it,
// with what it has decoded and the request's context, both unchanged. Then it answers, by wire.Reply with what Locks has returned, as shown
// and showAll show it, or by wire.Refuse with what Classify makes of the error. Only Locks asks whether the context has ended. A handler
// does nothing else with r and w, and keeps nothing of a request for another. Requests wait for one another inside Locks and nowhere else,
// so slow clients keep no other waiting. A panic of Locks is the handler's, with the same value, before there is an answer.
type LockHandlers struct {
	locks Locks
}

// NewLockHandlers returns the handlers. It asks Locks nothing: only requests do.
func NewLockHandlers(_ context.Context, locks Locks) (*LockHandlers, error) {
	return &LockHandlers{locks}, nil
}

// Create answers POST /locks: it locks a part for the user. 201 with the lock.
//
// An error that matches lockmanager.HeldError does not go to Classify, even if it is the user who has the part: 409, with the lock that it
// reports, and a message that says who has it (hasIt). The request's record (wire.RecordOf) gets the whole error.
func (h *LockHandlers) Create(w http.ResponseWriter, r *http.Request) {
	var request wire.LockRequest
	if err := wire.Decode(w, r, &request); err != nil {
		wire.Refuse(w, r, err)
		return
	}
	made, err := h.locks.Lock(r.Context(), wire.UserOf(r), request.Path)
	if held := (*lockmanager.HeldError)(nil); errors.As(err, &held) {
		record := wire.RecordOf(r.Context())
		record.Err = err
		wire.Reply(w, r, http.StatusConflict, wire.Conflict{Lock: shown(held.Checkout), Message: hasIt(r, held.Checkout), RequestID: record.ID})
		return
	}
	if err != nil {
		wire.Refuse(w, r, Classify(err))
		return
	}
	wire.Reply(w, r, http.StatusCreated, wire.Locked{Lock: shown(made)})
}

// List answers GET /locks: the locks that its query asks for, of all users, piece by piece. 200 with the list, which may be empty.
func (h *LockHandlers) List(w http.ResponseWriter, r *http.Request) {
	query, err := wire.DecodeQuery(r.URL.RawQuery)
	if err != nil {
		wire.Refuse(w, r, err)
		return
	}
	page, err := h.locks.List(r.Context(), lockmanager.Query(query))
	if err != nil {
		wire.Refuse(w, r, Classify(err))
		return
	}
	wire.Reply(w, r, http.StatusOK, wire.LockList{Locks: showAll(page.Checkouts), NextCursor: page.Next})
}

// Verify answers POST /locks/verify, which the client asks before a push: the user's locks and those of others. 200 with both lists.
func (h *LockHandlers) Verify(w http.ResponseWriter, r *http.Request) {
	var request wire.VerifyRequest
	if err := wire.Decode(w, r, &request); err != nil {
		wire.Refuse(w, r, err)
		return
	}
	ours, theirs, next, err := h.locks.Verify(r.Context(), wire.UserOf(r), request.Cursor, request.Limit)
	if err != nil {
		wire.Refuse(w, r, Classify(err))
		return
	}
	wire.Reply(w, r, http.StatusOK, wire.VerifyList{Ours: showAll(ours), Theirs: showAll(theirs), NextCursor: next})
}

// Unlock answers POST /locks/{id}/unlock: it gives a lock back, with force also another user's. 200 with the lock as it was.
func (h *LockHandlers) Unlock(w http.ResponseWriter, r *http.Request) {
	var request wire.UnlockRequest
	if err := wire.Decode(w, r, &request); err != nil {
		wire.Refuse(w, r, err)
		return
	}
	removed, err := h.locks.Unlock(r.Context(), wire.UserOf(r), r.PathValue("id"), request.Force)
	if err != nil {
		wire.Refuse(w, r, Classify(err))
		return
	}
	wire.Reply(w, r, http.StatusOK, wire.Locked{Lock: shown(removed)})
}

// Classify returns a *wire.Error that wraps an error of Locks, by the first of this list that the error matches:
//
//   - lockmanager.HeldError: 403, with a message that names the user who has the lock
//   - document.ErrSaved (ErrNotDurable is one): 500, with a message that the change was made, and that a power cut may undo it
//   - document.CorruptError: 500, with a message of its own
//   - lockmanager.ErrNotFound: 404
//   - lockmanager.ErrName, lockmanager.ErrCursor: 422
//
// No message shows the server's inside, such as the path of a file. An error that matches none is returned as it is, for wire.Refuse.
func Classify(err error) error {
	status, message := 0, ""
	held, corrupt := (*lockmanager.HeldError)(nil), (*document.CorruptError)(nil)
	switch {
	case errors.As(err, &held):
		status, message = http.StatusForbidden, held.Error()
	case errors.Is(err, document.ErrSaved):
		status, message = http.StatusInternalServerError, "the change was made, but a power cut may undo it; list the locks before you go on"
	case errors.As(err, &corrupt): // a path in the document is none of the client's
		status, message = http.StatusInternalServerError, "the server's list of locks is damaged; its administrator has to mend it"
	case errors.Is(err, lockmanager.ErrNotFound):
		status, message = http.StatusNotFound, lockmanager.ErrNotFound.Error()
	case errors.Is(err, lockmanager.ErrName):
		status, message = http.StatusUnprocessableEntity, lockmanager.ErrName.Error()
	case errors.Is(err, lockmanager.ErrCursor):
		status, message = http.StatusUnprocessableEntity, lockmanager.ErrCursor.Error()
	default:
		return err
	}
	return &wire.Error{Status: status, Message: message, Err: err}
}
