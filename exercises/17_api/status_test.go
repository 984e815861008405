package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	document "example/turnstile/exercises/13_document"
	"example/turnstile/exercises/14_repository/objects"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	api "example/turnstile/exercises/17_api"
	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab"
)

const secretDir = "/srv/secret" // a path of the server that no client needs to know

// A refusal is an error of Locks, and what a client must hear of it.
type refusal struct {
	name   string
	err    error
	verbs  string // what Locks returns it to
	status int
	tells  string // part of the message
	means  string
}

const all = "Create List Verify Unlock"

// statusOf is the status that the verb answers with: the 409 of Create is its own.
func (r refusal) statusOf(verb string) int {
	if verb == "Create" && errors.Is(r.err, lockmanager.ErrHeld) {
		return http.StatusConflict
	}
	return r.status
}

func inside(err error) error { return &fs.PathError{Op: "open", Path: secretDir, Err: err} }

var (
	failed    = inside(errors.New("input/output error"))
	errDamage = fmt.Errorf("checkout 1: %w, %w", lockmanager.ErrName, lockmanager.ErrNotFound)
	// The part's name is not spelled as the client has asked for it: for part.Same they are one.
	held = &lockmanager.HeldError{Checkout: made(`7%d"é `, `A 50%d "é".bin`, `Carol 50%d "é"`)}
	// The one who asks has the part: no message need name them, and for the log it is an error like any other.
	theirOwn = refusal{
		"held by the user who asks", &lockmanager.HeldError{Checkout: made("8", `A 50%d "é".bin`, "alice")}, "Create", 403, "",
		"the client does not learn that the lock is its own user's",
	}
)

// ordered has the errors of the list in the contract of Classify, in its order.
var ordered = []refusal{
	{"held", held, "Create Unlock", 403, held.Checkout.Owner, "the client does not learn who has the part, and whom to ask"},
	{
		"saved", fmt.Errorf("%w: %w", document.ErrSaved, failed), "Create Unlock", 500, "power cut",
		"the user believes that nothing has changed",
	},
	{
		"not durable", fmt.Errorf("%w: %w", document.ErrNotDurable, inside(fullDisk)), "Create Unlock", 500, "power cut",
		"the user believes that nothing has changed",
	},
	{
		"the document is damaged", &document.CorruptError{Path: secretDir, Err: inside(errDamage)}, all, 500, "",
		"the client is blamed for what is in the document, or waits for room on the disk, and no one looks at the document",
	},
	{"no such lock", lockmanager.ErrNotFound, "Unlock", 404, "", "the client believes that the server has failed, and tries again"},
	{"a path that is none", lockmanager.ErrName, "Create List", 422, "", "an attack fills the log with failures of the server"},
	{"a cursor that is none", lockmanager.ErrCursor, "List Verify", 422, "", "an attack fills the log with failures of the server"},
}

// unordered has the others, which are for wire.Refuse.
var unordered = []refusal{
	{"the document is missing", inside(fs.ErrNotExist), all, 500, "", "404 tells git-lfs that this server has no locks; it never asks again"},
	{"no locks on this system", inside(errors.ErrUnsupported), all, 500, "", "501 tells git-lfs that this server has no locks at all"},
	{"no permission", inside(fs.ErrPermission), all, 500, "", "403 blames the user for what the administrator must mend"},
	{"a user without a name", lockmanager.ErrOwner, "Create", 500, "", "a client hears that it must mend what is wrong with the logins"},
	{
		"errors of the system", errors.Join(
			inside(syscall.EMFILE), syscall.ENFILE, syscall.EAGAIN, syscall.EINTR, syscall.EIO, syscall.EROFS, syscall.EBUSY,
			syscall.ETIMEDOUT, fs.ErrExist, fs.ErrClosed, io.ErrUnexpectedEOF, os.ErrDeadlineExceeded,
		), all, 500, "", "the client waits for what its administrator must mend",
	},
	{"an unexpected error", failed, all, 500, "", "a failure of the disk passes for something else"},
	{
		"an unexpected error that has the words of others", fmt.Errorf("%s: %w", strings.ReplaceAll(errors.Join( // a part may be called so
			lockmanager.ErrHeld, lockmanager.ErrNotFound, lockmanager.ErrName, lockmanager.ErrCursor, document.ErrNotDurable,
			fs.ErrNotExist, fullDisk, context.DeadlineExceeded, context.Canceled,
		).Error(), "\n", ", "), failed), all,
		500, "", "a part's name decides what the client is told",
	},
	{
		"a refusal that a Locks in front of the manager has made", &wire.Error{Status: 403, Message: "50%d locks at most", Err: failed}, all,
		403, "50%d locks at most", "a policy in front of the manager cannot say what it refuses",
	},
	{"the disk is full", inside(fullDisk), "Create Unlock", 507, "full", "no one makes room"},
	{"time is over", fmt.Errorf("wait: %w", context.DeadlineExceeded), all, 503, "again", "the client gives up where it could try again"},
	{"it was cancelled", fmt.Errorf("wait: %w", context.Canceled), all, 503, "again", "the client gives up where it could try again"},
}

// recording returns the handlers, and what each request leaves in its record.
func recording(handler http.Handler) (http.Handler, <-chan error) {
	recorded := make(chan error, 20)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		recorded <- wire.RecordOf(r.Context()).Err
	}), recorded
}

// refused requires that the answer is what c demands, and that the request's record has the whole error.
func refused(t *testing.T, verb string, c refusal, a answer, err, recorded error, l lab.Lesson) {
	t.Helper()
	l.Means, l.Expected, l.Found = c.means, fmt.Sprintf("status %d", c.statusOf(verb)), a.String()
	if a.status < 300 {
		l.Says, l.Means = fmt.Sprintf("%s hid an error of Locks: %s", verb, c.name), "the client relies on what Locks has not answered"
	}
	lab.Require(t, a.status == c.statusOf(verb), l)
	message := read[wire.Conflict](office{t: t}, a, l)
	l.Expected, l.Found = "a message with the word "+c.tells, a.String()
	helps := message.Message != "" && strings.Contains(message.Message, c.tells)
	lab.Require(t, helps, l.Say("%s answered without a message that helps", verb))
	l.Expected, l.Means = "the name as it is", "a name with a % in it is a format to package fmt"
	lab.Require(t, !strings.Contains(message.Message, "%!"), l.Say("%s changed a name in its message", verb))
	l.Expected, l.Means = "nothing of the server's inside", "whoever asks learns how the server's disk is laid out"
	lab.Require(t, !strings.Contains(a.text, secretDir), l.Say("%s showed the client a path of the server", verb))
	l.Means, l.Expected, l.Found = c.means, "", ""
	if way := (*lockmanager.HeldError)(nil); a.status == http.StatusConflict && errors.As(err, &way) {
		lab.RequireEqual(t, seen(way.Checkout)[0], message.Lock, l.Say("%s answered 409 without the lock that is in the way", verb))
	}
	l = l.Say("%s left no reason in the request's record: %s", verb, c.name)
	l.Means = "the log says that the request was refused, and not why"
	if recorded != nil {
		l = l.Say("%s did not leave the error of Locks, all of it, in the request's record", verb)
		l.Means = "what went wrong is in no log, in part or as a whole"
	}
	lab.RequireErrorIs(t, recorded, err, l)
}

// A Locks that answers, and then fails in a way that the test chooses, asked with each verb.
func TestClassify(t *testing.T) {
	t.Parallel()
	for i, c := range slices.Concat([]refusal{theirOwn}, ordered, unordered) {
		inOrder := i <= len(ordered)
		for verb := range strings.FieldsSeq(c.verbs) {
			t.Run(c.name+"/"+verb, func(t *testing.T) {
				t.Parallel()
				if c.status == http.StatusInsufficientStorage && !objects.IsFull(fullDisk) {
					t.Skip("package objects cannot tell a full disk on this system")
				}
				locks := &fake{}
				handler, recorded := recording(handlers(t, locks))
				o := serve(t, handler)
				request := requests[verb].request + " " + requests[verb].body
				o.must(requests[verb].status, "alice", request, lab.Lesson{
					Says: verb + " did not answer what Locks had answered", Did: verb + ", by alice", Read: fix,
					Means: "the client believes that nothing was done",
				})
				<-recorded
				err := fmt.Errorf("%s: %w", verb, c.err)
				locks.set(func(context.Context, string) error { return err })
				l := lab.Lesson{
					Did: fmt.Sprintf("%s, which Locks answered; once more, and Locks returned: %v", verb, c.err), Read: statuses,
				}
				a := o.try("alice", request, l.Say("%s did not answer", verb))
				once := l.Say("%s did not ask Locks once, by the method that is for it", verb)
				once.Means = "what one question decides under the lock, two decide at two moments, and others come between"
				lab.RequireEqual(t, "["+requests[verb].call+"]", locks.called(), once)
				refused(t, verb, c, a, err, <-recorded, l.Say("%s took this for something else: %s", verb, c.name))
				l.Means = c.means
				if c.status == http.StatusServiceUnavailable {
					l.Expected, l.Found = "Retry-After", fmt.Sprint(a.header)
					lab.Require(t, a.header.Get("Retry-After") != "", l.Say("%s did not say when to try again", verb))
				}
				classified := lab.Lesson{
					Says: "Classify dropped an error: " + c.name, Did: fmt.Sprintf("Classify, of: %v", err), Read: statuses,
					Means: "the log does not say why the request was refused, and the administrator searches in vain",
				}
				got := api.Classify(err)
				lab.RequireErrorIs(t, got, err, classified)
				if !inOrder {
					l := shows(classified.Say("Classify changed an error that is not in its list: %s", c.name), err.Error(), got)
					l.Means = "wire.Refuse, which knows it, does not see what it is"
					lab.Require(t, got == err, l)
				}
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

// Two errors at once, in both orders: the client hears of the one that comes first in the list.
func TestOfTwoErrorsTheFirstOfTheListCounts(t *testing.T) {
	t.Parallel()
	locks := &fake{}
	handler, recorded := recording(handlers(t, locks))
	for i, first := range slices.Concat([]refusal{theirOwn}, ordered) {
		for _, second := range slices.Concat(ordered[max(i, 1):], unordered) {
			for _, err := range []error{fmt.Errorf("%w; %w", first.err, second.err), fmt.Errorf("%w; %w", second.err, first.err)} {
				for _, verb := range []string{"Create", "Unlock"} {
					locks.set(func(context.Context, string) error { return err })
					l := lab.Lesson{
						Says: fmt.Sprintf("%s did not answer by the first of the list: %s", verb, first.name),
						Did:  fmt.Sprintf("%s; Locks returned an error that matches two: %s, and %s", verb, first.name, second.name), Read: statuses,
					}
					if own := (*wire.Error)(nil); !errors.As(api.Classify(err), &own) || own.Status != first.status {
						l = l.Say("Classify did not go by the first of its list: %s", first.name)
					}
					r := direct(handler, "alice", verb, strings.NewReader(requests[verb].body))
					r.serve()
					refused(t, verb, first, reaches(t, r.done, nil, "", l), err, <-recorded, l)
				}
			}
		}
	}
}

// The time is over after Locks has begun the change, so Locks makes it whole.
func TestWhatWasDoneIsAnsweredThoughTheTimeIsOver(t *testing.T) {
	t.Parallel()
	for verb := range requests {
		for _, c := range []struct {
			name   string
			err    error
			status int
			when   string
		}{
			{"done", nil, requests[verb].status, "when Locks had done its work"},
			{"done, but not durable", document.ErrNotDurable, http.StatusInternalServerError, "when Locks had done its work"},
			{"done at once", nil, requests[verb].status, "before Locks was asked"},
		} {
			if c.err != nil && (verb == "List" || verb == "Verify") {
				continue // they change nothing
			}
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
				if c.name == "done at once" {
					end() // Locks may still have an answer, and no one else decides that
				}
				ending := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					handler.ServeHTTP(w, r.WithContext(timed{r.Context(), over}))
				})
				l := lab.Lesson{
					Says: verb + " did not answer what Locks has done", Read: gone,
					Did:   fmt.Sprintf("%s; the request's time was over %s, and Locks reported: %s", verb, c.when, c.name),
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
