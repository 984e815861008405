package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A board shows the workshop's notice, and lets people change it. The file is replaced in one step (lesson 06), so a reader needs no lock.
type board struct{ path string }

// show answers GET /notice. Nothing is kept from one request to the next.
func (b board) show(w http.ResponseWriter, r *http.Request) {
	text, err := os.ReadFile(b.path)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, string(text))
}

// change answers PUT /notice: first the whole body, then the change, then the answer.
func (b board) change(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<10))
	if err != nil {
		refuse(w, errBody)
		return
	}
	if err := b.replace(r.Context(), string(text)); err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, string(text))
}

var (
	errBody   = errors.New("the notice is longer than 1024 bytes, or was cut off; send it again")
	errPinned = errors.New("another notice is pinned; ask its author to take it off")
)

// refuse says whose mistake it is: the client's, another user's, or ours. Only what the client can act on is shown.
func refuse(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errBody):
		answer(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, errPinned):
		answer(w, http.StatusConflict, err.Error())
	default:
		answer(w, http.StatusInternalServerError, "the board is broken; tell its keeper")
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (b board) replace(ctx context.Context, text string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if old, err := os.ReadFile(b.path); err == nil && strings.HasPrefix(string(old), "pinned") {
		return fmt.Errorf("%s: %w", b.path, errPinned)
	}
	temp := b.path + ".new"
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, b.path)
}

// A forgetful board keeps a copy.
type copied struct {
	board
	mutex sync.Mutex
	text  string
}

func (c *copied) show(w http.ResponseWriter, _ *http.Request) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	answer(w, http.StatusOK, c.text)
}

func (c *copied) change(w http.ResponseWriter, r *http.Request) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	text, _ := io.ReadAll(r.Body)
	if err := c.replace(r.Context(), string(text)); err != nil {
		refuse(w, err)
		return
	}
	c.text = string(text)
	answer(w, http.StatusOK, c.text)
}

type shower interface {
	show(w http.ResponseWriter, r *http.Request)
	change(w http.ResponseWriter, r *http.Request)
}

func put(t *testing.T, b shower, text string) int {
	t.Helper()
	w := httptest.NewRecorder()
	b.change(w, httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/notice", strings.NewReader(text)))
	return w.Code
}

func shown(t *testing.T, b shower) string {
	t.Helper()
	w := httptest.NewRecorder()
	b.show(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/notice", nil))
	return w.Body.String()
}

// The sibling of the exercise that "The fix" shows.
func TestBoard(t *testing.T) {
	t.Parallel()
	t.Run("a copy does not learn what another server has changed", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "notice")
		one, other := &copied{board: board{path}}, &copied{board: board{path}}
		require.Equal(t, 200, put(t, one, "closed at noon"))
		require.Equal(t, "closed at noon", shown(t, one))
		require.Empty(t, shown(t, other), "its copy is from before")
	})
	t.Run("a server that asks the file shows what another server has changed", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "notice")
		one, other := board{path}, board{path}
		require.Equal(t, 200, put(t, one, "closed at noon"))
		require.Equal(t, "closed at noon", shown(t, other))
	})
	t.Run("each error of the board has its status, and shows nothing of its inside", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "notice")
		b := board{path}
		require.Equal(t, 400, put(t, b, strings.Repeat("x", 2000)))
		require.NotContains(t, shown(t, b), path)
		_, err := os.Stat(path)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Equal(t, 200, put(t, b, "pinned: fire drill"))
		require.Equal(t, 409, put(t, b, "closed"))
	})
}
