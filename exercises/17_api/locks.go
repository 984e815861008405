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
// with what it has decoded and the request's context, both unchanged. Then it answers with what Locks has returned (wire.Reply or
// wire.Refuse). It reads nothing else of r, sends nothing else to w, sets no deadline, and keeps nothing of a request for another. Requests
// wait for one another inside Locks and nowhere else, so slow clients keep no other waiting, however many they are. What Locks has done is
// answered as done, even if the request's context has ended by then. A panic of Locks is the handler's, with the same value.
//
// An error of Locks is refused as Classify says, but for the 409 of Create.
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
// If the part is checked out, by whichever user (lockmanager.HeldError, whatever else the error matches): 409, with the lock that the error
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

// Classify returns the refusal that an error of Locks means, as a *wire.Error that wraps it. If it matches several, the first of this list
// counts:
//
//   - lockmanager.HeldError: 403, with a message that names the user who has the lock
//   - document.ErrSaved, so the change was made: 500, with a message that says that a power cut may undo it
//   - document.CorruptError, even if the damage is a path that is none: 500
//   - lockmanager.ErrNotFound: 404
//   - lockmanager.ErrName, lockmanager.ErrCursor: 422
//
// No message shows the server's inside, such as the path of a file. Any other error is returned as it is: wire.Refuse knows it.
func Classify(err error) error {
	return err // TODO: wire.Refuse answers 500 to all that it does not know. Which of these are no failure of the server?
}
