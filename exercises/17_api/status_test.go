package api_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/14_repository/objects"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab"
)

const secretDir = "/srv/secret" // a path of the server that no client needs to know

// A Locks that fails in a way that the test chooses, asked with each verb.
func TestClassify(t *testing.T) {
	t.Parallel()
	held := &lockmanager.HeldError{Checkout: lockmanager.Checkout{ID: "7", Path: "a.bin", Owner: "carol", LockedAt: time.Unix(1e9, 0)}}
	inside := func(err error) error { return &fs.PathError{Op: "open", Path: secretDir, Err: err} }
	notDurable := fmt.Errorf("%w: %w", document.ErrNotDurable, fullDisk)
	const all = "Create List Verify Unlock"
	for _, c := range []struct {
		name   string
		err    error
		verbs  string
		status int
		tells  string // part of the message
		means  string
	}{
		{"held", held, "Create", 409, "carol", "the client does not learn who has the part"},
		{"held, to unlock", held, "Unlock", 403, "carol", "the client believes that the server has failed, and does not learn whom to ask"},
		{"no such lock", lockmanager.ErrNotFound, "Unlock", 404, "", "the client believes that the server has failed, and tries again"},
		{"a path that is none", lockmanager.ErrName, "Create List", 422, "", "an attack fills the log with failures of the server"},
		{"a cursor that is none", lockmanager.ErrCursor, "List Verify", 422, "", "an attack fills the log with failures of the server"},
		{"not durable", notDurable, "Create Unlock", 500, "power cut", "the user believes that nothing has changed"},
		{"saved, no more", document.ErrSaved, "Create Unlock", 500, "power cut", "the user believes that nothing has changed"},
		{"the document is missing", inside(fs.ErrNotExist), all, 500, "", "404 tells git-lfs that this server has no locks; it never asks again"},
		{"no locks on this system", inside(errors.ErrUnsupported), all, 500, "", "501 tells git-lfs that this server has no locks at all"},
		{"no permission", inside(fs.ErrPermission), all, 500, "", "403 blames the user for what the administrator must mend"},
		{"an unexpected error", inside(errors.New("input/output error")), all, 500, "", "a failure of the disk passes for something else"},
		{"the disk is full", inside(fullDisk), "Create Unlock", 507, "full", "no one makes room"},
		{"time is over", fmt.Errorf("wait: %w", context.DeadlineExceeded), all, 503, "again", "the client gives up where it could try again"},
	} {
		for verb := range strings.FieldsSeq(c.verbs) {
			t.Run(c.name+"/"+verb, func(t *testing.T) {
				t.Parallel()
				if c.status == http.StatusInsufficientStorage && !objects.IsFull(fullDisk) {
					t.Skip("package objects cannot tell a full disk on this system")
				}
				locks := &fake{}
				o := with(t, locks)
				locks.set(func(context.Context, string) error { return fmt.Errorf("%s: %w", verb, c.err) })
				l := lab.Lesson{
					Says: fmt.Sprintf("%s took this for something else: %s", verb, c.name), Did: fmt.Sprintf("%s, and Locks returned: %v", verb, c.err),
					Means: c.means, Read: statuses,
				}
				a := o.try("alice", requests[verb].request+" "+requests[verb].body, l)
				once := says(l, "%s did not ask Locks once, by the method that is for it", verb)
				lab.RequireEqual(t, "["+requests[verb].call+"]", locks.called(), once)
				l.Expected, l.Found = fmt.Sprintf("status %d", c.status), a.String()
				lab.Require(t, a.status == c.status, l)
				message := read[wire.Conflict](o, a, l)
				l.Expected, l.Found = "a message with the word "+c.tells, a.String()
				helps := message.Message != "" && strings.Contains(message.Message, c.tells)
				lab.Require(t, helps, says(l, "%s answered without a message that helps", verb))
				l.Expected = "nothing of the server's inside"
				lab.Require(t, !strings.Contains(a.text, secretDir), says(l, "%s showed the client a path of the server", verb))
				if c.status == http.StatusServiceUnavailable {
					l.Expected, l.Found = "Retry-After", fmt.Sprint(a.header)
					lab.Require(t, a.header.Get("Retry-After") != "", says(l, "%s did not say when to try again", verb))
				}
				if c.status == http.StatusConflict {
					shown := message.Lock.ID + " " + message.Lock.Path + " " + message.Lock.Owner.Name
					lab.RequireEqual(t, "7 a.bin carol", shown, says(l, "%s answered 409 without the lock that is in the way", verb))
				}
			})
		}
	}
}
