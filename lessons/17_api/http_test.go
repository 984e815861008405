package api_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// send opens a connection and sends the beginning of a request.
func send(t *testing.T, s *httptest.Server, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
	require.NoError(t, err)
	return c
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// net/http, type Handler and Server.Serve.
func TestHandlers(t *testing.T) {
	t.Parallel()
	t.Run("each request is served by a goroutine of its own", func(t *testing.T) {
		t.Parallel()
		var both sync.WaitGroup
		both.Add(2)
		s := serve(t, func(http.ResponseWriter, *http.Request) { both.Done(); both.Wait() }) // neither could end alone
		send(t, s, "GET / HTTP/1.1\nHost: x\n\n")
		send(t, s, "GET / HTTP/1.1\nHost: x\n\n")
		both.Wait()
	})
	t.Run("a handler begins before the body has arrived", func(t *testing.T) {
		t.Parallel()
		begun := make(chan bool, 1)
		s := serve(t, func(http.ResponseWriter, *http.Request) { begun <- true })
		send(t, s, "POST / HTTP/1.1\nHost: x\nContent-Length: 100\n\n{") // the rest never comes
		<-begun
	})
	t.Run("a mutex that is held while a body is read stops every other request", func(t *testing.T) {
		t.Parallel()
		var mutex sync.Mutex
		inside := make(chan bool, 1)
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			mutex.Lock()
			defer mutex.Unlock()
			inside <- true
			_, _ = io.Copy(io.Discard, r.Body)
		})
		slow := send(t, s, "POST / HTTP/1.1\nHost: x\nContent-Length: 100\n\n{")
		<-inside
		require.False(t, mutex.TryLock(), "no other request gets further than this")
		require.NoError(t, slow.Close()) // only the slow client can end it
		mutex.Lock()                     // that it returns is all
		defer mutex.Unlock()
	})
	t.Run("the context of a request ends when its client goes away", func(t *testing.T) {
		t.Parallel()
		inside, ended := make(chan bool, 1), make(chan error, 1)
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			inside <- true
			<-r.Context().Done()
			ended <- r.Context().Err()
		})
		c := send(t, s, "GET / HTTP/1.1\nHost: x\n\n")
		<-inside
		require.NoError(t, c.Close())
		require.ErrorIs(t, <-ended, context.Canceled)
	})
	t.Run("a Write waits for a client that does not read, until its deadline", func(t *testing.T) {
		t.Parallel()
		failed := make(chan error, 1)
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			err := error(nil)
			for err == nil { // more than all buffers on the way hold
				_, err = w.Write(make([]byte, 1<<20))
			}
			failed <- err
		})
		send(t, s, "GET / HTTP/1.1\nHost: x\n\n")
		err := <-failed
		require.True(t, errors.Is(err, os.ErrDeadlineExceeded), "%v", err)
	})
	t.Run("a ServeMux answers 404 and 405 in plain text", func(t *testing.T) {
		t.Parallel()
		mux := http.NewServeMux()
		mux.HandleFunc("POST /locks", func(http.ResponseWriter, *http.Request) {})
		for target, status := range map[string]int{"/lock": 404, "/locks": 405} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
			require.Equal(t, status, w.Code)
			require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
		}
	})
	t.Run("URL.Query drops what it cannot parse, and Get takes the first of two", func(t *testing.T) {
		t.Parallel()
		u, err := url.Parse("http://x/locks?path=%zz&id=a&id=b")
		require.NoError(t, err)
		require.Empty(t, u.Query().Get("path"), "as if no filter had been given")
		require.Equal(t, "a", u.Query().Get("id"))
	})
}
