package api_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/17_api/server"
	"example/turnstile/exercises/17_api/transfer"
	"example/turnstile/exercises/17_api/users"
	"example/turnstile/exercises/17_api/wire"
	repository "example/turnstile/solutions/14_repository"
	api "example/turnstile/solutions/17_api"
)

// short is how long some of these servers have patience. It is too short for no one but clients that have stopped for good.
const short = 20 * time.Millisecond

// noLocks is for servers of which only the objects are asked.
type noLocks struct{ api.Locks }

// of starts a server with a handler, for alice.
func of(t *testing.T, handler http.Handler, o server.Options) *httptest.Server {
	t.Helper()
	team, err := users.Parse([]string{"alice:secret"})
	require.NoError(t, err)
	o.Users, o.Log = team, slog.New(slog.DiscardHandler)
	s := httptest.NewServer(server.Wrap(handler, o))
	t.Cleanup(s.Close)
	return s
}

// storeroom starts a server for a repository's objects, and returns its directory too.
func storeroom(t *testing.T, o repository.Options, pause time.Duration) (s *httptest.Server, dir string) {
	t.Helper()
	dir = t.TempDir()
	store, err := repository.Create(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	handler, err := api.New(t.Context(), noLocks{}, &transfer.Handlers{Store: api.StoreOf(store), Pause: pause})
	require.NoError(t, err)
	return of(t, handler, server.Options{}), dir
}

// begin sends a request of alice on a connection of its own, with no more of its body than this.
func begin(t *testing.T, s *httptest.Server, request string, length int, body string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	login := base64.StdEncoding.EncodeToString([]byte("alice:secret"))
	_, err = fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n%s", request, login, length, body)
	require.NoError(t, err)
	return c
}

// answerTo reads what the server sends, to the end of the connection.
func answerTo(t *testing.T, c net.Conn) (status int, message string) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, errors.Join(err, response.Body.Close()))
	return response.StatusCode, string(text)
}

// requireNothing requires that no object and no temporary file is left.
func requireNothing(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("an upload that failed has left %s", path)
		}
		return err
	}))
}

func TestAQuotaThatIsUsedUpIs507(t *testing.T) {
	t.Parallel()
	s, dir := storeroom(t, repository.Options{Quota: 5}, 0)
	r := running{url: s.URL, client: s.Client()}
	status, text, err := r.ask("PUT", "/objects/content/"+hello, []byte("hello\n"))
	require.NoError(t, err)
	require.Equal(t, http.StatusInsufficientStorage, status, string(text))
	require.Contains(t, string(text), "quota")
	requireNothing(t, dir)
}

func TestAClientThatStopsDuringAnUploadIsSentAway(t *testing.T) {
	t.Parallel()
	s, dir := storeroom(t, repository.Options{}, short)
	status, message := answerTo(t, begin(t, s, "PUT /objects/content/"+hello, 6, "hel"))
	require.Equal(t, http.StatusBadRequest, status, message)
	require.Contains(t, message, "send it again")
	requireNothing(t, dir)
}

func TestARequestHasAnEnd(t *testing.T) {
	t.Parallel()
	t.Run("while it waits", func(t *testing.T) {
		t.Parallel()
		s := of(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			wire.Refuse(w, r, fmt.Errorf("wait for the lock: %w", context.Cause(r.Context())))
		}), server.Options{Time: short})
		status, message := answerTo(t, begin(t, s, "GET /locks", 0, ""))
		require.Equal(t, http.StatusServiceUnavailable, status, message)
	})
	t.Run("while its body is read", func(t *testing.T) {
		t.Parallel()
		handler, err := api.New(t.Context(), noLocks{}, nil)
		require.NoError(t, err)
		status, message := answerTo(t, begin(t, of(t, handler, server.Options{Time: short}), "POST /locks", 100, `{"path":"a.b`))
		require.Equal(t, http.StatusBadRequest, status, message)
	})
	t.Run("while an object moves only if it stops", func(t *testing.T) {
		t.Parallel()
		s := of(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, limited := r.Context().Deadline()
			_, _ = fmt.Fprint(w, limited)
		}), server.Options{Time: short})
		for request, want := range map[string]string{
			"PUT /objects/content/x": "false", "GET /objects/content/x": "false", "POST /objects/content/x": "true",
		} {
			_, message := answerTo(t, begin(t, s, request, 0, ""))
			require.Equal(t, want, strings.TrimSpace(message), request)
		}
	})
}
