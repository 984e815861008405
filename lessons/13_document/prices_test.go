package document_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/04_json_files/keys"
	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/exercises/13_document/lockfile"
	"example/turnstile/internal/lab"
)

// A price list, in memory: what a document is on disk.
type prices map[string]int

var errNegative = errors.New("a price is negative")

func check(list prices) error {
	for _, price := range list {
		if price < 0 {
			return errNegative
		}
	}
	return nil
}

// revised returns what change makes of the list, which it leaves alone.
func revised(list prices, change func(prices) error) (prices, error) {
	draft := maps.Clone(list) // what fails, fails on a draft
	if err := change(draft); err != nil {
		return list, err
	}
	if err := check(draft); err != nil {
		return list, err
	}
	return draft, nil
}

// alone calls work while no other program is at work on the price list at path.
func alone(ctx context.Context, path string, work func() error) (err error) {
	sign, err := lockfile.Lock(ctx, path+".in-use", filelock.Exclusive, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sign.Unlock()) }() // on each way out
	return work()
}

func TestWaysOutOfACallback(t *testing.T) {
	t.Parallel()
	free := func(t *testing.T, path string) {
		t.Helper()
		require.NoError(t, alone(t.Context(), path, func() error { return nil }))
	}
	t.Run("a deferred unlock runs when the callback returns an error", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "prices.json")
		require.ErrorIs(t, alone(t.Context(), path, func() error { return errNegative }), errNegative)
		free(t, path)
	})
	t.Run("a deferred unlock runs when the callback panics, and the panic goes on", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "prices.json")
		require.PanicsWithValue(t, "dropped", func() { _ = alone(context.Background(), path, func() error { panic("dropped") }) })
		free(t, path)
	})
	t.Run("a deferred unlock runs when the callback ends its goroutine", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "prices.json")
		done, returned := make(chan struct{}), false
		go func() {
			defer close(done)
			_ = alone(context.Background(), path, func() error { runtime.Goexit(); return nil })
			returned = true
		}()
		<-done
		require.False(t, returned)
		free(t, path)
	})
	t.Run("a change that fails half way leaves a draft behind, and not the list", func(t *testing.T) {
		t.Parallel()
		list := prices{"hinge": 4}
		same, err := revised(list, func(draft prices) error { draft["hinge"] = 5; return errNegative })
		require.ErrorIs(t, err, errNegative)
		require.Equal(t, prices{"hinge": 4}, same)
		same, err = revised(list, func(draft prices) error { draft["hinge"] = -1; return nil })
		require.ErrorIs(t, err, errNegative)
		require.Equal(t, prices{"hinge": 4}, same)
		require.Equal(t, prices{"hinge": 4}, list)
	})
	t.Run("a change that panics leaves a draft behind, and not the list", func(t *testing.T) {
		t.Parallel()
		list := prices{"hinge": 4}
		require.Panics(t, func() { _, _ = revised(list, func(draft prices) error { draft["hinge"] = 5; panic("dropped") }) })
		require.Equal(t, prices{"hinge": 4}, list)
	})
	t.Run("a new list does not reach those who have the old one", func(t *testing.T) {
		t.Parallel()
		list := prices{"hinge": 4}
		next, err := revised(list, func(draft prices) error { draft["hinge"] = 5; return nil })
		require.NoError(t, err)
		require.Equal(t, prices{"hinge": 5}, next)
		require.Equal(t, prices{"hinge": 4}, list)
	})
}

func TestWhatCanBeSavedAndNotLoaded(t *testing.T) {
	t.Parallel()
	t.Run("a map whose keys differ in letter case is encoded without an error, and a strict load refuses it", func(t *testing.T) {
		t.Parallel()
		data, err := json.Marshal(map[string]string{"Hinge.step": "bob", "hinge.step": "alice"})
		require.NoError(t, err)
		require.Error(t, keys.Distinct(data))
	})
	t.Run("a nil map is encoded as null", func(t *testing.T) {
		t.Parallel()
		data, err := json.Marshal(prices(nil))
		require.NoError(t, err)
		require.Equal(t, "null", string(data))
	})
}

func TestTheGenerationBefore(t *testing.T) {
	t.Parallel()
	t.Run("a hard link keeps the old file when a rename replaces the document", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "old")
		require.NoError(t, os.Link(path, path+".bak"))
		require.NoError(t, os.WriteFile(path+".new", []byte("new"), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
		for name, want := range map[string]string{path: "new", path + ".bak": "old"} {
			content, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Equal(t, want, string(content))
		}
	})
	// rename(2): "If oldpath and newpath are existing hard links referring to the same file, then rename() does nothing".
	t.Run("a rename between two names of one file does nothing", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		path := lab.WriteFile(t, "locks.json", "old")
		require.NoError(t, os.Link(path, path+".bak"))
		require.NoError(t, os.Rename(path, path+".bak"))
		require.FileExists(t, path)
		require.FileExists(t, path+".bak")
	})
	t.Run("a rename out of the way leaves a moment without a document", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "old")
		require.NoError(t, os.Rename(path, path+".bak"))
		require.NoFileExists(t, path)
	})
	t.Run("another file can have the same size and the same time of modification", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "one")
		was := statOpen(t, path)
		other := filepath.Join(filepath.Dir(path), "other")
		require.NoError(t, os.WriteFile(other, []byte("two"), 0o600))
		require.NoError(t, os.Chtimes(other, was.ModTime(), was.ModTime()))
		require.NoError(t, os.Rename(other, path))
		now := statOpen(t, path)
		require.Equal(t, was.Size(), now.Size())
		require.True(t, was.ModTime().Equal(now.ModTime()))
		require.False(t, os.SameFile(was, now))
	})
}

// statOpen asks an open handle. On Windows os.Stat leaves to SameFile to find out which file it was, and the path may be another's by then.
func statOpen(t *testing.T, path string) os.FileInfo {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	return info
}
