package api

import (
	"context"
	"errors"
	"net/http"

	"example/turnstile/exercises/17_api/wire"
	document "example/turnstile/solutions/13_document"
	lockmanager "example/turnstile/solutions/15_lock_manager"
)

// LockHandlers answers the requests about locks, for the user who has logged in (wire.UserOf).
//
// Any number of servers may have one document. An answer is about the time of its request: a lock that one server has given is held,
// listed and removed at each of them.
//
// A handler first reads the whole request (wire.Decode, wire.DecodeQuery); then it asks Locks, once, by the one method that is for it,
// with what the client has sent, unchanged; then it answers. What Locks would refuse, such as an ended context, a path that is none or a
// foreign cursor, a handler may refuse unasked. Requests wait for one another inside Locks and nowhere else: clients that are slow, or
// stop, keep no other request waiting, however many they are. Locks gets the request's context, so that a client who has gone, or whose
// time is over, waits for nothing and gets no lock later. What Locks has done is answered as done, even if the time is over by then. A
// panic of Locks is a panic of the handler.
//
// Errors become answers that wire.Refuse writes, but for these. If an error matches several, the first one of this list counts:
//
//   - the part is checked out, by whichever user, and a lock was asked for (lockmanager.HeldError): 409, with that lock; the error goes
//     into the request's record
//   - the lock is another user's, and force was not given (the same error): 403, with a message that names the user
//   - the change was made, and what comes after it failed (document.ErrSaved): 500, with a message that says that a power cut may undo it
//   - the document is damaged (document.CorruptError): wire.Refuse's 500, even if the damage is a path that is none
//   - there is no lock with the ID: 404
//   - the path cannot be a part's name, or the cursor is foreign: 422
//
// No other error becomes 404 or 501, which would tell the client that this server has no locks. No message shows the server's inside, such
// as the path of a file.
type LockHandlers struct {
	locks Locks
}

// NewLockHandlers returns the handlers. It may ask Locks whether it works, but keeps neither the answer nor the context.
func NewLockHandlers(_ context.Context, locks Locks) (*LockHandlers, error) {
	return &LockHandlers{locks}, nil
}

// Create answers POST /locks: it locks a part for the user. 201 with the lock.
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

// Classify returns the refusal that an error of Locks means, as a *wire.Error that wraps err, or err itself if wire.Refuse knows the rest.
// The 409 is Create's own: a *wire.Error has no lock in it.
func Classify(err error) error {
	status, message := 0, ""
	held, corrupt := (*lockmanager.HeldError)(nil), (*document.CorruptError)(nil)
	switch {
	case errors.As(err, &held):
		status, message = http.StatusForbidden, held.Error()
	case errors.Is(err, document.ErrSaved):
		status, message = http.StatusInternalServerError, "the change was made, but a power cut may undo it; list the locks before you go on"
	case errors.As(err, &corrupt): // a path in the document is none of the client's
		return err
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
