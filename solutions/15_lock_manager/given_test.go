package lockmanager_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/15_lock_manager/ledger"
	"example/turnstile/exercises/15_lock_manager/part"
	lockmanager "example/turnstile/solutions/15_lock_manager"
)

// What the exercise is given has its tests here.

func office(t *testing.T, options lockmanager.Options) *lockmanager.Manager {
	t.Helper()
	m := lockmanager.New(filepath.Join(t.TempDir(), "locks.json"), options)
	require.NoError(t, m.Create(t.Context()))
	return m
}

func TestCreate(t *testing.T) {
	t.Parallel()
	m := office(t, lockmanager.Options{})
	require.ErrorIs(t, m.Create(t.Context()), fs.ErrExist)
	missing := lockmanager.New(filepath.Join(t.TempDir(), "locks.json"), lockmanager.Options{})
	_, err := missing.List(t.Context(), lockmanager.Query{})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestListInPieces(t *testing.T) {
	t.Parallel()
	m := office(t, lockmanager.Options{})
	var all []lockmanager.Checkout
	for i := range 12 {
		c, err := m.Lock(t.Context(), []string{"alice", "bob"}[i%2], fmt.Sprintf("part-%02d", i))
		require.NoError(t, err)
		all = append(all, c)
	}
	for _, limit := range []int{1, 5, 11, 12, 13, 0, -1, 1 << 40} {
		seen, pieces := 0, 0
		for q := (lockmanager.Query{Limit: limit}); ; pieces++ {
			page, err := m.List(t.Context(), q)
			require.NoError(t, err)
			for _, c := range page.Checkouts {
				require.Equal(t, all[seen].ID, c.ID)
				seen++
			}
			if page.Next == "" {
				break
			}
			require.NotEqual(t, q.Cursor, page.Next)
			q.Cursor = page.Next
		}
		require.Equal(t, 12, seen, "limit %d", limit)
		if limit > 0 {
			require.Equal(t, 11/limit, min(pieces, 12))
		}
	}

	// Those before the cursor, the one that is the cursor, and the rest are given back on the way.
	page, err := m.List(t.Context(), lockmanager.Query{Limit: 4})
	require.NoError(t, err)
	for _, c := range page.Checkouts {
		_, err := m.Unlock(t.Context(), "carol", c.ID, true)
		require.NoError(t, err)
	}
	rest, err := m.List(t.Context(), lockmanager.Query{Cursor: page.Next})
	require.NoError(t, err)
	require.Len(t, rest.Checkouts, 8)
	require.Equal(t, all[4].ID, rest.Checkouts[0].ID)

	for _, q := range []lockmanager.Query{{ID: all[7].ID}, {Path: "part-07"}, {Path: "PART-07"}, {ID: all[7].ID, Path: "part-07"}} {
		page, err := m.List(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, page.Checkouts, 1)
		require.Equal(t, all[7].ID, page.Checkouts[0].ID)
	}
	for _, q := range []lockmanager.Query{{ID: all[7].ID[1:]}, {Path: "part-0"}, {ID: all[7].ID, Path: "part-08"}} {
		page, err := m.List(t.Context(), q)
		require.NoError(t, err)
		require.NotNil(t, page.Checkouts)
		require.Empty(t, page.Checkouts)
	}
	_, err = m.List(t.Context(), lockmanager.Query{Path: "./part-07"})
	require.ErrorIs(t, err, lockmanager.ErrName)
	for _, cursor := range []string{"x", "-1", "1.5", strings.Repeat("9", 400)} {
		_, err = m.List(t.Context(), lockmanager.Query{Cursor: cursor})
		require.ErrorIs(t, err, lockmanager.ErrCursor)
		require.Less(t, len(err.Error()), 300)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	m := office(t, lockmanager.Options{})
	ours, theirs, next, err := m.Verify(t.Context(), "alice", "", 0)
	require.NoError(t, err)
	require.NotNil(t, ours)
	require.NotNil(t, theirs)
	require.Empty(t, next)
	for i := range 101 { // one more than the first piece has
		_, err := m.Lock(t.Context(), []string{"alice", "bob", "carol"}[i%3], fmt.Sprintf("part-%d", i))
		require.NoError(t, err)
	}
	mine, others := 0, 0
	for cursor, pieces := "", 1; ; pieces++ {
		ours, theirs, next, err := m.Verify(t.Context(), "alice", cursor, 0)
		require.NoError(t, err)
		for _, c := range ours {
			require.Equal(t, "alice", c.Owner)
		}
		mine, others = mine+len(ours), others+len(theirs)
		if cursor = next; cursor == "" {
			require.Equal(t, 2, pieces)
			break
		}
	}
	require.Equal(t, 34, mine)
	require.Equal(t, 67, others)
}

func TestRenew(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	m := office(t, lockmanager.Options{Lease: time.Hour, Now: func() time.Time { return now }})
	c, err := m.Lock(t.Context(), "alice", "bracket.step")
	require.NoError(t, err)
	now = now.Add(time.Hour - 1)
	renewed, err := m.Renew(t.Context(), "alice", c.ID)
	require.NoError(t, err)
	require.Equal(t, c.Token, renewed.Token)
	require.Equal(t, c.ID, renewed.ID)
	require.True(t, renewed.Expires.Equal(now.Add(time.Hour)))
	require.Equal(t, renewed.Expires, onlyCheckout(t, m).Expires)
	_, err = m.Renew(t.Context(), "bob", c.ID)
	require.ErrorIs(t, err, lockmanager.ErrHeld)
	now = now.Add(time.Hour)
	_, err = m.Renew(t.Context(), "alice", c.ID)
	require.ErrorIs(t, err, lockmanager.ErrNotFound)
	page, err := m.List(t.Context(), lockmanager.Query{})
	require.NoError(t, err)
	require.Empty(t, page.Checkouts, "it has expired")
}

func onlyCheckout(t *testing.T, m *lockmanager.Manager) lockmanager.Checkout {
	t.Helper()
	page, err := m.List(t.Context(), lockmanager.Query{})
	require.NoError(t, err)
	require.Len(t, page.Checkouts, 1)
	return page.Checkouts[0]
}

// The archive does not trust its callers, in a Read either: it would leave the token, and keep every owner out.
func TestReadOfACheckoutThatNoLockHasReturned(t *testing.T) {
	t.Parallel()
	m := office(t, lockmanager.Options{})
	archive := lockmanager.NewArchive(filepath.Join(t.TempDir(), "archive.json"), m)
	require.NoError(t, archive.Create(t.Context()))
	c, err := m.Lock(t.Context(), "alice", "bracket.step")
	require.NoError(t, err)
	for _, forged := range []lockmanager.Checkout{
		{}, {Path: c.Path, Token: c.Token}, {ID: c.ID, Path: "axle.step", Token: c.Token}, {ID: c.ID, Path: c.Path, Token: 1 << 63},
	} {
		_, err := archive.Read(t.Context(), forged)
		require.ErrorIs(t, err, lockmanager.ErrFenced, "%+v", forged)
	}
	require.NoError(t, archive.Write(t.Context(), c, "hers"))
}

// A document that came back from its backup does not give out the tokens of what was lost.
func TestRecover(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locks.json")
	m := lockmanager.New(path, lockmanager.Options{})
	require.NoError(t, m.Create(t.Context()))
	var last lockmanager.Checkout
	for _, name := range []string{"axle", "bracket"} {
		var err error
		last, err = m.Lock(t.Context(), "alice", name)
		require.NoError(t, err)
	}
	done, err := m.Recover(t.Context())
	require.NoError(t, err)
	require.Zero(t, done.Restored)
	damage(t, path)
	done, err = m.Recover(t.Context())
	require.NoError(t, err)
	require.NotZero(t, done.Restored)
	again, err := m.Lock(t.Context(), "bob", "bracket")
	require.NoError(t, err, "the last checkout is lost")
	require.Equal(t, last.Token+1<<20, again.Token)
	require.NotEqual(t, again.ID, last.ID)
}

func TestPart(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"a", "A"},
		{"é", "É"},
		{"ς", "Σ"},
		{"k", "\u212a"},
		{"s", "ſ"},
		{"ß", "ẞ"},
		{"a", "b"},
		{"i", "ı"},
		{"ss", "ß"},
		{"é", "e\u0301"},
	} {
		require.Equal(t, part.Same(pair[0], pair[1]), part.Key(pair[0]) == part.Key(pair[1]), "%q", pair)
	}
	require.True(t, errors.Is(part.Check("a//b"), part.ErrName))
	require.Less(t, len(part.Check(strings.Repeat("x", 1<<20)).Error()), 300)
}

func TestLedger(t *testing.T) {
	t.Parallel()
	require.Regexp(t, "^[0-9a-f]{32}$", ledger.NewID())
	good := ledger.Checkout{ID: "1", Path: "a", Owner: "alice", Token: 1}
	require.NoError(t, (&ledger.Ledger{LastToken: 1, Checkouts: []ledger.Checkout{good}}).Validate())
	for name, spoil := range map[string]func(*ledger.Ledger){
		"a token above the last":       func(l *ledger.Ledger) { l.LastToken = 0 },
		"tokens that do not rise":      func(l *ledger.Ledger) { l.Checkouts = append(l.Checkouts, l.Checkouts[0]) },
		"no owner":                     func(l *ledger.Ledger) { l.Checkouts[0].Owner = "" },
		"no ID":                        func(l *ledger.Ledger) { l.Checkouts[0].ID = "" },
		"a path that is not clean":     func(l *ledger.Ledger) { l.Checkouts[0].Path = "a//b" },
		"a token that is the smallest": func(l *ledger.Ledger) { l.Checkouts[0].Token = 0 },
	} {
		l := &ledger.Ledger{LastToken: 1, Checkouts: []ledger.Checkout{good}}
		spoil(l)
		require.Error(t, l.Validate(), name)
	}
}

// damage cuts the document off.
func damage(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text[:len(text)/2], 0o600))
}
