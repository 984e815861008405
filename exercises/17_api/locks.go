package api

import (
	"context"
	"net/http"
	"slices"
	"sync"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/17_api/wire"
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
	mutex sync.Mutex
	known []lockmanager.Checkout // all locks, so that the document is read once
}

// NewLockHandlers returns the handlers. It asks Locks nothing: only requests do.
func NewLockHandlers(ctx context.Context, locks Locks) (*LockHandlers, error) {
	h := &LockHandlers{locks: locks}
	page, err := locks.List(ctx, lockmanager.Query{Limit: lockmanager.MaxLimit})
	h.known = page.Checkouts // TODO: the document changes. Who else changes it, and who tells this copy?
	return h, err
}

// Create answers POST /locks: it locks a part for the user. 201 with the lock.
//
// An error that matches lockmanager.HeldError does not go to Classify, even if it is the user who has the part: 409, with the lock that it
// reports, and a message that says who has it (hasIt). The request's record (wire.RecordOf) gets the whole error.
func (h *LockHandlers) Create(w http.ResponseWriter, r *http.Request) {
	h.mutex.Lock() // TODO: a client sends half of its body and stops. Who waits now, and for how long?
	defer h.mutex.Unlock()
	var request wire.LockRequest
	if err := wire.Decode(w, r, &request); err != nil {
		wire.Refuse(w, r, err)
		return
	}
	for _, c := range h.known {
		if c.Path == request.Path {
			record := wire.RecordOf(r.Context())
			wire.Reply(w, r, http.StatusConflict, wire.Conflict{Lock: shown(c), Message: hasIt(r, c), RequestID: record.ID})
			return
		}
	}
	// TODO: the client may be gone while this waits. Whose lock is it then?
	made, err := h.locks.Lock(context.Background(), wire.UserOf(r), request.Path)
	if err != nil {
		wire.Refuse(w, r, Classify(err))
		return
	}
	h.known = append(h.known, made)
	wire.Reply(w, r, http.StatusCreated, wire.Locked{Lock: shown(made)})
}

// List answers GET /locks: the locks that its query asks for, of all users, piece by piece. 200 with the list, which may be empty.
func (h *LockHandlers) List(w http.ResponseWriter, r *http.Request) {
	query, err := wire.DecodeQuery(r.URL.RawQuery)
	if err != nil {
		wire.Refuse(w, r, err)
		return
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	found := []lockmanager.Checkout{}
	for _, c := range h.known {
		if (query.Path == "" || c.Path == query.Path) && (query.ID == "" || c.ID == query.ID) {
			found = append(found, c)
		}
	}
	wire.Reply(w, r, http.StatusOK, wire.LockList{Locks: showAll(found)})
}

// Verify answers POST /locks/verify, which the client asks before a push: the user's locks and those of others. 200 with both lists.
func (h *LockHandlers) Verify(w http.ResponseWriter, r *http.Request) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var request wire.VerifyRequest
	if err := wire.Decode(w, r, &request); err != nil {
		wire.Refuse(w, r, err)
		return
	}
	var ours, theirs []lockmanager.Checkout
	for _, c := range h.known {
		if c.Owner == wire.UserOf(r) {
			ours = append(ours, c)
		} else {
			theirs = append(theirs, c)
		}
	}
	wire.Reply(w, r, http.StatusOK, wire.VerifyList{Ours: showAll(ours), Theirs: showAll(theirs)})
}

// Unlock answers POST /locks/{id}/unlock: it gives a lock back, with force also another user's. 200 with the lock as it was.
func (h *LockHandlers) Unlock(w http.ResponseWriter, r *http.Request) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var request wire.UnlockRequest
	if err := wire.Decode(w, r, &request); err != nil {
		wire.Refuse(w, r, err)
		return
	}
	removed, err := h.locks.Unlock(context.Background(), wire.UserOf(r), r.PathValue("id"), request.Force)
	if err != nil {
		wire.Refuse(w, r, Classify(err))
		return
	}
	h.known = slices.DeleteFunc(h.known, func(c lockmanager.Checkout) bool { return c.ID == removed.ID })
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
	return err // TODO: wire.Refuse answers 500 to all that it does not know. Which of these are no failure of the server?
}
