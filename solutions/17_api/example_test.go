package api_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"

	"example/turnstile/exercises/17_api/server"
	"example/turnstile/exercises/17_api/users"
	api "example/turnstile/solutions/17_api"
)

// A server for an empty directory, and a client that takes a part twice.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "lesson-17-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	handler, closing, err := api.Open(context.Background(), dir, "https://lfs.example.org")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = closing() }()
	team, err := users.Parse([]string{"alice:secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := httptest.NewServer(server.Wrap(handler, server.Options{Users: team, Log: slog.New(slog.DiscardHandler)}))
	defer s.Close()

	for range 2 {
		request, _ := http.NewRequest(http.MethodPost, s.URL+"/locks", strings.NewReader(`{"path":"bracket.step"}`))
		request.SetBasicAuth("alice", "secret")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		fmt.Println(response.Status, varying.ReplaceAllString(strings.TrimSpace(string(text)), "…"))
	}
	// Output:
	// 201 Created {"lock":{"id":"…","path":"bracket.step","locked_at":"…","owner":{"name":"alice"}}}
	// 409 Conflict {"lock":{"id":"…","path":"bracket.step","locked_at":"…","owner":{"name":"alice"}},"message":"you have bracket.step already, since …","request_id":"…"}
}

// varying is what differs from run to run: ids and times.
var varying = regexp.MustCompile(`[0-9a-f]{16,}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
