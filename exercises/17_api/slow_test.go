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
		reaches(t, begun, nil, "", l.Say("List sent nothing"))
		everyoneElse(t, o, l)
	})
	for _, where := range []string{"send half of a request", "wait for the document's lock", "do not take their answers"} {
		if !passed {
			return
		}
		passed = t.Run("a thousand "+where, func(t *testing.T) { aThousand(t, where) })
	}
}

// aThousand clients stop, more than any pool has places for: in their bodies, inside Locks, or when they should take their answers.
func aThousand(t *testing.T, where string) {
	t.Helper()
	locks := &fake{}
	handler := handlers(t, locks)
	o := serve(t, handler)
	l := lab.Lesson{
		Did:   "a thousand clients " + where + "; then other clients sent whole requests",
		Means: "a few bad connections stop the workshop", Read: slow,
	}
	goOn := make(chan struct{})
	t.Cleanup(func() { close(goOn) })
	begun := make(chan bool, 1000)
	counted := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		handler.ServeHTTP(w, r)
	}))
	if strings.HasPrefix(where, "wait") {
		counted = handler
		locks.set(func(_ context.Context, call string) error {
			if strings.Contains(call, "mallory") {
				begun <- true
				<-goOn
			}
			return nil
		})
	}
	for i := range 1000 {
		verb := []string{"Create", "Verify", "Unlock", "List"}[i%4]
		body := io.Reader(strings.NewReader(requests[verb].body))
		switch {
		case strings.HasPrefix(where, "send"):
			body = stopped{goOn: goOn}
			fallthrough
		case strings.HasPrefix(where, "wait"):
			if verb == "List" {
				continue // it has no body, and Locks is not told who asks
			}
		}
		r := direct(counted, "mallory", verb, body)
		go r.handler.ServeHTTP(stopped{httptest.NewRecorder(), goOn}, r.request)
		reaches(t, begun, nil, "", l.Say("%s waits for other requests before it asks Locks", verb))
	}
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
		answered := make(chan error, 1)
		go func() {
			_, err := o.ask(context.WithoutCancel(t.Context()), "bob", method, target, request.body)
			answered <- err
		}()
		lab.RequireNoError(t, reaches(t, answered, nil, "", l), l)
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
				Means: "a request waits for another one outside of Locks, where its own context does not end the wait",
			}
			send := func(verb string) (net.Conn, <-chan answer) {
				request, answered := requests[verb], make(chan answer, 1)
				c := o.dial("alice", request.request, fmt.Sprintf("Content-Length: %d\r\n", len(request.body)), request.body)
				go func() { answered <- receive(c) }()
				return c, answered
			}
			early := " answered before it had asked Locks"
			c, answered := send(verb)
			reaches(t, inside, answered, verb+early, l.Say("%s did not ask Locks", verb))
			others := map[string]<-chan answer{}
			for other := range requests {
				l := l.Say("%s did not ask Locks, because another request waits there", other)
				l.Did += "; another client sent its request: " + other
				_, others[other] = send(other)
				reaches(t, inside, others[other], other+early, l)
			}
			l.Did += ", as did one request of each kind"
			server := l.Say("A request ended with the context of NewLockHandlers")
			server.Expected, server.Found = "Locks waits until the request's context ends", "the context that Locks got has ended"
			server.Did += "; the context in which the handlers were made had ended, as it does when the server is told to end"
			server.Means = "at each restart, those who wait for the lock are sent away, though the server would let them come to their end"
			lab.Require(t, len(left) == 0, server)
			l.Did += "; then its client closed the connection"
			l.Means = "a crowd that has long gone waits in front of those who are here, and takes locks that no one knows of"
			lab.RequireSetUp(t, c.Close())
			reaches(t, left, nil, "", l.Say("%s waits on for a client that has gone", verb))

			end()
			l.Did += "; the others went on"
			l.Means = "who is here is refused because another has gone"
			for other, answered := range others {
				a := reaches(t, answered, nil, "", l.Say("%s does not answer", other))
				l.Expected, l.Found = fmt.Sprintf("status %d", requests[other].status), a.String()
				lab.Require(t, a.status == requests[other].status, l.Say("%s ended with another client's request", other))
			}
		})
		if !passed {
			return
		}
	}
}

// receive returns the answer that comes by a connection; what is missing of it is missed later.
func receive(conn net.Conn) answer {
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{text: err.Error()}
	}
	text, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	return answer{response.StatusCode, response.Header, string(text)}
}
