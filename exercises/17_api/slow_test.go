package api_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	lockmanager "example/turnstile/exercises/15_lock_manager"
	api "example/turnstile/exercises/17_api"
	"example/turnstile/exercises/17_api/server"
	"example/turnstile/internal/lab"
)

// dial sends the beginning of a request on a connection of its own.
func (o office) dial(user, request, headers, begin string) net.Conn {
	o.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(o.url, "http://"))
	lab.RequireSetUp(o.t, err)
	o.t.Cleanup(func() { _ = c.Close() })
	login := base64.StdEncoding.EncodeToString([]byte(user + ":" + user))
	_, err = fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n%s\r\n%s", request, login, headers, begin)
	lab.RequireSetUp(o.t, err)
	return c
}

// A client that sends a part of its body and stops. When the server asks for the body ("100 Continue") its handler is at work.
func TestSlowClientsKeepNoOneWaiting(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Create", "Verify", "Unlock"} {
		t.Run("sends half of a "+verb, func(t *testing.T) {
			t.Parallel()
			locks := &fake{}
			o := with(t, locks)
			locks.set(nil)
			l := lab.Lesson{
				Did:   "one client sent half of a " + verb + " and stopped; then other clients sent whole requests",
				Means: "one bad connection stops the workshop", Read: slow,
			}
			c := o.dial("mallory", requests[verb].request, "Content-Length: 100\r\nExpect: 100-continue\r\n", "")
			line, err := bufio.NewReader(c).ReadString('\n')
			lab.RequireSetUp(t, err)
			lab.RequireEqual(t, "HTTP/1.1 100 Continue\r\n", line, says(l, "%s answered before it had the request", verb))
			_, err = io.WriteString(c, `{"path":"a.b`)
			lab.RequireSetUp(t, err)
			lab.RequireEqual(t, "[]", locks.called(), says(l, "%s asked Locks before it had the whole request", verb))
			everyoneElse(t, o, l)
		})
	}
	t.Run("does not take a List", func(t *testing.T) {
		t.Parallel()
		locks := &fake{}
		for i := range 1500 {
			path := strings.Repeat("long/", 800) + fmt.Sprint(i)
			locks.checkouts = append(locks.checkouts, lockmanager.Checkout{ID: fmt.Sprint(i), Path: path, Owner: "alice"})
		}
		handler, err := api.New(t.Context(), locks, nil)
		lab.RequireSetUp(t, err)
		locks.once = true // the others' answers are small
		begun := make(chan bool, 1)
		o := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Slow") == "" {
				handler.ServeHTTP(w, r)
				return
			}
			handler.ServeHTTP(&announced{w, begun}, r)
		}), server.Options{})
		l := lab.Lesson{
			Did:   "one client asked for a list of 6 MB and did not take it; then other clients sent requests",
			Means: "one bad connection stops the workshop", Read: slow,
		}
		o.dial("mallory", requests["List"].request, "Slow: yes\r\n", "")
		lab.Finishes(t, func() { <-begun }, says(l, "List sent nothing"))

		everyoneElse(t, o, l)
	})
}

// announced says that an answer begins to be sent.
type announced struct {
	http.ResponseWriter
	begun chan bool
}

func (a *announced) Write(b []byte) (int, error) {
	select {
	case a.begun <- true:
	default:
	}
	return a.ResponseWriter.Write(b)
}

// everyoneElse requires that requests of each kind have an answer.
func everyoneElse(t *testing.T, o office, l lab.Lesson) {
	t.Helper()
	for verb, request := range requests {
		l := says(l, "%s waits for another client", verb)
		method, target, _ := strings.Cut(request.request, " ")
		var err error
		lab.Finishes(t, func() { _, err = o.ask(context.WithoutCancel(t.Context()), "bob", method, target, request.body) }, l)
		lab.RequireNoError(t, err, l)
	}
}

// A client that goes away while its request waits. The test's Locks waits until its context ends.
func TestGoneClientsWaitForNothing(t *testing.T) {
	t.Parallel()
	for verb, request := range requests {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			locks := &fake{}
			o := with(t, locks)
			inside, left := make(chan bool), make(chan bool)
			over := context.WithoutCancel(t.Context())
			over, end := context.WithCancel(over)
			t.Cleanup(end)
			locks.set(func(ctx context.Context, _ string) error {
				inside <- true
				select {
				case <-ctx.Done():
				case <-over.Done():
				}
				close(left)
				return ctx.Err()
			})
			l := lab.Lesson{
				Did: verb + " waited for the lock of the document; its client closed the connection", Read: gone,
				Means: "a crowd that has long gone waits in front of those who are here, and takes locks that no one knows of",
			}
			c := o.dial("alice", request.request, fmt.Sprintf("Content-Length: %d\r\n", len(request.body)), request.body)
			lab.Finishes(t, func() { <-inside }, says(l, "%s did not ask Locks", verb))
			lab.RequireSetUp(t, c.Close())
			lab.Finishes(t, func() { <-left }, says(l, "%s waits on for a client that has gone", verb))
		})
	}
}
