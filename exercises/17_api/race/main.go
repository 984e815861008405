// Command race has two servers on one directory, hammers both, and asks each about what the other one has done.
package main

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
	"path/filepath"
	"strings"
	"sync"

	api "example/turnstile/exercises/17_api"
	"example/turnstile/exercises/17_api/server"
	"example/turnstile/exercises/17_api/wire"
	"example/turnstile/internal/lab/process"
	"example/turnstile/internal/lab/race"
)

const parts, requests = 8, 80

func main() {
	race.Main(race.Demo{Workers: process.Workers{"serve": serve}, Run: run})
}

type anyone struct{}

func (anyone) Check(context.Context, string, string) (bool, error) { return true, nil }

// serve is a server for the document at PATH. It sends its URL.
func serve(w *process.Worker) error {
	locks := plain{w.Arg(0)}
	if err := locks.update(context.Background(), nothing); err != nil {
		return err
	}
	handler, err := api.New(context.Background(), locks, nil)
	if err != nil {
		return err
	}
	s := httptest.NewServer(server.Wrap(handler, server.Options{Users: anyone{}, Log: slog.New(slog.DiscardHandler)}))
	if err := w.Result(s.URL); err != nil {
		return err
	}
	var end string
	return w.Receive(&end) // the demo ends the process; it sends nothing
}

// An answer has what any answer of the API may have.
type answer struct {
	Lock   wire.Lock
	Theirs []wire.Lock
	status int
}

func ask(ctx context.Context, user, method, url, body string) (a answer, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	request.SetBasicAuth(user, user)
	request.Header.Set("Content-Type", wire.MediaType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return a, err
	}
	text, err := io.ReadAll(response.Body)
	err = errors.Join(err, response.Body.Close(), json.Unmarshal(text, &a))
	a.status = response.StatusCode
	return a, err
}

// given is a lock, and the number of the server that gave it.
type given struct {
	wire.Lock
	server int
}

// hammer sends requests for the parts to both servers at once.
func hammer(ctx context.Context, urls []string) (winners []given, conflicts, failures int, err error) {
	var mutex sync.Mutex
	var all sync.WaitGroup
	for i := range requests {
		all.Go(func() {
			body := fmt.Sprintf(`{"path":"part-%d.step"}`, i/2%parts)
			a, failed := ask(ctx, fmt.Sprintf("user-%d", i), "POST", urls[i%2]+"/locks", body)
			mutex.Lock()
			defer mutex.Unlock()
			err = errors.Join(err, failed)
			switch a.status {
			case http.StatusCreated:
				winners = append(winners, given{a.Lock, i % 2})
			case http.StatusConflict:
				conflicts++
			default:
				failures++
			}
		})
	}
	all.Wait()
	return winners, conflicts, failures, err
}

// cross asks each server about the other one's locks: would a push be stopped? And, when it has been unlocked there, can it be locked
// again?
func cross(ctx context.Context, urls []string, winners []given) (unseen, refused int, err error) {
	for _, w := range winners {
		here, there := urls[w.server], urls[1-w.server]
		v, verifyErr := ask(ctx, "a colleague", "POST", there+"/locks/verify", "{}")
		seen := false
		for _, lock := range v.Theirs {
			seen = seen || lock.ID == w.ID
		}
		if !seen {
			unseen++
		}
		_, unlockErr := ask(ctx, w.Owner.Name, "POST", there+"/locks/"+w.ID+"/unlock", "{}")
		again, lockErr := ask(ctx, "a colleague", "POST", here+"/locks", fmt.Sprintf(`{"path":%q}`, w.Path))
		if again.status != http.StatusCreated {
			refused++
		}
		err = errors.Join(err, verifyErr, unlockErr, lockErr)
	}
	return unseen, refused, err
}

func run(ctx context.Context, r *race.Report) error {
	r.Title("two servers on one directory; %d requests for %d parts, half of them at each", requests, parts)
	path := filepath.Join(r.Dir(), "locks.json")
	if err := os.WriteFile(path, []byte(`{"last_token":0,"checkouts":[]}`), 0o600); err != nil {
		return fmt.Errorf("begin a new document: %w", err)
	}
	if err := (plain{path}).update(ctx, nothing); errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%w: it has no file locks (%w)", race.ErrSystem, err)
	}
	var urls []string
	for range 2 {
		p, err := r.Start(ctx, process.Options{}, "serve", path)
		if err != nil {
			return err
		}
		url := ""
		if err := p.NextResult(ctx, &url); err != nil {
			return err
		}
		urls = append(urls, url)
	}
	winners, conflicts, failures, err := hammer(ctx, urls)
	if err != nil {
		return err
	}
	unseen, refused, err := cross(ctx, urls, winners)
	if err != nil {
		return err
	}
	r.Facts("locks given (201)", len(winners), "refused, with the lock in the way (409)", conflicts, "failures of the server (500)", failures,
		"locks that the other server does not show before a push", unseen, "unlocked parts that the other server still refuses", refused)
	switch {
	case len(winners) != parts:
		r.Race("%d parts were given %d times", parts, len(winners))
	case unseen+refused+failures > 0:
		r.Race("each server knows its own locks; %d pushes over another's lock would go through", unseen)
	default:
		r.Clean("each part was given once, and both servers know it")
	}
	return nil
}
