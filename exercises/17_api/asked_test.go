package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/part"
	api "example/turnstile/exercises/17_api"
	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab"
)

// What Locks is asked, and what of its answer the client gets. Before each request comes another one of its kind, which fills all fields:
// it is refused, or Locks fails, or panics. The user is the one of the request's record, whatever its headers say: a login that is not
// package server's may have nothing to do with them.
func TestLocksIsAskedWhatTheClientAsks(t *testing.T) {
	t.Parallel()
	const user = `Al@EU 50%d "é" ` // its space is a part of it
	// Whether a checkout counts, Locks has decided, by its own clock.
	past, coming := time.Unix(1e9, 0), time.Unix(1e11, 0)
	locks := &fake{
		next: `7%d"é`,
		ours: []lockmanager.Checkout{
			{ID: `3%d "é`, Path: `c 50%d "é".bin`, Owner: "carol", LockedAt: past, Expires: past, Token: 3},
			{ID: "4", Path: "d.bin", Owner: user, LockedAt: past, Expires: coming},
		},
		checkouts: []lockmanager.Checkout{
			{ID: "2", Path: `b 50%d "é".bin`, Owner: user, LockedAt: coming, Expires: coming, Token: 9},
			{ID: "1", Path: "A.bin", Owner: "bob"},
			{},
			{ID: "5", Path: "a.bin", Owner: `Bob 50%d "é"`, LockedAt: past, Expires: past, Token: 1},
		},
	}
	out := errors.New("input/output error")
	locks.set(func(context.Context, string) error { return out })
	handler, err := api.New(t.Context(), locks, nil)
	l := lab.Lesson{
		Says: "NewLockHandlers asked Locks before there was a request", Did: "New, of a Locks that fails", Read: why,
		Means: "what it has heard is old when a request comes: another server has changed the document, or it can be read again",
	}
	lab.RequireEqual(t, "[]", locks.called(), l)
	lab.RequireNoError(t, err, l.Say("NewLockHandlers failed"))
	o := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetBasicAuth("mallory", "mallory")
		r.Header.Set("X-Forwarded-User", "mallory")
		r.Header.Set("Accept", "text/html")
		handler.ServeHTTP(&plain{ResponseWriter: w, note: locks.note, record: wire.RecordOf(r.Context())}, r.WithContext(&own{r.Context()}))
	}))
	ended := [3]string{"was refused", "Locks failed to answer", "made Locks panic"}
	lock := func(id, path string) wire.Locked { return wire.Locked{Lock: seen(made(id, path, user))[0]} }
	long, nines := strings.Repeat("d/", part.MaxLength/2-1)+"ab", strings.Repeat("9", 3000)
	for round := range 25 {
		if round == 24 {
			locks.ours, locks.checkouts = nil, nil // an empty piece need not be the last
		}
		list := wire.LockList{Locks: seen(locks.checkouts...), NextCursor: locks.next}
		both := wire.VerifyList{Ours: seen(locks.ours...), Theirs: list.Locks, NextCursor: locks.next}
		for _, c := range []struct {
			verb, request string
			call          string // to Locks
			answer        any    // all of it, or a word
		}{
			{
				"Create", `POST /locks?path=c.bin {"path":"./%31B.bin \"50%d\" é ","newer":[1],"ref":{"name":""}}`,
				`Lock USER ./%31B.bin "50%d" é `, lock("1", `./%31B.bin "50%d" é `),
			},
			{"Create", fmt.Sprintf(`POST /locks {"path":%q}`, long), "Lock USER " + long, lock("1", long)},
			{"Create", `POST /locks {"ref":null}`, "Lock USER ", "message"},
			{"Create", `POST /locks {"path":"held.bin"}`, "Lock USER held.bin", "Carol"},
			{
				"List", "GET /locks?path=./%2531B.bin%20%22%25d%22%C3%A9%20&id=%2531A%25d%22%C3%A9&cursor=7%25d%22%C3%A9&limit=1",
				`List {Path:./%31B.bin "%d"é  ID:%31A%d"é Cursor:7%d"é Limit:1}`, list,
			},
			{"List", "GET /locks?path=" + long, "List {Path:" + long + " ID: Cursor: Limit:0}", list},
			{"List", "GET /locks?id=" + nines + "&cursor=" + nines, "List {Path: ID:" + nines + " Cursor:" + nines + " Limit:0}", list},
			{"List", "GET /locks?limit=5000", "List {Path: ID: Cursor: Limit:5000}", list},
			{"List", `GET /locks {"path":"c.bin","limit":3}`, "List {Path: ID: Cursor: Limit:0}", list},
			{"Verify", `POST /locks/verify {"cursor":"7%d\" é","limit":1}`, `Verify USER "7%d\" é" 1`, both},
			{"Verify", fmt.Sprintf(`POST /locks/verify {"cursor":%q}`, long), fmt.Sprintf("Verify USER %q 0", long), both},
			{"Verify", `POST /locks/verify {"limit":5000}`, `Verify USER "" 5000`, both},
			{"Verify", `POST /locks/verify {"limit":-1,"ref":{"name":""}}`, `Verify USER "" -1`, both},
			{"Verify", `POST /locks/verify?cursor=5&limit=3 {}`, `Verify USER "" 0`, both},
			{"Unlock", `POST /locks/1/unlock {"force":true,"ref":{"name":""}}`, "Unlock USER 1 true", lock("1", "a.bin")},
			{"Unlock", `POST /locks/1/unlock?force=true&id=2 {}`, "Unlock USER 1 false", lock("1", "a.bin")},
			{"Unlock", `POST /locks/%31.~/unlock {"force":false}`, "Unlock USER 1.~ false", lock("1.~", "a.bin")},
			{"Unlock", "POST /locks/" + nines + "/unlock {}", "Unlock USER " + nines + " false", lock(nines, "a.bin")},
			{"Unlock", `POST /locks/%2531A%25d/unlock {}`, "Unlock USER %31A%d false", lock("%31A%d", "a.bin")},
			{"Unlock", `POST /locks/%201%2Funlock%22%C3%A9/unlock {}`, `Unlock USER  1/unlock"é false`, lock(` 1/unlock"é`, "a.bin")},
		} {
			l := lab.Lesson{
				Did:   fmt.Sprintf("a user sent %s, which %s; then %.100s", before[c.verb][round%3], ended[round%3], c.request),
				Read:  fix,
				Means: "the server does something else than its client has asked for",
			}
			locks.set(func(context.Context, string) error {
				if round%3 == 2 {
					panic(out)
				}
				return out
			})
			first := l.Say("%s did not answer", c.verb)
			if round%3 == 2 {
				first = first.Say("%s did not leave the answer to a panic of Locks to package server", c.verb)
				first.Means = "an answer that had begun was broken off: only where none has, package server can answer 500"
			}
			o.try(user, before[c.verb][round%3], first)
			locks.set(func(ctx context.Context, call string) error {
				if _, ok := ctx.(*own); !ok {
					locks.note("(another context)")
				}
				switch call {
				case "Lock " + user + " ":
					return lockmanager.ErrName
				case "Lock " + user + " held.bin":
					return held
				}
				return nil
			})
			a := o.try(user, c.request, l.Say("%s did not answer", c.verb))
			called := locks.called()
			l = l.Say("%s did not ask Locks once, for what the client has sent", c.verb)
			if strings.Contains(called, "mallory") {
				l = l.Say("%s asked Locks for another than the user of the request's record", c.verb)
				l.Did += "; headers of the request that the handler got named mallory"
			}
			for note, meant := range notes {
				if strings.Contains(called, note) {
					l.Says, l.Means = c.verb+meant.says, meant.means
				}
			}
			lab.RequireEqual(t, "["+strings.Replace(c.call, "USER", user, 1)+"]", called, l)
			l.Means = "the client does not see what Locks has answered"
			l = l.Say("%s changed the answer of Locks", c.verb)
			if word, ok := c.answer.(string); ok {
				lab.Require(t, strings.Contains(a.text, word), shows(l, "an answer with "+word, a))
				continue
			}
			want, err := json.Marshal(c.answer)
			lab.RequireSetUp(t, err)
			lab.RequireEqual(t, string(want), likewise(c.answer, a.text), l)
		}
	}
	for verb, request := range requests {
		l := lab.Lesson{
			Says: verb + " asked Locks for another than the user of the request's record",
			Did:  verb + " of a client whose record names no user; headers of the request that the handler got named mallory", Read: fix,
			Means: "a name that no one has checked has locks, and takes those of others",
		}
		locks.set(nil)
		o.try("", request.request+" "+request.body, l)
		lab.RequireEqual(t, "["+strings.Replace(request.call, "alice", "", 1)+"]", locks.called(), l)
	}
}

// seen returns checkouts as a client sees them.
func seen(checkouts ...lockmanager.Checkout) []wire.Lock {
	list := []wire.Lock{}
	for _, c := range checkouts {
		list = append(list, wire.Lock{ID: c.ID, Path: c.Path, LockedAt: c.LockedAt.UTC(), Owner: wire.Owner{Name: c.Owner}})
	}
	return list
}

// likewise returns text as encoding/json writes it for a value of v's type, if it is one.
func likewise(v any, text string) string {
	got := reflect.New(reflect.TypeOf(v))
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if decoder.Decode(got.Interface()) != nil {
		return text
	}
	again, err := json.Marshal(got.Elem().Interface())
	if err != nil {
		return text
	}
	return string(again)
}

// before has requests that fill all fields. The first of each kind is refused for what it holds.
var before = map[string][3]string{
	"Create": {`POST /locks {"path":"c.bin","ref":5}`, `POST /locks {"path":"c.bin"}`, `POST /locks {"path":"c.bin"}`},
	"List": {
		"GET /locks?path=c.bin&id=9&cursor=9&limit=0", "GET /locks?path=c.bin&id=9&cursor=9&limit=9",
		"GET /locks?path=c.bin&id=9&cursor=9&limit=9",
	},
	"Verify": {
		`POST /locks/verify {"cursor":"9","limit":9,"ref":5}`, `POST /locks/verify {"cursor":"9","limit":9}`,
		`POST /locks/verify {"cursor":"9","limit":9}`,
	},
	"Unlock": {`POST /locks/9/unlock {"force":true,"ref":5}`, `POST /locks/9/unlock {"force":true}`, `POST /locks/9/unlock {"force":true}`},
}

// notes has what a handler may do beside its work, as the fake Locks notes it.
var notes = map[string]struct{ says, means string }{
	"(another context)": {
		" did not give Locks the request's context as it is", "its deadline, its record, or the reason of its end is lost on the way",
	},
	"(an error in the record)": {" left an error in the record of what it did not refuse", "the log has a failure that there was not"},
	"(a deadline)":             {" set a deadline of its own", "a client that is slow keeps its request longer than package server allows"},
	"(a piece)":                {" did not answer once, by package wire", "an answer that breaks off looks whole, or a second one follows"},
}

// The own context of a request: what is made of it is of another type.
type own struct{ context.Context }

// A plain answer notes what package wire does not do with one.
type plain struct {
	http.ResponseWriter
	note    func(string)
	record  *wire.Record
	refuses bool
	written bool
}

func (p *plain) WriteHeader(status int) {
	p.refuses = status >= http.StatusBadRequest
	p.ResponseWriter.WriteHeader(status)
}

func (p *plain) Write(b []byte) (int, error) {
	if p.record.Err != nil && !p.refuses {
		p.note("(an error in the record)")
	}
	if h := p.Header(); p.written || h.Get("Content-Length") != strconv.Itoa(len(b)) || h.Get("Connection") != "" {
		p.note("(a piece)")
	}
	p.written = true
	return p.ResponseWriter.Write(b)
}

func (p *plain) FlushError() error {
	p.note("(a piece)")
	return nil
}

func (p *plain) SetReadDeadline(time.Time) error {
	p.note("(a deadline)")
	return nil
}

func (p *plain) SetWriteDeadline(time.Time) error {
	p.note("(a deadline)")
	return nil
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

// Two clients at once ask for long lists, of which neither has anything that the other has; Locks answers both at one moment.
func TestTwoListsAtOnceAreTwo(t *testing.T) {
	t.Parallel()
	const length, rounds = 3000, 15
	for _, verb := range []string{"List", "Verify"} {
		locks := &fake{lists: func(user string) []lockmanager.Checkout {
			return slices.Repeat([]lockmanager.Checkout{{ID: "1", Path: user + ".bin", Owner: "carol"}}, length)
		}}
		handler := handlers(t, locks)
		l := lab.Lesson{
			Did:   fmt.Sprintf("alice and bob asked for lists of %d locks at once, which have none in common", length),
			Means: "git lfs unlock takes the first lock of the answer, and removes it", Read: fix,
		}
		for range rounds {
			asked, answer := make(chan bool, 2), make(chan bool)
			locks.set(func(context.Context, string) error {
				asked <- true
				<-answer
				return nil
			})
			both := map[string]*directed{}
			for _, user := range []string{"alice", "bob"} {
				both[user] = direct(handler, user, verb, strings.NewReader(requests[verb].body))
				both[user].request.URL.RawQuery = "path=" + user
				both[user].serve()
				reaches(t, asked, nil, "", l.Say("%s waits for another request", verb))
			}
			close(answer)
			for user, r := range both {
				a := reaches(t, r.done, nil, "", l.Say("%s does not answer", verb))
				found := fmt.Sprintf("%d for alice, %d for bob", strings.Count(a.text, "alice.bin"), strings.Count(a.text, "bob.bin"))
				want := strings.ReplaceAll("0 for alice, 0 for bob", "0 for "+user, fmt.Sprintf("%d for %s", length, user))
				lab.RequireEqual(t, want, found, l.Say("%s answered %s with another user's list", verb, user))
			}
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
		sent := answer{text: "no whole answer, because the handler did not return"}
		defer func() {
			if recovered := recover(); recovered != nil && recovered != http.ErrAbortHandler { // which net/http takes for the end of a connection
				panic(recovered)
			}
			d.done <- sent
		}()
		d.handler.ServeHTTP(d.answer, d.request)
		sent = answer{d.answer.Code, d.answer.Header(), d.answer.Body.String()}
	}()
}
