package service_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/14_repository/objects"
	"example/turnstile/exercises/16_service/books"
	"example/turnstile/exercises/16_service/gate"
	lockmanager "example/turnstile/solutions/15_lock_manager"
	service "example/turnstile/solutions/16_service"
)

// What the exercise is given has its tests here.

const bracket = "parts/bracket.step"

func open(t *testing.T, options service.Options) *service.Service {
	t.Helper()
	s, err := service.Create(t.Context(), t.TempDir(), options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func checkOut(t *testing.T, s *service.Service, person string) (service.Checkout, string) {
	t.Helper()
	c, content, err := s.CheckOut(t.Context(), person, bracket)
	require.NoError(t, err)
	return c, read(t, content)
}

func read(t *testing.T, content io.ReadCloser) string {
	t.Helper()
	text, err := io.ReadAll(content)
	require.NoError(t, err)
	require.NoError(t, content.Close())
	return string(text)
}

func TestCreateAndOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := service.Create(t.Context(), filepath.Join(dir, "mistyped"), service.Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoDirExists(t, filepath.Join(dir, "mistyped"))
	_, err = service.Open(dir, service.Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)

	// A Create that was killed has made one document.
	require.NoError(t, lockmanager.New(filepath.Join(dir, "locks.json"), lockmanager.Options{}).Create(t.Context()))
	_, err = service.Open(dir, service.Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	s, err := service.Create(t.Context(), dir, service.Options{})
	require.NoError(t, err)
	c, _ := checkOut(t, s, "alice")
	require.NoError(t, s.Close())

	_, err = service.Create(t.Context(), dir, service.Options{})
	require.ErrorIs(t, err, fs.ErrExist)
	s, err = service.Open(dir, service.Options{})
	require.NoError(t, err)
	all, err := s.Checkouts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []service.Checkout{c}, all)
	require.NoError(t, s.Close())
}

func TestCheckOut(t *testing.T) {
	t.Parallel()
	s := open(t, service.Options{})
	hers, content := checkOut(t, s, "alice")
	require.Empty(t, content)
	again, _ := checkOut(t, s, "alice")
	require.Equal(t, hers, again, "an answer that was lost can be asked for again")
	_, _, err := s.CheckOut(t.Context(), "bob", "parts/Bracket.step")
	require.ErrorIs(t, err, lockmanager.ErrHeld)
	_, _, err = s.CheckOut(t.Context(), "bob", "../bracket.step")
	require.ErrorIs(t, err, lockmanager.ErrName)
	_, err = s.CheckIn(t.Context(), "alice", hers.ID, strings.NewReader("four holes"))
	require.NoError(t, err)
	_, content = checkOut(t, s, "bob")
	require.Equal(t, "four holes", content)
}

func TestUndo(t *testing.T) {
	t.Parallel()
	asked := []string{}
	s := open(t, service.Options{MayForce: func(person string, other service.Checkout) bool {
		asked = append(asked, person+" "+other.Owner)
		return person == "admin"
	}})
	hers, _ := checkOut(t, s, "alice")
	_, err := s.Undo(t.Context(), "bob", hers.ID, false)
	require.ErrorIs(t, err, lockmanager.ErrHeld)
	_, err = s.Undo(t.Context(), "bob", hers.ID, true)
	require.ErrorIs(t, err, service.ErrForbidden)
	_, err = s.Undo(t.Context(), "admin", hers.ID, false)
	require.ErrorIs(t, err, lockmanager.ErrHeld, "who may force must say that they want to")
	undone, err := s.Undo(t.Context(), "admin", hers.ID, true)
	require.NoError(t, err)
	require.Equal(t, hers, undone)
	require.Equal(t, []string{"bob alice", "admin alice"}, asked)

	_, err = s.Undo(t.Context(), "alice", hers.ID, false)
	require.ErrorIs(t, err, lockmanager.ErrNotFound)
	_, err = s.Undo(t.Context(), "alice", "", true)
	require.ErrorIs(t, err, lockmanager.ErrNotFound)
	hers, _ = checkOut(t, s, "alice")
	_, err = s.Undo(t.Context(), "alice", hers.ID, true)
	require.NoError(t, err, "her own she need not be allowed to force")
	history, err := s.History(t.Context(), bracket)
	require.NoError(t, err)
	require.Empty(t, history)

	s = open(t, service.Options{})
	hers, _ = checkOut(t, s, "alice")
	_, err = s.Undo(t.Context(), "admin", hers.ID, true)
	require.ErrorIs(t, err, service.ErrForbidden, "without a policy no one may")
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := open(t, service.Options{})
	for _, content := range []string{"three holes", "four holes"} {
		c, _ := checkOut(t, s, "alice")
		_, err := s.CheckIn(t.Context(), "alice", c.ID, strings.NewReader(content))
		require.NoError(t, err)
	}
	history, err := s.History(t.Context(), "parts/BRACKET.step")
	require.NoError(t, err)
	require.Len(t, history, 2)
	content, err := s.Content(t.Context(), history[0])
	require.NoError(t, err)
	require.Equal(t, "three holes", read(t, content))
	_, err = s.Content(t.Context(), service.Version{})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// Each file is derived from the directory, as it was when the service was opened.
func TestARelativeDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.Mkdir("shop", 0o700))
	s, err := service.Create(t.Context(), "shop", service.Options{})
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	c, _ := checkOut(t, s, "alice")
	_, err = s.CheckIn(t.Context(), "alice", c.ID, strings.NewReader("four holes"))
	require.NoError(t, err)
	done, err := s.Recover(t.Context())
	require.NoError(t, err)
	require.True(t, done.Collected)
	require.FileExists(t, filepath.Join(dir, "shop", "uploads.lock"))
	here, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, here)
	require.NoError(t, s.Close())
}

func TestGate(t *testing.T) {
	t.Parallel()
	g := gate.New(filepath.Join(t.TempDir(), "uploads.lock"))
	first, err := g.Upload(t.Context())
	require.NoError(t, err)
	second, err := g.Upload(t.Context())
	require.NoError(t, err, "uploads do not keep each other out")
	require.NoError(t, first.Leave())
	require.Error(t, first.Leave())
	_, err = g.Collect()
	require.ErrorIs(t, err, gate.ErrBusy)
	require.NoError(t, second.Leave())

	collection, err := g.Collect()
	require.NoError(t, err)
	_, err = g.Collect()
	require.ErrorIs(t, err, gate.ErrBusy)
	ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	_, err = g.Upload(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, collection.Leave())
	third, err := g.Upload(t.Context())
	require.NoError(t, err)
	require.NoError(t, third.Leave())

	require.NoError(t, g.Bar())
	require.NoError(t, g.Bar())
	_, err = g.Collect()
	require.ErrorIs(t, err, gate.ErrBarred)
	third, err = g.Upload(t.Context())
	require.NoError(t, err, "uploads go on")
	require.NoError(t, third.Leave())
	require.NoError(t, os.Remove(string(g)+".barred"))
	collection, err = g.Collect()
	require.NoError(t, err)
	require.NoError(t, collection.Leave())

	missing := gate.New(filepath.Join(t.TempDir(), "missing", "uploads.lock"))
	_, err = missing.Upload(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = missing.Collect()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, missing.Bar(), fs.ErrNotExist)
}

func TestBooks(t *testing.T) {
	t.Parallel()
	b := books.New()
	require.NoError(t, b.Validate())
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	hers := service.Checkout{ID: "1", Path: bracket, Owner: "alice", Token: 7}
	b.Leave(hers)
	b.Leave(service.Checkout{Path: "parts/BRACKET.step", Token: 3})
	require.Equal(t, uint64(7), b.Mark(bracket), "a mark only rises")
	require.Zero(t, b.Mark("parts/axle.step"))
	require.Equal(t, 1, b.Add(hers, objects.Object{}, at).Number)
	require.Equal(t, 2, b.Add(hers, objects.Object{}, at).Number, "Add asks nothing")
	require.Equal(t, 1, b.Add(service.Checkout{ID: "2", Path: "parts/axle.step", Owner: "bob"}, objects.Object{}, at).Number)
	require.NoError(t, b.Validate())
	v, found := b.Of("2")
	require.True(t, found)
	require.Equal(t, "bob", v.Owner)
	_, found = b.Of("3")
	require.False(t, found)

	for _, spoil := range []func(*books.Books){
		func(b *books.Books) { b.Versions = nil },
		func(b *books.Books) { b.Marks = nil },
		func(b *books.Books) { b.Versions[0].Path = "../x" },
		func(b *books.Books) { b.Versions[0].Owner = "" },
		func(b *books.Books) { b.Versions[1].Checkout = "" },
		func(b *books.Books) { b.Versions[1].Number = 3 },
		func(b *books.Books) { b.Versions = b.Versions[1:] },
	} {
		spoiled := books.Books{Versions: append([]books.Version{}, b.Versions...), Marks: b.Marks}
		spoil(&spoiled)
		require.Error(t, spoiled.Validate())
	}
}
