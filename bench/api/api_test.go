package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"example/turnstile/bench/results"
	"example/turnstile/bench/rounds"
	"example/turnstile/internal/curriculum"
)

// A fake is a lock server in memory, which can be made to do what a server must not.
type fake struct {
	mutex      sync.Mutex
	next       int
	held       map[string]string // IDs by path
	grantTwice bool              // does not look who has the path
	otherPath  bool              // answers about another one
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	answer := func(status int, id, path string) {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"lock":{"id":%q,"path":%q},"message":"as asked"}`, id, path)
	}
	if id, ok := strings.CutPrefix(r.URL.Path, "/locks/"); ok {
		id = strings.TrimSuffix(id, "/unlock")
		for path, held := range f.held {
			if held == id {
				delete(f.held, path)
				answer(http.StatusOK, id, path)
				return
			}
		}
		// The second owner of a path that was given twice.
		answer(http.StatusOK, id, r.Header.Get("X-Path"))
		return
	}
	var body struct{ Path string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if id, taken := f.held[body.Path]; taken && !f.grantTwice {
		answer(http.StatusConflict, id, body.Path)
		return
	}
	f.next++
	id := fmt.Sprint(f.next)
	f.held[body.Path] = id
	if f.otherPath {
		body.Path = "another"
	}
	answer(http.StatusCreated, id, body.Path)
}

func (f *fake) start(t *testing.T) *server {
	t.Helper()
	f.held = map[string]string{}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return &server{s.URL, s.Client(), func() error { return nil }}
}

func TestACrowdOfClientsIsServed(t *testing.T) {
	t.Parallel()
	for name, clients := range map[string]func(*server) *crowd{
		"paths of their own": func(s *server) *crowd { return apart(s, 4) },
		"the same paths":     func(s *server) *crowd { return contested(s, 4, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			samples, err := clients((&fake{}).start(t)).round(t.Context(), 50*time.Millisecond)
			if err != nil || samples["pairs/s"] <= 0 || samples["p99-ns"] <= 0 {
				t.Errorf("%v: %v", samples, err)
			}
		})
	}
}

func TestTwoOwnersOfOnePathAreCounted(t *testing.T) {
	t.Parallel()
	c := contested((&fake{}).start(t), 2, 1)
	c.granted("a", 1)
	if c.doubles.Load() != 0 {
		t.Fatal("one owner is none too many")
	}
	c.granted("a", 2)
	c.givenBack("a")
	c.granted("b", 1)
	if got := c.doubles.Load(); got != 1 {
		t.Errorf("a path was given to two clients once, and counted are %d", got)
	}
	if _, err := c.round(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "two clients were given one path") {
		t.Errorf("that breaks the row: %v", err)
	}
}

func TestAServerThatGrantsTwiceIsFound(t *testing.T) {
	t.Parallel()
	c := contested((&fake{grantTwice: true}).start(t), 8, 1)
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) { // the clients must meet once
		if _, err := c.round(t.Context(), 50*time.Millisecond); err != nil {
			return
		}
	}
	t.Error("eight clients had one path together, and no round was refused")
}

func TestAnAnswerAboutAnotherPathIsAnError(t *testing.T) {
	t.Parallel()
	_, err := apart((&fake{otherPath: true}).start(t), 1).round(t.Context(), 0)
	if err == nil || !strings.Contains(err.Error(), "with another lock") {
		t.Errorf("the server answered about another path: %v", err)
	}
}

func TestTheReferenceServerGrantsEachPathOnce(t *testing.T) {
	t.Parallel()
	book, err := curriculum.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	if !Exists(book.Root) {
		t.Skip("the workbook has no solutions/17_api")
	}
	for _, step := range Steps(rounds.Settings{Quick: true, Rounds: 1, Length: 50 * time.Millisecond}, "disk", t.TempDir(), book.Root) {
		comparisons, err := step.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, broken := range (&results.File{Comparisons: comparisons}).Broken() {
			t.Error(broken)
		}
	}
}
