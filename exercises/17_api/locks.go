package api

import (
	"context"
	"net/http"
	"slices"
	"sync"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/17_api/wire"
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
	mutex sync.Mutex
	known []lockmanager.Checkout // all locks, so that the document is read once
}

// NewLockHandlers returns the handlers. It may ask Locks whether it works, but keeps neither the answer nor the context.
func NewLockHandlers(ctx context.Context, locks Locks) (*LockHandlers, error) {
	h := &LockHandlers{locks: locks}
	page, err := locks.List(ctx, lockmanager.Query{Limit: lockmanager.MaxLimit})
	h.known = page.Checkouts // TODO: the document changes. Who else changes it, and who tells this copy?
	return h, err
}

// Create answers POST /locks: it locks a part for the user. 201 with the lock.
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

// Classify returns the refusal that an error of Locks means, as a *wire.Error that wraps err, or err itself if wire.Refuse knows the rest.
// The 409 is Create's own: a *wire.Error has no lock in it.
func Classify(err error) error {
	return err // TODO: wire.Refuse answers 500 to all that it does not know. Which of these are no failure of the server?
}
