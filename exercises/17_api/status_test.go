package api_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/14_repository/objects"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	api "example/turnstile/exercises/17_api"
	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab"
)

const secretDir = "/srv/secret" // a path of the server that no client needs to know

// A Locks that answers, and then fails in a way that the test chooses, asked with each verb.
func TestClassify(t *testing.T) {
	t.Parallel()
	held := &lockmanager.HeldError{Checkout: lockmanager.Checkout{ID: "7", Path: "a.bin", Owner: "carol", LockedAt: time.Unix(1e9, 0)}}
	inside := func(err error) error { return &fs.PathError{Op: "open", Path: secretDir, Err: err} }
	failed := inside(errors.New("input/output error"))
	notDurable := fmt.Errorf("%w: %w", document.ErrNotDurable, inside(fullDisk))
	damage := fmt.Errorf("checkout 1: %w, %w", lockmanager.ErrName, lockmanager.ErrNotFound)
	damaged := &document.CorruptError{Path: secretDir, Err: inside(damage)}
	words := errors.Join( // a part may be called like that
		lockmanager.ErrHeld, lockmanager.ErrNotFound, lockmanager.ErrName, lockmanager.ErrCursor, document.ErrNotDurable,
		fs.ErrNotExist, fullDisk, context.DeadlineExceeded, context.Canceled,
	)
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
		{"held, and more went wrong", errors.Join(held, failed), "Create", 409, "carol", "the client does not learn who has the part"},
		{
			"held, to unlock, and more went wrong", errors.Join(held, failed), "Unlock", 403, "carol",
			"the client believes that the server has failed, and does not learn whom to ask",
		},
		{"no such lock", lockmanager.ErrNotFound, "Unlock", 404, "", "the client believes that the server has failed, and tries again"},
		{
			"no such lock, and more went wrong", errors.Join(lockmanager.ErrNotFound, failed), "Unlock", 404, "",
			"the client believes that the server has failed, and tries again",
		},
		{"a path that is none", lockmanager.ErrName, "Create List", 422, "", "an attack fills the log with failures of the server"},
		{"a cursor that is none", lockmanager.ErrCursor, "List Verify", 422, "", "an attack fills the log with failures of the server"},
		{
			"a path that is none, and more went wrong", errors.Join(lockmanager.ErrName, failed), "Create List", 422, "",
			"an attack fills the log with failures of the server",
		},
		{
			"a cursor that is none, and more went wrong", errors.Join(lockmanager.ErrCursor, failed), "List Verify", 422, "",
			"an attack fills the log with failures of the server",
		},
		{"not durable", notDurable, "Create Unlock", 500, "power cut", "the user believes that nothing has changed"},
		{
			"saved, no more", fmt.Errorf("%w: %w", document.ErrSaved, failed), "Create Unlock", 500, "power cut",
			"the user believes that nothing has changed",
		},
		{
			"saved, late", fmt.Errorf("%w: %w", document.ErrSaved, context.DeadlineExceeded), "Create Unlock", 500, "power cut",
			"the user believes that nothing has changed",
		},
		{"the document is missing", inside(fs.ErrNotExist), all, 500, "", "404 tells git-lfs that this server has no locks; it never asks again"},
		{"the document is damaged", damaged, all, 500, "", "the client is blamed for a path that is in the document, and no one looks at it"},
		{"no locks on this system", inside(errors.ErrUnsupported), all, 500, "", "501 tells git-lfs that this server has no locks at all"},
		{"no permission", inside(fs.ErrPermission), all, 500, "", "403 blames the user for what the administrator must mend"},
		{"an unexpected error", failed, all, 500, "", "a failure of the disk passes for something else"},
		{
			"an unexpected error that has the words of others", fmt.Errorf("%s: %w", strings.ReplaceAll(words.Error(), "\n", ", "), failed), all,
			500, "", "a part's name decides what the client is told",
		},
		{"the disk is full", inside(fullDisk), "Create Unlock", 507, "full", "no one makes room"},
		{"time is over", fmt.Errorf("wait: %w", context.DeadlineExceeded), all, 503, "again", "the client gives up where it could try again"},
		{"it was cancelled", fmt.Errorf("wait: %w", context.Canceled), all, 503, "again", "the client gives up where it could try again"},
	} {
		for verb := range strings.FieldsSeq(c.verbs) {
			t.Run(c.name+"/"+verb, func(t *testing.T) {
				t.Parallel()
				if c.status == http.StatusInsufficientStorage && !objects.IsFull(fullDisk) {
					t.Skip("package objects cannot tell a full disk on this system")
				}
				locks, recorded := &fake{}, make(chan error, 20)
				handler := handlers(t, locks)
				o := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					handler.ServeHTTP(w, r)
					recorded <- wire.RecordOf(r.Context()).Err
				}))
				request := requests[verb].request + " " + requests[verb].body
				o.must(requests[verb].status, "alice", request, lab.Lesson{
					Says: verb + " did not answer what Locks had answered", Did: verb + ", by alice", Read: fix,
					Means: "the client believes that nothing was done",
				})
				<-recorded
				locks.set(func(context.Context, string) error { return fmt.Errorf("%s: %w", verb, c.err) })
				l := lab.Lesson{
					Did: fmt.Sprintf("%s, which Locks answered; once more, and Locks returned: %v", verb, c.err), Read: statuses,
				}
				a := o.try("alice", request, l.Say("%s did not answer", verb))
				once := l.Say("%s did not ask Locks once, by the method that is for it", verb)
				once.Means = "what one question decides under the lock, two decide at two moments, and others come between"
				lab.RequireEqual(t, "["+requests[verb].call+"]", locks.called(), once)
				l = l.Say("%s took this for something else: %s", verb, c.name)
				l.Means, l.Expected, l.Found = c.means, fmt.Sprintf("status %d", c.status), a.String()
				if a.status < 300 {
					l.Says, l.Means = fmt.Sprintf("%s hid an error of Locks: %s", verb, c.name), "the client relies on what Locks has not answered"
				}
				lab.Require(t, a.status == c.status, l)
				message := read[wire.Conflict](o, a, l)
				l.Expected, l.Found = "a message with the word "+c.tells, a.String()
				helps := message.Message != "" && strings.Contains(message.Message, c.tells)
				lab.Require(t, helps, l.Say("%s answered without a message that helps", verb))
				l.Expected, l.Means = "nothing of the server's inside", "whoever asks learns how the server's disk is laid out"
				lab.Require(t, !strings.Contains(a.text, secretDir), l.Say("%s showed the client a path of the server", verb))
				lab.RequireErrorIs(t, api.Classify(c.err), c.err, lab.Lesson{
					Says: "Classify dropped an error: " + c.name, Did: fmt.Sprintf("Classify, of: %v", c.err), Read: statuses,
					Means: "the log does not say why the request was refused, and the administrator searches in vain",
				})
				l.Means = c.means
				if c.status == http.StatusServiceUnavailable {
					l.Expected, l.Found = "Retry-After", fmt.Sprint(a.header)
					lab.Require(t, a.header.Get("Retry-After") != "", l.Say("%s did not say when to try again", verb))
				}
				if c.status == http.StatusConflict {
					shown := message.Lock.ID + " " + message.Lock.Path + " " + message.Lock.Owner.Name
					l.Expected, l.Found = "", ""
					lab.RequireEqual(t, "7 a.bin carol", shown, l.Say("%s answered 409 without the lock that is in the way", verb))
				}
				reason := lab.Lesson{
					Says: verb + " left no reason in the request's record: " + c.name, Did: l.Did, Read: statuses,
					Means: "the log says that the request was refused, and not why",
				}
				want := c.err
				if c.status == http.StatusConflict {
					want = lockmanager.ErrHeld // of several errors, the one that was answered will do
				}
				lab.RequireErrorIs(t, <-recorded, want, reason)
				for range 10 { // more often than one that counts failures would bear
					o.try("alice", request, l.Say("%s did not answer", verb))
				}
				locks.set(nil)
				l.Did += ", ten times more; then Locks worked again"
				l.Means = "the file is back, and the server says that it is not"
				o.must(requests[verb].status, "alice", request, l.Say("%s goes on with an error of before", verb))
			})
		}
	}
}

// The time is over after Locks has begun the change, so Locks makes it whole.
func TestWhatWasDoneIsAnsweredThoughTheTimeIsOver(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Create", "Unlock"} {
		for _, c := range []struct {
			name   string
			err    error
			status int
		}{{"done", nil, requests[verb].status}, {"done, but not durable", document.ErrNotDurable, http.StatusInternalServerError}} {
			t.Run(verb+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				locks := &fake{}
				handler := handlers(t, locks)
				over := make(chan struct{})
				end := sync.OnceFunc(func() { close(over) })
				locks.set(func(context.Context, string) error {
					end()
					return c.err
				})
				ending := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					handler.ServeHTTP(w, r.WithContext(timed{r.Context(), over}))
				})
				l := lab.Lesson{
					Says: verb + " did not answer what Locks has done", Read: gone,
					Did:   fmt.Sprintf("%s; the request's time was over when Locks had made the change, which it reported: %s", verb, c.name),
					Means: "the user goes on as if something else had happened",
				}
				r := direct(ending, "alice", verb, strings.NewReader(requests[verb].body))
				r.serve()
				a := reaches(t, r.done, nil, "", l)
				l = shows(l, fmt.Sprintf("status %d", c.status), a)
				lab.Require(t, a.status == c.status && (c.err == nil || strings.Contains(a.text, "power cut")), l)
			})
		}
	}
}

// A timed context ends like one whose deadline has passed, when the test says so.
type timed struct {
	context.Context
	over chan struct{}
}

func (t timed) Done() <-chan struct{} { return t.over }

func (t timed) Err() error {
	select {
	case <-t.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
