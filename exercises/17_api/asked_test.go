package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/part"
	"example/turnstile/internal/lab"
)

// What Locks is asked, and what of its answer the client gets. A request that leaves a field out comes after one that has it, again and
// again.
func TestLocksIsAskedWhatTheClientAsks(t *testing.T) {
	t.Parallel()
	locks := &fake{next: "7", checkouts: []lockmanager.Checkout{{ID: "1", Path: "A.bin", Owner: "bob"}}}
	o := with(t, locks)
	long := strings.Repeat("d/", part.MaxLength/2-1) + "ab"
	for range 25 {
		for _, c := range []struct {
			verb, request string
			call          string // to Locks
			answer        string // part of it
		}{
			{"Create", fmt.Sprintf(`POST /locks {"path":%q}`, long), "Lock alice " + long, long},
			{"Create", `POST /locks {"path":"B.bin"}`, "Lock alice B.bin", `"path":"B.bin"`},
			{"Create", `POST /locks {"ref":null}`, "Lock alice ", "message"},
			{"List", "GET /locks?path=a.bin&id=1&cursor=c&limit=3", "List {Path:a.bin ID:1 Cursor:c Limit:3}", `"path":"A.bin"`},
			{"List", "GET /locks?path=" + long, "List {Path:" + long + " ID: Cursor: Limit:0}", `"path":"A.bin"`},
			{"List", "GET /locks", "List {Path: ID: Cursor: Limit:0}", `"next_cursor":"7"`},
			{"Verify", `POST /locks/verify {"cursor":"c","limit":3}`, `Verify alice "c" 3`, `"path":"A.bin"`},
			{"Verify", `POST /locks/verify {}`, `Verify alice "" 0`, `"next_cursor":"7"`},
			{"Unlock", `POST /locks/1/unlock {"force":true}`, "Unlock alice 1 true", `"id":"1"`},
			{"Unlock", `POST /locks/1/unlock {}`, "Unlock alice 1 false", `"id":"1"`},
			{"Unlock", `POST /locks/%31.~/unlock {"force":false}`, "Unlock alice 1.~ false", `"id":"1.~"`},
		} {
			locks.set(func(_ context.Context, call string) error {
				if call == "Lock alice " {
					return lockmanager.ErrName
				}
				return nil
			})
			l := lab.Lesson{
				Did: fmt.Sprintf("alice sent %.100s, after other requests", c.request), Read: fix,
				Means: "the server does something else than its client has asked for",
			}
			a := o.try("alice", c.request, l.Say("%s did not answer", c.verb))
			called := locks.called()
			if called == "[]" && a.status == http.StatusUnprocessableEntity && strings.HasSuffix(c.call, " ") {
				continue // who refuses such a path need not ask
			}
			lab.RequireEqual(t, "["+c.call+"]", called, l.Say("%s did not ask Locks once, for what the client has sent", c.verb))
			l.Expected, l.Found = "an answer with "+c.answer, a.String()
			l.Means = "the client does not see what Locks has answered"
			lab.Require(t, strings.Contains(a.text, c.answer), l.Say("%s changed the answer of Locks", c.verb))
		}
	}
}

// Two clients at once, step by step: both have sent the half of their requests; then each sends the rest; then Locks answers each.
func TestTwoRequestsAtOnceAreTwo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ verb, alice, bob, asksAlice, asksBob string }{
		{"Create", `{"path":"a.bin"}`, `{"path":"b.bin"}`, "Lock alice a.bin", "Lock bob b.bin"},
		{"Verify", `{"cursor":"a","limit":1}`, `{"cursor":"b","limit":2}`, `Verify alice "a" 1`, `Verify bob "b" 2`},
		{"Unlock", `{"force":false}`, `{"force":true}`, "Unlock alice 1 false", "Unlock bob 1 true"},
	} {
		passed := t.Run(c.verb, func(t *testing.T) {
			locks := &fake{}
			handler := handlers(t, locks)
			asked, answer := make(chan string, 2), make(chan bool)
			locks.set(func(_ context.Context, call string) error {
				asked <- call
				<-answer
				return nil
			})
			t.Cleanup(func() { close(answer) })
			l := lab.Lesson{
				Did:   fmt.Sprintf("alice and bob both sent half of a %s; then alice sent the rest, then bob", c.verb),
				Means: "one user's request is done in another's name: a lock is given, or removed, that this user has not asked for", Read: fix,
			}
			alice, bob := newHalf(), newHalf()
			one, two := direct(handler, "alice", c.verb, alice), direct(handler, "bob", c.verb, bob)
			one.serve()
			lab.Finishes(t, func() { <-alice.reading }, l.Say("%s does not read its request", c.verb))
			two.serve()
			lab.Finishes(t, func() { <-bob.reading }, l.Say("%s waits for another client", c.verb))
			for _, step := range []struct {
				body *half
				text string
				call string
			}{{alice, c.alice, c.asksAlice}, {bob, c.bob, c.asksBob}} {
				step.body.rest <- step.text
				call := ""
				lab.Finishes(t, func() { call = <-asked }, l.Say("%s waits for another request", c.verb))
				lab.RequireEqual(t, step.call, call, l.Say("%s asked Locks for something else than its client did", c.verb))
			}
			l.Did += "; Locks answered both"
			for range 2 {
				answer <- true
			}
			for user, r := range map[string]*directed{"alice": one, "bob": two} {
				lab.Finishes(t, func() { <-r.done }, l.Say("%s does not answer", c.verb))
				l.Expected, l.Found = "an answer to "+user, fmt.Sprintf("%d %s", r.answer.Code, r.answer.Body)
				owns := strings.Contains(l.Found, `"name":"`+user+`"`) || c.verb == "Verify"
				lab.Require(t, r.answer.Code == requests[c.verb].status && owns, l.Say("%s answered %s with another user's lock", c.verb, user))
			}
		})
		if !passed {
			return
		}
	}
}

// A half is a body of which the rest comes when the test sends it.
type half struct {
	reading chan bool
	rest    chan string
	text    io.Reader
}

func newHalf() *half { return &half{reading: make(chan bool, 1), rest: make(chan string, 1)} }

func (h *half) Read(b []byte) (int, error) {
	if h.text == nil {
		h.reading <- true
		h.text = strings.NewReader(<-h.rest)
	}
	return h.text.Read(b)
}

// A directed request goes to the handlers without a connection.
type directed struct {
	handler http.Handler
	request *http.Request
	answer  *httptest.ResponseRecorder
	done    chan bool
}

func direct(handler http.Handler, user, verb string, body io.Reader) *directed {
	method, target, _ := strings.Cut(requests[verb].request, " ")
	request := httptest.NewRequestWithContext(context.Background(), method, target, body)
	request.SetBasicAuth(user, user)
	return &directed{wrapped(handler), request, httptest.NewRecorder(), make(chan bool)}
}

func (d *directed) serve() {
	go func() {
		defer close(d.done)
		d.handler.ServeHTTP(d.answer, d.request)
	}()
}
