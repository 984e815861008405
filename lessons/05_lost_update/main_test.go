package lostupdate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, workers) }

// workers of files with build tags are added in their init.
var workers = lab.Workers{
	"update in steps":     updateInSteps,
	"list in memory":      listInMemory,
	"number a card":       numberCard,
	"take lids":           takeLids,
	"hold a mutex":        holdMutex,
	"try a mutex":         tryMutex,
	"hold":                hold,
	"hold in TempDir":     holdInTempDir,
	"hold, then replace":  holdThenReplace,
	"lock twice":          lockTwice,
	"lock two":            lockTwo,
	"panic with a lock":   panicWithLock,
	"update under a lock": updateUnderLock,
}

type counterDocument struct {
	Counter int `json:"counter"`
}

func readCounter(path string) (int, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var document counterDocument
	if err := json.Unmarshal(content, &document); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return document.Counter, nil
}

func writeCounter(path string, counter int) error {
	return os.WriteFile(path, fmt.Appendf(nil, `{"counter":%d}`, counter), 0o600)
}

func counterFile(t *testing.T, counter int) (path string) {
	t.Helper()
	return lab.WriteFile(t, "counter.json", fmt.Sprintf(`{"counter":%d}`, counter))
}

func requireCounter(t *testing.T, want int, path string) {
	t.Helper()
	got, err := readCounter(path)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// tryLock reports whether a lock on the file at path can be had now, by a Flock of its own.
func tryLock(t *testing.T, path string) bool {
	t.Helper()
	guard := flock.New(path)
	locked, err := guard.TryLock()
	require.NoError(t, err)
	require.NoError(t, guard.Unlock())
	return locked
}

// hold locks the file PATH, stands at "inside", and lets it go.
func hold(w *lab.Worker) error { return holdFile(w, w.Arg(0)) }

// holdInTempDir is hold for a lock file called NAME in the directory for temporary files.
func holdInTempDir(w *lab.Worker) error { return holdFile(w, filepath.Join(os.TempDir(), w.Arg(0))) }

func holdFile(w *lab.Worker, path string) error {
	guard := flock.New(path)
	if err := guard.Lock(); err != nil {
		return err
	}
	w.Reached("inside")
	return guard.Unlock()
}

// holdThenReplace locks the document PATH itself, stands at "inside", replaces the document by a rename, and lets go.
func holdThenReplace(w *lab.Worker) error {
	guard := flock.New(w.Arg(0))
	if err := guard.Lock(); err != nil {
		return err
	}
	w.Reached("inside")
	if err := writeCounter(w.Arg(0)+".new", 42); err != nil {
		return err
	}
	return errors.Join(os.Rename(w.Arg(0)+".new", w.Arg(0)), guard.Unlock())
}
