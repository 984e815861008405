package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/part"
	api "example/turnstile/exercises/17_api"
	"example/turnstile/internal/lab"
)

// What Locks is asked, and what of its answer the client gets. A request that leaves a field out comes after one that has it, again and
// again. When the handlers were made, Locks did not work: they may have refused to be made. The user is the one of the request's
// record, whatever its header says: a login that is not package server's may have nothing to do with it.
func TestLocksIsAskedWhatTheClientAsks(t *testing.T) {
	t.Parallel()
	locks := &fake{next: "7", checkouts: []lockmanager.Checkout{{ID: "1", Path: "A.bin", Owner: "bob"}}}
	locks.set(func(context.Context, string) error { return errors.New("input/output error") })
	handler, err := api.New(t.Context(), locks, nil)
	if locks.set(nil); err != nil {
		handler = handlers(t, locks)
	}
	o := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetBasicAuth("mallory", "mallory")
		handler.ServeHTTP(w, r)
	}))
	const list, since = `"next_cursor":"7"`, ` "locked_at":"2001-09-09T01:46:40Z"`
	long := strings.Repeat("d/", part.MaxLength/2-1) + "ab"
	for round := range 25 {
		if round == 24 {
			locks.checkouts = nil // an empty piece need not be the last
		}
		for _, c := range []struct {
			verb, request string
			call          string // to Locks
			answer        string // words of it
		}{
			{"Create", `POST /locks {"path":"%31B.bin","newer":[1]}`, "Lock Al@EU %31B.bin", `"path":"%31B.bin"` + since},
			{"Create", fmt.Sprintf(`POST /locks {"path":%q}`, long), "Lock Al@EU " + long, long},
			{"Create", `POST /locks {"ref":null}`, "Lock Al@EU ", "message"},
			{"List", "GET /locks?path=%20%2531B.bin&id=%2531A&cursor=5&limit=3", "List {Path: %31B.bin ID:%31A Cursor:5 Limit:3}", list},
			{"List", "GET /locks?path=" + long, "List {Path:" + long + " ID: Cursor: Limit:0}", list},
			{"List", "GET /locks?limit=5000", "List {Path: ID: Cursor: Limit:5000}", list},
			{"List", "GET /locks", "List {Path: ID: Cursor: Limit:0}", list},
			{"Verify", `POST /locks/verify {"cursor":"5","limit":3}`, `Verify Al@EU "5" 3`, list},
			{"Verify", `POST /locks/verify {"limit":5000}`, `Verify Al@EU "" 5000`, list},
			{"Verify", `POST /locks/verify {"limit":-1}`, `Verify Al@EU "" -1`, list},
			{"Verify", `POST /locks/verify {}`, `Verify Al@EU "" 0`, list},
			{"Unlock", `POST /locks/1/unlock {"force":true}`, "Unlock Al@EU 1 true", `"id":"1"` + since},
			{"Unlock", `POST /locks/1/unlock {}`, "Unlock Al@EU 1 false", `"id":"1"` + since},
			{"Unlock", `POST /locks/%31.~/unlock {"force":false}`, "Unlock Al@EU 1.~ false", `"id":"1.~"`},
			{"Unlock", `POST /locks/%2531A/unlock {}`, "Unlock Al@EU %31A false", `"id":"%31A"`},
		} {
			locks.set(func(_ context.Context, call string) error {
				if call == "Lock Al@EU " {
					return lockmanager.ErrName
				}
				return nil
			})
			l := lab.Lesson{
				Did: fmt.Sprintf("Locks failed when the handlers were made; later Al@EU sent %.100s, after other requests", c.request), Read: fix,
				Means: "the server does something else than its client has asked for",
			}
			a := o.try("Al@EU", c.request, l.Say("%s did not answer", c.verb))
			called := locks.called()
			if strings.Contains(called, "mallory") {
				l = l.Say("%s asked Locks for another than the user who had logged in", c.verb)
				l.Did += "; the header Authorization of the request that the handler got named mallory"
			} else {
				l = l.Say("%s did not ask Locks once, for what the client has sent", c.verb)
			}
			lab.RequireEqual(t, "["+c.call+"]", called, l)
			l.Means = "the client does not see what Locks has answered"
			words := strings.Fields(c.answer)
			if c.answer == list && locks.checkouts != nil {
				words = append(words, `"path":"A.bin"`)
			}
			for _, word := range words {
				l := shows(l.Say("%s changed the answer of Locks", c.verb), "an answer with "+word, a)
				lab.Require(t, strings.Contains(a.text, word), l)
			}
		}
	}
}

// Two clients at once, step by step: both have sent the half of their requests; then each sends the rest; then Locks answers each.
func TestTwoRequestsAtOnceAreTwo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ verb, alice, bob, asksAlice, asksBob string }{
		{"Create", `{"path":"a.bin"}`, `{"path":"b.bin"}`, "Lock alice a.bin", "Lock bob b.bin"},
		{"Verify", `{"cursor":"5","limit":1}`, `{"cursor":"6","limit":2}`, `Verify alice "5" 1`, `Verify bob "6" 2`},
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
			early := c.verb + " answered before it had its request"
			reaches(t, alice.reading, one.done, early, l.Say("%s does not read its request", c.verb))
			two.serve()
			reaches(t, bob.reading, two.done, early, l.Say("%s waits for another client", c.verb))
			for _, step := range []struct {
				request *directed
				body    *half
				text    string
				call    string
			}{{one, alice, c.alice, c.asksAlice}, {two, bob, c.bob, c.asksBob}} {
				step.body.rest <- step.text
				early := c.verb + " answered before it had asked Locks"
				call := reaches(t, asked, step.request.done, early, l.Say("%s waits for another request", c.verb))
				lab.RequireEqual(t, step.call, call, l.Say("%s asked Locks for something else than its client did", c.verb))
			}
			l.Did += "; Locks answered both"
			for range 2 {
				answer <- true
			}
			for user, r := range map[string]*directed{"alice": one, "bob": two} {
				a := reaches(t, r.done, nil, "", l.Say("%s does not answer", c.verb))
				owns := strings.Contains(a.text, `"name":"`+user+`"`) || c.verb == "Verify"
				l := shows(l.Say("%s answered %s with another user's lock", c.verb, user), "an answer to "+user, a)
				lab.Require(t, a.status == requests[c.verb].status && owns, l)
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
	done    chan answer
}

func direct(handler http.Handler, user, verb string, body io.Reader) *directed {
	method, target, _ := strings.Cut(requests[verb].request, " ")
	request := httptest.NewRequestWithContext(context.Background(), method, target, body)
	request.SetBasicAuth(user, user)
	return &directed{wrapped(handler), request, httptest.NewRecorder(), make(chan answer, 1)}
}

func (d *directed) serve() {
	go func() {
		d.handler.ServeHTTP(d.answer, d.request)
		d.done <- answer{d.answer.Code, d.answer.Header(), d.answer.Body.String()}
	}()
}
