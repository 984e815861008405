// Package api answers the requests of git-lfs: it is the lock server, in front of what the lessons before have built.
//
// A Locks has the truth, in a document that other servers change too. The handlers keep nothing of it from one request to the next.
// Nothing of this file needs editing: the lock handlers are in locks.go.
package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example/turnstile/exercises/17_api/transfer"
	"example/turnstile/exercises/17_api/wire"
	repository "example/turnstile/solutions/14_repository"
	lockmanager "example/turnstile/solutions/15_lock_manager"
)

// Locks is what the handlers need. Lesson 15's *Manager is one, and its comments are the contract.
type Locks interface {
	Lock(ctx context.Context, owner, path string) (lockmanager.Checkout, error)
	Unlock(ctx context.Context, owner, id string, force bool) (lockmanager.Checkout, error)
	List(ctx context.Context, q lockmanager.Query) (lockmanager.Page, error)
	Verify(ctx context.Context, owner, cursor string, limit int) (ours, theirs []lockmanager.Checkout, next string, err error)
}

// New returns the handlers for the locks, and for objects if there are any. Whoever calls them has checked the login: package server.
func New(ctx context.Context, locks Locks, objects *transfer.Handlers) (http.Handler, error) {
	h, err := NewLockHandlers(ctx, locks)
	if err != nil {
		return nil, err
	}
	routes := map[string]http.HandlerFunc{
		"POST /locks":             h.Create,
		"GET /locks":              h.List,
		"POST /locks/verify":      h.Verify,
		"POST /locks/{id}/unlock": h.Unlock,
	}
	if objects != nil {
		routes["POST /objects/batch"] = objects.Batch
		routes["PUT /objects/content/{oid}"] = objects.Upload
		routes["GET /objects/content/{oid}"] = objects.Download
		routes["POST /objects/verify"] = objects.Verify
	}
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for pattern, handler := range routes {
		mux.HandleFunc(pattern, handler)
		method, path, _ := strings.Cut(pattern, " ")
		allowed[path] = append(allowed[path], method)
	}
	for path, methods := range allowed {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			wire.Refuse(w, r, wire.Errorf(http.StatusMethodNotAllowed, "the method %.20s does not work here", r.Method))
		})
	}
	mux.HandleFunc("/", nothingHere)
	return mux, nil
}

// nothingHere answers requests for what the server does not have. A client with a wrong lfs.url would take 404 for "this server has no
// locks", and write into its configuration never to ask again: it gets another answer.
func nothingHere(w http.ResponseWriter, r *http.Request) {
	status := http.StatusNotFound
	if strings.HasSuffix(r.URL.Path, "/locks/verify") {
		status = http.StatusBadRequest
	}
	wire.Refuse(w, r, wire.Errorf(status, "there is nothing at %.200q; is lfs.url right? It is the server's URL without a path", r.URL.Path))
}

// abandoned is how old the temporary file of an upload must be before it is removed.
const abandoned = 24 * time.Hour

// Open opens the server's directory: locks.json, and the objects beside it. An empty directory becomes a new server's. A directory with
// objects and without locks.json is refused: it is not a first start. Any number of servers may have it open. It is a server.Open.
func Open(ctx context.Context, dir, base string) (handler http.Handler, closing func() error, err error) {
	path := filepath.Join(dir, "locks.json")
	manager := lockmanager.New(path, lockmanager.Options{})
	// The document is made before the objects' directory: no server sees objects and no document, unless the document was lost.
	if _, err := os.Lstat(filepath.Join(dir, "objects")); errors.Is(err, fs.ErrNotExist) {
		if err := manager.Create(ctx); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, nil, fmt.Errorf("begin a new server in %s: %w", dir, err)
		}
	}
	if _, err := manager.List(ctx, lockmanager.Query{Limit: 1}); err != nil {
		return nil, nil, fmt.Errorf("open the locks in %s: %w; if it is lost or damaged, locks.json.bak has the state before it", dir, err)
	}
	store, err := repository.Create(dir, repository.Options{})
	if errors.Is(err, fs.ErrExist) {
		store, err = repository.Open(dir, repository.Options{})
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := store.Sweep(ctx, abandoned); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	handler, err = New(ctx, manager, &transfer.Handlers{Store: objects{store}, Base: base})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return handler, store.Close, nil
}

// shown returns a checkout as the API shows it.
func shown(c lockmanager.Checkout) wire.Lock {
	return wire.Lock{ID: c.ID, Path: c.Path, LockedAt: c.LockedAt.UTC().Truncate(time.Second), Owner: wire.Owner{Name: c.Owner}}
}

// hasIt says to a user who has the part that they have asked for.
func hasIt(r *http.Request, c lockmanager.Checkout) string {
	if c.Owner == wire.UserOf(r) {
		return fmt.Sprintf("you have %s already, since %s", c.Path, c.LockedAt.UTC().Format(time.RFC3339))
	}
	return (&lockmanager.HeldError{Checkout: c}).Error()
}

// showAll returns a list that is never nil: the API wants [], and not null.
func showAll(all []lockmanager.Checkout) []wire.Lock {
	list := make([]wire.Lock, 0, len(all))
	for _, c := range all {
		list = append(list, shown(c))
	}
	return list
}
