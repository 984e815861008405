package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	document "example/turnstile/exercises/13_document"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	api "example/turnstile/exercises/17_api"
	"example/turnstile/exercises/17_api/server"
	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) { lab.Main(m, workers, document.ErrNotDurable) }

// workers are the programs that tests start.
var workers = lab.Workers{"serve": serveDir, "panic": panicking}

// Where the messages send the reader.
const (
	why      = `lessons/17_api, "Why it happens"`
	fix      = `lessons/17_api, "The fix"`
	slow     = `lessons/17_api, "Slow clients"`
	gone     = `lessons/17_api, "Clients that have gone"`
	statuses = `lessons/17_api, "Which status"`
	hostile  = `lessons/17_api, "Hostile requests"`
	paging   = `lessons/17_api, "Piece by piece"`
	answers  = `lessons/17_api, "What the client takes for an answer"`
)

// anyone lets in everyone whose password is their name.
type anyone struct{}

func (anyone) Check(_ context.Context, name, password string) (bool, error) {
	return name == password, nil
}

// An office is a server, and the test its client.
type office struct {
	t   testing.TB
	url string
}

// open starts a server for the directory.
func open(t testing.TB, dir string) office {
	t.Helper()
	handler, closing, err := api.Open(t.Context(), dir, "http://lfs.example.org")
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system has no file locks: ", err)
	}
	lab.RequireNoError(t, err, lab.Lesson{
		Says: "NewLockHandlers failed, or the reference beneath it", Did: "Open of an empty directory", Means: "no server starts", Read: fix,
	})
	t.Cleanup(func() { lab.RequireSetUp(t, closing()) })
	return serve(t, handler)
}

// with starts a server for a Locks that the test has made.
func with(t testing.TB, locks api.Locks) office {
	t.Helper()
	return serve(t, handlers(t, locks))
}

// handlers returns the handlers for a Locks that the test has made. The context in which they were made has ended.
func handlers(t testing.TB, locks api.Locks) http.Handler {
	t.Helper()
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	defer end()
	handler, err := api.New(ctx, locks, nil)
	l := lab.Lesson{Says: "NewLockHandlers failed", Did: "New, with a Locks that works", Means: "no server starts", Read: fix}
	lab.RequireNoError(t, err, l)
	return handler
}

func serve(t testing.TB, handler http.Handler) office {
	s := httptest.NewServer(wrapped(handler))
	t.Cleanup(s.CloseClientConnections) // or Close would wait for a handler that hangs
	return office{t, s.URL}
}

func wrapped(handler http.Handler) http.Handler {
	return server.Wrap(handler, server.Options{Users: anyone{}, Log: slog.New(slog.DiscardHandler)})
}

// on returns the office for a subtest.
func (o office) on(t testing.TB) office { return office{t, o.url} }

// An answer is what a client gets.
type answer struct {
	status int
	header http.Header
	text   string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, strings.TrimSpace(a.text)) }

// ask sends a request and returns the answer, or the reason why there is none.
func (o office) ask(ctx context.Context, user, method, target, body string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, o.url+target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.SetBasicAuth(user, user)
	request.Header.Set("Accept", wire.MediaType)
	if body != "" {
		request.Header.Set("Content-Type", wire.MediaType+"; charset=utf-8")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text)}, errors.Join(err, response.Body.Close())
}

// written has the headers that package wire, package server and net/http write: with each status, or with one.
var written = map[string]int{
	"Content-Type": 0, "Content-Length": 0, "X-Request-Id": 0, "Date": 0, "Retry-After": http.StatusServiceUnavailable,
	"Connection": http.StatusRequestEntityTooLarge,
}

// must sends a request, and requires an answer with the status.
func (o office) must(status int, user, request string, l lab.Lesson) answer {
	o.t.Helper()
	a := o.try(user, request, l)
	l.Expected, l.Found = fmt.Sprintf("status %d", status), a.String()
	lab.Require(o.t, a.status == status, l)
	return a
}

// try sends a request, and requires an answer.
func (o office) try(user, request string, l lab.Lesson) (a answer) {
	o.t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	target, body, _ := strings.Cut(rest, " ")
	var err error
	lab.Finishes(o.t, func() { a, err = o.ask(context.WithoutCancel(o.t.Context()), user, method, target, body) }, l)
	lab.RequireNoError(o.t, err, l)
	for name := range a.header {
		only, ok := written[name]
		path, _, _ := strings.Cut(target, "?")
		l := shows(l.Say("A header was added to the answer to %s %.40s", method, path), "no header "+name, name+": "+a.header.Get(name))
		l.Means, l.Read = "a cache keeps what another server changes a moment later, or a client does what no one has meant", why
		lab.Require(o.t, ok && (only == 0 || only == a.status), l)
	}
	return a
}

// reaches requires that a request comes to a place, and returns what it sends from there. If nothing comes, l says what is wrong; if the
// request has been answered instead, early does.
func reaches[T any](t testing.TB, place <-chan T, answered <-chan answer, early string, l lab.Lesson) (sent T) {
	t.Helper()
	limit := process.Patience()
	for renewals := 0; ; {
		select {
		case sent = <-place:
			return sent
		case a := <-answered:
			l.Says, l.Means = early, "the answer does not depend on what it must tell"
			if a.status == http.StatusServiceUnavailable {
				l.Means += "; the context that NewLockHandlers got may have ended, and the request's has not"
			}
			lab.Require(t, false, shows(l, "no answer yet", a))
		case <-time.After(limit):
			if process.Renewed(os.Getpid(), &renewals) {
				continue
			}
			lab.Require(t, false, shows(l, "it goes on", fmt.Sprintf("nothing for %s, which is this test's limit", limit)))
		}
	}
}

// read decodes an answer, and requires it to be what the client can read. An answer to what was done has T's fields and no others: the
// client takes a message beside a lock for a failure.
func read[T any](o office, a answer, l lab.Lesson) T {
	o.t.Helper()
	var v T
	l.Expected, l.Found = "JSON of the type "+wire.MediaType, fmt.Sprintf("%s, of the type %q", a, a.header.Get("Content-Type"))
	decoder := json.NewDecoder(strings.NewReader(a.text))
	if a.status < http.StatusMultipleChoices {
		l.Expected += fmt.Sprintf(", with the fields of %T alone", v)
		decoder.DisallowUnknownFields()
	}
	ok := decoder.Decode(&v) == nil && !decoder.More() && a.header.Get("Content-Type") == wire.MediaType
	lab.Require(o.t, ok, l)
	return v
}

// lock locks a part and returns the lock.
func (o office) lock(user, path string, l lab.Lesson) wire.Lock {
	o.t.Helper()
	a := o.must(http.StatusCreated, user, fmt.Sprintf(`POST /locks {"path":%q}`, path), l)
	return read[wire.Locked](o, a, l).Lock
}

// names returns owners and paths, to be compared and shown.
func names(locks []wire.Lock) string {
	var list []string
	for _, lock := range locks {
		list = append(list, lock.Owner.Name+" "+lock.Path)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// fake is a Locks that does what the test says.
type fake struct {
	mutex     sync.Mutex
	ours      []lockmanager.Checkout                       // what Verify returns first
	checkouts []lockmanager.Checkout                       // what List and Verify return
	once      bool                                         // only the first of them does
	lists     func(who string) []lockmanager.Checkout      // if set: what they return to the user, or for the path
	next      string                                       // the cursor that List and Verify return
	act       func(ctx context.Context, call string) error // before each method returns; nil means nothing
	calls     []string
}

func (f *fake) did(ctx context.Context, format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	f.mutex.Lock()
	act := f.act
	f.calls = append(f.calls, call)
	f.mutex.Unlock()
	if act == nil {
		return nil
	}
	return act(ctx, call)
}

func (f *fake) take(who string) (checkouts []lockmanager.Checkout) {
	if f.lists != nil {
		return f.lists(who)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	checkouts = f.checkouts
	if f.once {
		f.checkouts = nil
	}
	return checkouts
}

func (f *fake) set(act func(ctx context.Context, call string) error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.act, f.calls = act, nil
}

// note puts what is not a call among the calls.
func (f *fake) note(what string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.calls = append(f.calls, what)
}

func (f *fake) called() string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return fmt.Sprint(f.calls)
}

// made returns the checkout that a fake Lock makes, and a fake Unlock ends. It would have expired long ago.
func made(id, path, owner string) lockmanager.Checkout {
	return lockmanager.Checkout{ID: id, Path: path, Owner: owner, LockedAt: time.Unix(1e9, 0), Expires: time.Unix(1e9, 0), Token: 1}
}

func (f *fake) Lock(ctx context.Context, owner, path string) (c lockmanager.Checkout, err error) {
	if err = f.did(ctx, "Lock %s %s", owner, path); err == nil || errors.Is(err, document.ErrSaved) {
		c = made("1", path, owner)
	}
	return c, err
}

func (f *fake) Unlock(ctx context.Context, owner, id string, force bool) (c lockmanager.Checkout, err error) {
	if err = f.did(ctx, "Unlock %s %s %t", owner, id, force); err == nil || errors.Is(err, document.ErrSaved) {
		c = made(id, "a.bin", owner)
	}
	return c, err
}

func (f *fake) List(ctx context.Context, q lockmanager.Query) (lockmanager.Page, error) {
	if err := f.did(ctx, "List %+v", q); err != nil {
		return lockmanager.Page{}, err
	}
	return lockmanager.Page{Checkouts: f.take(q.Path), Next: f.next}, nil
}

func (f *fake) Verify(ctx context.Context, owner, cursor string, limit int) (ours, theirs []lockmanager.Checkout, next string, err error) {
	if err := f.did(ctx, "Verify %s %q %d", owner, cursor, limit); err != nil {
		return nil, nil, "", err
	}
	return f.ours, f.take(owner), f.next, nil
}

// requests has one of each kind, the call that it makes if alice sends it, and the status of its answer.
var requests = map[string]struct {
	call, request, body string
	status              int
}{
	"Create": {"Lock alice a.bin", "POST /locks", `{"path":"a.bin"}`, http.StatusCreated},
	"List":   {"List {Path: ID: Cursor: Limit:0}", "GET /locks", "", http.StatusOK},
	"Verify": {`Verify alice "" 0`, "POST /locks/verify", `{}`, http.StatusOK},
	"Unlock": {"Unlock alice 1 false", "POST /locks/1/unlock", `{}`, http.StatusOK},
}

// serveDir opens DIR, sends the URL, and serves until the process is ended.
func serveDir(w *lab.Worker) error {
	handler, _, err := api.Open(context.Background(), w.Arg(0), "http://lfs.example.org")
	if err != nil {
		return err
	}
	s := httptest.NewServer(wrapped(handler))
	if err := w.Result(s.URL); err != nil {
		return err
	}
	select {} // the parent ends it
}

// panicking asks VERB of a Locks that panics, more often than any pool has places, and then of one that works. It sends the statuses, how
// many panics came out of the handlers as they were, and whether goroutines are left.
func panicking(w *lab.Worker) error {
	verb, locks, bug := w.Arg(0), &fake{}, errors.New("a bug in Locks")
	before := runtime.NumGoroutine()
	handler, err := api.New(context.Background(), locks, nil)
	if err != nil {
		return err
	}
	var statuses []int
	panics := 0
	watched := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			recovered := recover()
			if recovered == bug {
				panics++
			}
			if recovered != nil {
				panic(recovered)
			}
		}()
		handler.ServeHTTP(w, r)
	})
	for n := range 301 {
		locks.set(func(context.Context, string) error {
			if n < 300 {
				panic(bug)
			}
			return nil
		})
		r := direct(watched, "alice", verb, strings.NewReader(requests[verb].body))
		r.serve()
		statuses = append(statuses, (<-r.done).status)
	}
	slices.Sort(statuses)
	for limit := time.Now().Add(process.Patience() / 4); runtime.NumGoroutine() > before && time.Now().Before(limit); {
		runtime.Gosched() // one that has sent its answer is about to end
	}
	left := max(0, runtime.NumGoroutine()-before)
	statuses = slices.Compact(statuses)
	return w.Result(fmt.Sprintf("statuses %v; %d panics of the handler, with the value of Locks; %d goroutines left", statuses, panics, left))
}
