package service_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// A mailroom has a slip for each parcel that is to come, a shelf, and a book that says which parcel came for which slip. Each is a
// directory or a file, and no call changes two of them.
type mailroom struct {
	dir  string
	step func(name string) // is called between two steps
}

func newMailroom(t *testing.T, slips ...string) mailroom {
	t.Helper()
	m := mailroom{filepath.Dir(lab.Path(t, "x")), func(string) {}}
	require.NoError(t, os.Mkdir(m.path("slips"), 0o700))
	require.NoError(t, os.Mkdir(m.path("shelf"), 0o700))
	require.NoError(t, os.WriteFile(m.path("book"), []byte("{}"), 0o600))
	for _, slip := range slips {
		require.NoError(t, os.WriteFile(m.path("slips", slip), nil, 0o600))
	}
	return m
}

func (m mailroom) path(names ...string) string {
	return filepath.Join(append([]string{m.dir}, names...)...)
}

// deliver shelves the parcel, enters it, and tears the slip up.
func (m mailroom) deliver(slip, content string) error {
	parcel := fmt.Sprintf("parcel-%x", content)
	if err := os.WriteFile(m.path("shelf", parcel), []byte(content), 0o600); err != nil {
		return err
	}
	m.step("shelved")
	if err := m.enter(slip, parcel); err != nil {
		return err
	}
	m.step("entered")
	return m.tearUp(slip)
}

// enter is the step that decides: the book is replaced, as a whole.
func (m mailroom) enter(slip, parcel string) error {
	book, err := m.book()
	if err != nil || book[slip] != "" { // it has come before
		return err
	}
	book[slip] = parcel
	text, err := json.Marshal(book)
	if err == nil {
		err = os.WriteFile(m.path("book.new"), text, 0o600)
	}
	if err != nil {
		return err
	}
	return os.Rename(m.path("book.new"), m.path("book"))
}

// tidy finishes what is entered, and throws away what is not.
func (m mailroom) tidy() error {
	book, err := m.book()
	if err != nil {
		return err
	}
	home := slices.Collect(maps.Values(book))
	for slip := range book {
		err = errors.Join(err, m.tearUp(slip))
	}
	for _, parcel := range m.list("shelf") {
		if !slices.Contains(home, parcel) {
			err = errors.Join(err, os.Remove(m.path("shelf", parcel)))
		}
	}
	return err
}

// tearUp removes a slip. That it is gone already is as good.
func (m mailroom) tearUp(slip string) error {
	err := os.Remove(m.path("slips", slip))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (m mailroom) book() (book map[string]string, err error) {
	text, err := os.ReadFile(m.path("book"))
	if err == nil {
		err = json.Unmarshal(text, &book)
	}
	return book, err
}

func (m mailroom) list(name string) (names []string) {
	entries, err := os.ReadDir(m.path(name))
	if err != nil {
		panic(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// state says how many slips, entries and parcels there are.
func (m mailroom) state(t *testing.T) string {
	t.Helper()
	book, err := m.book()
	require.NoError(t, err)
	return fmt.Sprintf("%d slips, %d entries, %d parcels", len(m.list("slips")), len(book), len(m.list("shelf")))
}

const (
	nothing = "1 slips, 0 entries, 0 parcels"
	all     = "0 slips, 1 entries, 1 parcels"
)

// deliver is a program that delivers a spring for the slip, in the mailroom at DIR.
func deliver(w *lab.Worker) error {
	return mailroom{w.Arg(0), w.Reached}.deliver("slip", "spring")
}

// tearUpFirst is one that tears the slip up first.
func tearUpFirst(w *lab.Worker) error {
	m := mailroom{w.Arg(0), func(string) {}}
	if err := m.tearUp("slip"); err != nil {
		return err
	}
	w.Reached("torn up")
	return m.deliver("slip", "spring")
}

// killed returns the mailroom in which a program was killed at the step.
func killed(t *testing.T, worker string, steps ...string) mailroom {
	t.Helper()
	m := newMailroom(t, "slip")
	p := lab.Start(t, worker, m.dir)
	for i, step := range steps {
		p.Reached(step)
		if i < len(steps)-1 {
			p.Continue()
		}
	}
	p.Kill()
	return m
}

func TestMailroom(t *testing.T) {
	t.Parallel()
	t.Run("a slip that is torn up first is lost with its parcel", func(t *testing.T) {
		t.Parallel()
		m := killed(t, "tear up first", "torn up")
		require.NoError(t, m.tidy())
		require.Equal(t, "0 slips, 0 entries, 0 parcels", m.state(t))
	})
	t.Run("a delivery that is killed before the entry leaves a slip and a parcel without an entry", func(t *testing.T) {
		t.Parallel()
		m := killed(t, "deliver", "shelved")
		require.Equal(t, "1 slips, 0 entries, 1 parcels", m.state(t))
		require.NoError(t, m.tidy())
		require.Equal(t, nothing, m.state(t))
	})
	t.Run("a delivery that is killed after the entry leaves a slip too many", func(t *testing.T) {
		t.Parallel()
		m := killed(t, "deliver", "shelved", "entered")
		require.Equal(t, "1 slips, 1 entries, 1 parcels", m.state(t))
		require.NoError(t, m.tidy())
		require.Equal(t, all, m.state(t))
	})
	t.Run("a delivery that comes twice is entered once", func(t *testing.T) {
		t.Parallel()
		m := killed(t, "deliver", "shelved", "entered")
		require.NoError(t, m.deliver("slip", "spring"))
		require.NoError(t, m.deliver("slip", "spring"))
		require.Equal(t, all, m.state(t))
	})
	t.Run("to tidy twice changes nothing more", func(t *testing.T) {
		t.Parallel()
		m := killed(t, "deliver", "shelved", "entered")
		require.NoError(t, errors.Join(m.tidy(), m.tidy()))
		require.Equal(t, all, m.state(t))
	})
	t.Run("a parcel that is shelved and not yet entered looks like garbage", func(t *testing.T) {
		t.Parallel()
		m := newMailroom(t, "slip")
		p := lab.Start(t, "deliver", m.dir)
		p.Reached("shelved")
		require.NoError(t, m.tidy()) // another program, at the same time
		p.Continue()
		p.Reached("entered")
		p.Continue()
		require.NoError(t, p.Wait(), "no call fails")
		require.Equal(t, "0 slips, 1 entries, 0 parcels", m.state(t))
	})
}
