package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/17_api/server"
	"example/turnstile/exercises/17_api/users"
	"example/turnstile/exercises/17_api/wire"
	api "example/turnstile/solutions/17_api"
)

// The packages that the exercise gives ready-made keep what their comments promise.

func post(t testing.TB, media, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/locks", strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	return r
}

func TestDecode(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return `{"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `,"path":"a"}` }
	for name, c := range map[string]struct {
		media, body string
		status      int // 0: it is accepted
	}{
		"as the client sends it":        {wire.MediaType + "; charset=utf-8", `{"path":"a","ref":null}`, 0},
		"plain JSON":                    {"application/json", `{"path":"a","new":{"in":["3.9"]}}`, 0},
		"a pair of surrogates":          {wire.MediaType, `{"path":"a","x":"\ud83d\ude00"}`, 0},
		"an escaped backslash before u": {wire.MediaType, `{"path":"a","x":"\\ud800"}`, 0},
		"brackets in a string":          {wire.MediaType, `{"path":"a","x":"` + strings.Repeat("[", 1000) + `"}`, 0},
		"as deep as allowed":            {wire.MediaType, deep(wire.MaxDepth - 1), 0},
		"deeper":                        {wire.MediaType, deep(wire.MaxDepth), 400},
		"deep and never closed":         {wire.MediaType, strings.Repeat("[", 1<<20), 400},
		"a low surrogate alone":         {wire.MediaType, `{"path":"\udc00"}`, 400},
		"a high one before a letter":    {wire.MediaType, `{"path":"\ud800x"}`, 400},
		"two high ones":                 {wire.MediaType, `{"path":"\ud800\ud800"}`, 400},
		"half an escape at the end":     {wire.MediaType, `{"path":"\ud8`, 400},
		"a key twice":                   {wire.MediaType, `{"path":"a","path":"b"}`, 400},
		"a key twice in two spellings":  {wire.MediaType, `{"path":"a","pAth":"b"}`, 400},
		"a key twice, escaped":          {wire.MediaType, `{"path":"a","\u0070ath":"b"}`, 400},
		"something after it":            {wire.MediaType, `{"path":"a"}x`, 400},
		"null":                          {wire.MediaType, `null`, 400},
		"nothing":                       {wire.MediaType, ``, 400},
		"not UTF-8":                     {wire.MediaType, "{\"path\":\"\xc0\xaf\"}", 400},
		"too long":                      {wire.MediaType, `{"path":"a","x":"` + strings.Repeat("x", wire.MaxBody) + `"}`, 413},
		"a form":                        {"application/x-www-form-urlencoded", `path=a`, 415},
		"another character set":         {"application/json; charset=latin1", `{"path":"a"}`, 415},
		"no media type":                 {"", `{"path":"a"}`, 0},
		"a broken media type":           {"a/b/c;=", `{"path":"a"}`, 415},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var request wire.LockRequest
			err := wire.Decode(httptest.NewRecorder(), post(t, c.media, c.body), &request)
			if c.status == 0 {
				require.NoError(t, err)
				require.Equal(t, "a", request.Path)
				return
			}
			var refusal *wire.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, c.status, refusal.Status, refusal.Message)
		})
	}
	t.Run("a coding", func(t *testing.T) {
		r := post(t, wire.MediaType, "{}")
		r.Header.Set("Content-Encoding", "gzip")
		require.ErrorContains(t, wire.Decode(httptest.NewRecorder(), r, &wire.LockRequest{}), "gzip")
	})
	t.Run("a body that ends before its time", func(t *testing.T) {
		r := post(t, wire.MediaType, "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), failing{}))
		require.ErrorIs(t, wire.Decode(httptest.NewRecorder(), r, &wire.LockRequest{}), io.ErrUnexpectedEOF)
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Whatever is decoded is refused with a status below 500, or is a request in valid UTF-8 that can be encoded again.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		`{"path":"a.bin","ref":{"name":"x"}}`, `{"force":true}`, `{"cursor":"","limit":100}`, `{"path":"\ud800"}`, `[[[[`, "{\"\xff\":1}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, request := range []any{&wire.LockRequest{}, &wire.UnlockRequest{}, &wire.VerifyRequest{}, &wire.BatchRequest{}, &wire.Object{}} {
			err := wire.Decode(httptest.NewRecorder(), post(t, wire.MediaType, text), request)
			if refusal := (*wire.Error)(nil); errors.As(err, &refusal) {
				require.Less(t, refusal.Status, 500)
			} else {
				require.NoError(t, err)
			}
			if lock, ok := request.(*wire.LockRequest); ok && err == nil {
				require.Equal(t, strings.ToValidUTF8(lock.Path, "!"), lock.Path)
			}
		}
	})
}

func FuzzDecodeQuery(f *testing.F) {
	for _, text := range []string{"path=a&id=b&cursor=c&limit=4&refspec=x", "path=%ff", "path=a&path=b", "limit=-1", ";", "%zz"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := wire.DecodeQuery(raw)
		if refusal := (*wire.Error)(nil); errors.As(err, &refusal) {
			require.Equal(t, 400, refusal.Status)
			return
		}
		require.NoError(t, err)
		require.GreaterOrEqual(t, q.Limit, 0)
		require.Equal(t, strings.ToValidUTF8(q.Path, "!"), q.Path)
	})
}

// Whatever is sent to the whole server is never answered with 5xx.
func FuzzServer(f *testing.F) {
	dir := f.TempDir()
	handler, closing, err := api.Open(f.Context(), dir, "http://lfs.example.org")
	if errors.Is(err, errors.ErrUnsupported) {
		f.Skip(err)
	}
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, closing()) })
	who, err := users.Parse([]string{"mallory:m"})
	require.NoError(f, err)
	handler = server.Wrap(handler, server.Options{Users: who, Log: slog.New(slog.DiscardHandler)})
	id := strings.Repeat("0a", 32)
	for _, seed := range [][3]string{
		{"POST", "/locks", `{"path":"a.bin"}`},
		{"GET", "/locks?limit=1&path=a", ""},
		{"POST", "/locks/verify", `{"limit":1}`},
		{"POST", "/locks/x/unlock", `{"force":true}`},
		{"PUT", "/objects/content/" + id, "x"},
		{"GET", "/objects/content/" + id, ""},
		{"POST", "/objects/batch", `{"operation":"upload","objects":[{"oid":"` + id + `","size":1}]}`},
		{"POST", "/objects/verify", `{"oid":"../..","size":-1}`},
		{"GET", "/../locks//verify", ""},
		{"DELETE", "/locks", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://x"+target, strings.NewReader(body))
		if err != nil {
			return // net/http refuses it before any handler
		}
		r.RequestURI = target
		r.SetBasicAuth("mallory", "m")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Less(t, w.Code, 500, w.Body.String())
	})
}

// Whatever is in the file of users, each of its lines is a comment or a user, or the file is refused, with the line's number.
func FuzzUsersFile(f *testing.F) {
	const salt, key = "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, text := range []string{
		"", "# comment\n\n", "alice:pbkdf2-sha256:100000:" + salt + ":" + key + "\n", "alice:pbkdf2-sha256:1:" + salt + ":" + key,
		"a:pbkdf2-sha256:100000:" + salt + ":" + key + "\r\na:pbkdf2-sha256:100000:" + salt + ":" + key,
		"a:b", "\xff:pbkdf2-sha256:9:x:y", "\x00",
	} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "users")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		u, err := users.Parse(nil)
		require.NoError(t, err)
		if err := u.Open(path); err != nil {
			require.ErrorContains(t, err, "line ")
			require.Zero(t, u.Len())
			return
		}
		lines := 0
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "#") {
				lines++
			}
		}
		require.Equal(t, lines, u.Len())
	})
}

func TestUsers(t *testing.T) {
	t.Parallel()
	check := func(u *users.Users, name, password string) bool {
		ok, err := u.Check(t.Context(), name, password)
		require.NoError(t, err)
		return ok
	}
	t.Run("of the command line", func(t *testing.T) {
		t.Parallel()
		u, err := users.Parse([]string{"alice:a:b", "Jörg Ö:x"})
		require.NoError(t, err)
		require.Equal(t, 2, u.Len())
		require.True(t, check(u, "alice", "a:b"))
		require.True(t, check(u, "Jörg Ö", "x"))
		for _, c := range [][2]string{{"alice", "a"}, {"alice", ""}, {"", ""}, {"Alice", "a:b"}, {"bob", "a:b"}, {"alice:a", "b"}} {
			require.False(t, check(u, c[0], c[1]), c)
		}
		for _, bad := range []string{"alice", "alice:", ":a", "#a:b", " a:b", "a\n:b", "a\x00:b", "\xff:b", strings.Repeat("x", 65) + ":b"} {
			_, err := users.Parse([]string{bad})
			require.Error(t, err, bad)
		}
		_, err = users.Parse([]string{"a:b", "a:c"})
		require.ErrorContains(t, err, "twice")
	})
	t.Run("of a file", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "users")
		changed, err := users.Add(t.Context(), path, "alice", "a")
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		require.NoError(t, err)
		require.False(t, changed)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotContains(t, string(text), ":a:")
		u, err := users.Parse([]string{"bob:b"})
		require.NoError(t, err)
		require.NoError(t, u.Open(path))
		require.Equal(t, 2, u.Len())
		require.True(t, check(u, "alice", "a"))
		require.True(t, check(u, "alice", "a"), "from memory")
		require.False(t, check(u, "alice", "b"))
		require.False(t, check(u, "carol", "c"))
		require.True(t, check(u, "bob", "b"))
		changed, err = users.Add(t.Context(), path, "alice", "new")
		require.NoError(t, err)
		require.True(t, changed)
		require.False(t, check(u, "alice", "a"), "the file has changed")
		require.True(t, check(u, "alice", "new"))
		require.NoError(t, os.WriteFile(path, []byte("# a comment\n\nalice:pbkdf2-sha256:1:x:y\n"), 0o600))
		_, err = u.Check(t.Context(), "alice", "new")
		require.ErrorContains(t, err, "line 3")
		require.NoError(t, os.Remove(path))
		_, err = u.Check(t.Context(), "alice", "new")
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = users.Add(t.Context(), filepath.Join(path, "missing", "users"), "alice", "a")
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("added by many at once", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "users")
		var all sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			all.Go(func() {
				_, errs[i] = users.Add(context.WithoutCancel(t.Context()), path, fmt.Sprintf("user-%d", i), "x")
			})
		}
		all.Wait()
		if errors.Is(errs[0], errors.ErrUnsupported) {
			t.Skip(errs[0])
		}
		require.NoError(t, errors.Join(errs...))
		u, err := users.Parse(nil)
		require.NoError(t, err)
		require.NoError(t, u.Open(path))
		require.Equal(t, len(errs), u.Len())
	})
}

// denied cannot tell.
type denied struct{ err error }

func (d denied) Check(context.Context, string, string) (bool, error) { return d.err == nil, d.err }

func TestWrap(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	ask := func(next http.HandlerFunc, who server.Users, change func(*http.Request)) *httptest.ResponseRecorder {
		log.Reset()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/locks", nil)
		r.SetBasicAuth("alice", "sesame")
		if change != nil {
			change(r)
		}
		w := httptest.NewRecorder()
		server.Wrap(next, server.Options{Users: who, Log: slog.New(slog.NewTextHandler(&log, nil))}).ServeHTTP(w, r)
		return w
	}
	fine := func(w http.ResponseWriter, r *http.Request) {
		wire.Reply(w, r, 200, wire.Message{Message: wire.UserOf(r)})
	}

	w := ask(fine, denied{}, nil)
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"message":"alice"}`, w.Body.String())
	require.Contains(t, log.String(), "id="+w.Header().Get("X-Request-Id"))
	require.Contains(t, log.String(), "user=alice")
	require.NotContains(t, log.String(), "sesame")

	w = ask(fine, denied{}, func(r *http.Request) { r.Header.Del("Authorization") })
	require.Equal(t, 401, w.Code)
	require.Contains(t, w.Header().Get("LFS-Authenticate"), "Basic")

	w = ask(fine, denied{errors.New("the file is gone: /srv/users")}, nil)
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "/srv")
	require.Contains(t, log.String(), "/srv/users")

	w = ask(func(http.ResponseWriter, *http.Request) { panic("a bug") }, denied{}, nil)
	require.Equal(t, 500, w.Code)
	require.Equal(t, wire.MediaType, w.Header().Get("Content-Type"))
	require.Contains(t, log.String(), "a bug")

	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		ask(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); panic("half way") }, denied{}, nil)
	})
	require.Contains(t, log.String(), "half way")

	w = ask(fine, denied{}, func(r *http.Request) { r.RequestURI = "/" + strings.Repeat("x", server.MaxTarget) })
	require.Equal(t, 414, w.Code)
}

// A request has its end, and the server too.
func TestRunEndsAfterTheRequestsThatHaveBegun(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	inside, leave := make(chan bool), make(chan bool)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		inside <- true
		<-leave
		_, _ = io.WriteString(w, "whole")
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended, answered := make(chan error, 1), make(chan string, 1)
	go func() { ended <- server.Run(ctx, listener, handler, slog.New(slog.DiscardHandler)) }()
	go func() {
		response, err := http.Get("http://" + listener.Addr().String()) //nolint:noctx // the test ends it
		if err != nil {
			answered <- err.Error()
			return
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		answered <- string(text)
	}()
	<-inside
	cancel()
	for { // until no new connection is taken
		c, err := net.DialTimeout("tcp", listener.Addr().String(), time.Second)
		if err != nil {
			break
		}
		_ = c.Close()
	}
	leave <- true
	require.Equal(t, "whole", <-answered)
	require.NoError(t, <-ended)
}

func TestCommandRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		words []string
		says  string
	}{
		"no users":              {[]string{"-dir", dir}, "-user NAME:PASSWORD"},
		"no directory":          {[]string{"-user", "a:b"}, "not a directory"},
		"a mistyped directory":  {[]string{"-user", "a:b", "-dir", filepath.Join(dir, "missing")}, "not a directory"},
		"an address for all":    {[]string{"-user", "a:b", "-dir", dir, "-addr", "0.0.0.0:0"}, "-base-url"},
		"a base without scheme": {[]string{"-user", "a:b", "-dir", dir, "-addr", "127.0.0.1:0", "-base-url", "lfs.example.org"}, "-base-url"},
		"an address in use":     {[]string{"-user", "a:b", "-dir", dir, "-addr", "256.0.0.1:0"}, "listen"},
		"an argument too many":  {[]string{"-user", "a:b", "-dir", dir, "more"}, "more"},
		"a user without a file": {[]string{"-add", "a"}, "-users FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := server.Command(t.Context(), c.words, strings.NewReader("x\n"), io.Discard, io.Discard, api.Open)
			require.ErrorContains(t, err, c.says)
			require.NoDirExists(t, filepath.Join(dir, "missing"))
			require.NoFileExists(t, filepath.Join(dir, "locks.json"))
		})
	}
}

func TestOpenRefusesADirectoryThatHasLostItsLocks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, closing, err := api.Open(t.Context(), dir, "")
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.NoError(t, closing())
	require.NoError(t, os.Remove(filepath.Join(dir, "locks.json")))
	_, _, err = api.Open(t.Context(), dir, "")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoFileExists(t, filepath.Join(dir, "locks.json"), "a missing document is not a first start")
}
