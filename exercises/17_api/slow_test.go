package api_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	lockmanager "example/turnstile/exercises/15_lock_manager"
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

// A client that sends a part of its body and stops. When the server asks for the body ("100 Continue") its handler is at work. The first
// who keeps others waiting is the last that is tried: each further one would take as long to tell the same.
func TestSlowClientsKeepNoOneWaiting(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Create", "Verify", "Unlock"} {
		passed := t.Run("sends half of a "+verb, func(t *testing.T) {
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
			lab.RequireEqual(t, "HTTP/1.1 100 Continue\r\n", line, l.Say("%s answered before it had the request", verb))
			_, err = io.WriteString(c, `{"path":"a.b`)
			lab.RequireSetUp(t, err)
			lab.RequireEqual(t, "[]", locks.called(), l.Say("%s asked Locks before it had the whole request", verb))
			everyoneElse(t, o, l)
		})
		if !passed {
			return
		}
	}
	passed := t.Run("does not take a List", func(t *testing.T) {
		locks := &fake{}
		for i := range 1500 {
			path := strings.Repeat("long/", 800) + fmt.Sprint(i)
			locks.checkouts = append(locks.checkouts, lockmanager.Checkout{ID: fmt.Sprint(i), Path: path, Owner: "alice"})
		}
		handler := handlers(t, locks)
		locks.once = true // the others' answers are small
		begun := make(chan bool, 1)
		o := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Slow") == "" {
				handler.ServeHTTP(w, r)
				return
			}
			handler.ServeHTTP(&announced{w, begun}, r)
		}))
		l := lab.Lesson{
			Did:   "one client asked for a list of 6 MB and did not take it; then other clients sent requests",
			Means: "one bad connection stops the workshop", Read: slow,
		}
		o.dial("mallory", requests["List"].request, "Slow: yes\r\n", "")
		lab.Finishes(t, func() { <-begun }, l.Say("List sent nothing"))

		everyoneElse(t, o, l)
	})
	if passed && t.Run("a thousand send half of a request", func(t *testing.T) { aThousand(t, false) }) {
		t.Run("a thousand do not take their answers", func(t *testing.T) { aThousand(t, true) })
	}
}

// aThousand clients stop, more than any pool has places for: in their bodies, or when they should take their answers.
func aThousand(t *testing.T, asked bool) {
	t.Helper()
	handler := handlers(t, &fake{})
	o := serve(t, handler)
	l := lab.Lesson{
		Did:   "a thousand clients sent half of a request and stopped; then other clients sent whole requests",
		Means: "a few bad connections stop the workshop", Read: slow,
	}
	if asked {
		l.Did = "a thousand clients sent a request and did not take the answer; then other clients sent requests"
	}
	goOn := make(chan struct{})
	t.Cleanup(func() { close(goOn) })
	var begun sync.WaitGroup
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun.Done()
		handler.ServeHTTP(w, r)
	})
	for i := range 1000 {
		verb := []string{"Create", "Verify", "Unlock", "List"}[i%4]
		if verb == "List" && !asked {
			continue // it has no body
		}
		body := io.Reader(stopped{goOn: goOn})
		if asked {
			body = strings.NewReader(requests[verb].body)
		}
		r := direct(counted, "mallory", verb, body)
		begun.Add(1)
		go r.handler.ServeHTTP(stopped{httptest.NewRecorder(), goOn}, r.request)
	}
	lab.Finishes(t, begun.Wait, l.Say("the server does not begin a request"))
	everyoneElse(t, o, l)
}

// A stopped client neither sends its body nor takes its answer.
type stopped struct {
	http.ResponseWriter
	goOn chan struct{}
}

func (s stopped) Read([]byte) (int, error) {
	<-s.goOn
	return 0, io.ErrUnexpectedEOF
}

func (s stopped) Write(b []byte) (int, error) {
	<-s.goOn
	return len(b), nil
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
		l := l.Say("%s waits for another client", verb)
		method, target, _ := strings.Cut(request.request, " ")
		var err error
		lab.Finishes(t, func() { _, err = o.ask(context.WithoutCancel(t.Context()), "bob", method, target, request.body) }, l)
		lab.RequireNoError(t, err, l)
	}
}

// A client that goes away while its request waits, and others who stay. The test's Locks waits until the context ends.
func TestGoneClientsWaitForNothing(t *testing.T) {
	t.Parallel()
	for verb := range requests {
		passed := t.Run(verb, func(t *testing.T) {
			locks := &fake{}
			o := with(t, locks)
			inside, left := make(chan bool, 8), make(chan bool, 8)
			over, end := context.WithCancel(context.WithoutCancel(t.Context()))
			t.Cleanup(end)
			locks.set(func(ctx context.Context, _ string) error {
				inside <- true
				select {
				case <-ctx.Done():
					left <- true
				case <-over.Done():
				}
				return ctx.Err()
			})
			l := lab.Lesson{
				Did: verb + " waited for the lock of the document", Read: gone,
				Means: "a request waits where its own context does not end the wait, and gets what another's has got",
			}
			send := func(verb string) net.Conn {
				request := requests[verb]
				return o.dial("alice", request.request, fmt.Sprintf("Content-Length: %d\r\n", len(request.body)), request.body)
			}
			c := send(verb)
			lab.Finishes(t, func() { <-inside }, l.Say("%s did not ask Locks", verb))
			others := map[string]net.Conn{}
			for other := range requests {
				l := l.Say("%s did not ask Locks, because another request waits there", other)
				l.Did += "; another client sent its request: " + other
				others[other] = send(other)
				lab.Finishes(t, func() { <-inside }, l)
			}
			l.Did += ", as did one request of each kind; then its client closed the connection"
			l.Means = "a crowd that has long gone waits in front of those who are here, and takes locks that no one knows of"
			lab.RequireSetUp(t, c.Close())
			lab.Finishes(t, func() { <-left }, l.Say("%s waits on for a client that has gone", verb))

			end()
			l.Did += "; the others went on"
			l.Means = "who is here is refused because another has gone"
			for other, conn := range others {
				a := taken(t, conn, l.Say("%s does not answer", other))
				l.Expected, l.Found = fmt.Sprintf("status %d", requests[other].status), a.String()
				lab.Require(t, a.status == requests[other].status, l.Say("%s ended with another client's request", other))
			}
		})
		if !passed {
			return
		}
	}
}

// taken returns the answer that comes by a connection; what is missing of it is missed later.
func taken(t testing.TB, conn net.Conn, l lab.Lesson) (a answer) {
	t.Helper()
	lab.Finishes(t, func() {
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		a = answer{response.StatusCode, response.Header, string(text)}
	}, l)
	return a
}
