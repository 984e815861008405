package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/17_api/server"
	"example/turnstile/exercises/17_api/transfer"
	"example/turnstile/exercises/17_api/users"
	"example/turnstile/exercises/17_api/wire"
	api "example/turnstile/solutions/17_api"
)

// hello is the oid of hello and a newline.
const hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

// Package transfer in front of lesson 14's repository.
func TestTransfer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	handler, closing, err := api.Open(t.Context(), dir, "https://lfs.example.org/team")
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closing()) })
	team, err := users.Parse([]string{"alice:secret"})
	require.NoError(t, err)
	s := httptest.NewServer(server.Wrap(handler, server.Options{Users: team, Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(s.Close)
	r := running{url: s.URL, client: s.Client()}
	ask := func(t *testing.T, method, target, body string) (int, string) {
		t.Helper()
		status, text, err := r.ask(method, target, []byte(body))
		require.NoError(t, err)
		return status, string(text)
	}
	const other = "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac"
	batch := func(t *testing.T, operation, oid string, size int) wire.BatchObject {
		t.Helper()
		status, text := ask(t, "POST", "/objects/batch", fmt.Sprintf(`{"operation":%q,"objects":[{"oid":%q,"size":%d}]}`, operation, oid, size))
		require.Equal(t, 200, status, text)
		var b wire.Batch
		require.NoError(t, json.Unmarshal([]byte(text), &b))
		require.Len(t, b.Objects, 1)
		return b.Objects[0]
	}
	// From here on, in this order: the object is unknown, is sent wrongly, is sent, is asked for, is damaged.
	up := batch(t, "upload", hello, 6)
	require.Equal(t, "https://lfs.example.org/team/objects/content/"+hello, up.Actions["upload"].Href)
	require.Equal(t, "https://lfs.example.org/team/objects/verify", up.Actions["verify"].Href)
	require.True(t, strings.HasPrefix(up.Actions["upload"].Header["Authorization"], "Basic "))
	require.Equal(t, 404, batch(t, "download", hello, 6).Error.Code)
	verify := fmt.Sprintf(`{"oid":%q,"size":6}`, hello)

	status, text := ask(t, "PUT", "/objects/content/"+hello, "hellO\n")
	require.Equal(t, 422, status, text)
	status, _ = ask(t, "POST", "/objects/verify", verify)
	require.Equal(t, 404, status, "nothing of a lying upload is left")
	status, _ = ask(t, "GET", "/objects/content/"+hello, "")
	require.Equal(t, 404, status)

	for range 2 { // the second one changes nothing
		status, text = ask(t, "PUT", "/objects/content/"+hello, "hello\n")
		require.Equal(t, 200, status, text)
	}
	status, _ = ask(t, "POST", "/objects/verify", verify)
	require.Equal(t, 200, status)
	status, _ = ask(t, "POST", "/objects/verify", fmt.Sprintf(`{"oid":%q,"size":7}`, hello))
	require.Equal(t, 422, status)
	require.Empty(t, batch(t, "upload", hello, 6).Actions, "the server has it")
	require.Contains(t, batch(t, "download", hello, 6).Actions, "download")
	require.Equal(t, 422, batch(t, "download", hello, 7).Error.Code, "another size")
	status, text = ask(t, "GET", "/objects/content/"+hello, "")
	require.Equal(t, 200, status)
	require.Equal(t, "hello\n", text)

	for _, oid := range []string{"", "../../locks.json", strings.ToUpper(hello), hello + "0", "NUL"} {
		require.Equal(t, 422, batch(t, "upload", oid, 1).Error.Code, oid)
	}
	require.Equal(t, 422, batch(t, "upload", other, -1).Error.Code)
	require.Contains(t, batch(t, "upload", other, 0).Actions, "upload", "0 bytes are a size")
	many := strings.TrimSuffix(strings.Repeat(`{"oid":"","size":1},`, transfer.MaxObjects+1), ",")
	for body, want := range map[string]int{
		`{"operation":"delete","objects":[{"oid":"","size":1}]}`:                             422,
		`{"operation":"upload","objects":[]}`:                                                422,
		`{"operation":"upload","transfers":["ssh"],"objects":[{"oid":"","size":1}]}`:         422,
		`{"operation":"upload","hash_algo":"sha512","objects":[{"oid":"","size":1}]}`:        409,
		`{"operation":"upload","objects":[{"oid":"","size":1e300}]}`:                         400,
		`{"operation":"upload","objects":[` + many + `]}`:                                    413,
		`{"operation":"upload","transfers":["ssh","basic"],"objects":[{"oid":"","size":1}]}`: 200,
	} {
		status, text := ask(t, "POST", "/objects/batch", body)
		require.Equal(t, want, status, text)
	}

	damaged := ""
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "objects"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == hello {
			damaged = path
		}
		return err
	}))
	require.NotEmpty(t, damaged)
	require.NoError(t, os.Chmod(damaged, 0o600))
	require.NoError(t, os.WriteFile(damaged, []byte("hellO\n"), 0o600))
	status, text = ask(t, "GET", "/objects/content/"+hello, "")
	require.Equal(t, http.StatusInternalServerError, status, "a damaged object is not handed out: %s", text)
	status, _ = ask(t, "PUT", "/objects/content/"+hello, "hello\n")
	require.Equal(t, 200, status)
	status, text = ask(t, "GET", "/objects/content/"+hello, "")
	require.Equal(t, 200, status, "it was healed by the next upload: %s", text)
}
