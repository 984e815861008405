package document_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// flock(2): "Locks created by flock() are associated with an open file description". The description is of a file, and not of its name.
func TestTheDeadInode(t *testing.T) {
	t.Parallel()
	t.Run("a lock stays on the file, when another file gets its name", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		dir := filepath.Dir(lab.WriteFile(t, "locks.json", "old"))
		alice, carol := start(t, dir), start(t, dir)
		require.Equal(t, "ok", alice.ask("Lock locks.json"))
		require.Equal(t, "locked", carol.ask("Try locks.json"))
		require.Equal(t, "ok", alice.ask("replace locks.json"))
		require.Equal(t, "another file", alice.ask("same locks.json"))
		require.Equal(t, "ok", carol.ask("Try locks.json"), "alice has not unlocked")
	})
	t.Run("a program that waits gets the lock of the file that is gone", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		_, alice, bob, _ := three(t, "locks.json")
		require.Equal(t, "ok", alice.ask("replace locks.json"))
		require.Equal(t, "ok", alice.ask("Unlock locks.json"))
		require.Equal(t, "ok", bob.end())
		require.Equal(t, "another file", bob.ask("same locks.json"))
	})
	t.Run("with two programs nothing goes wrong", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		_, alice, bob, _ := three(t, "locks.json")
		require.Equal(t, "ok", alice.ask("replace locks.json"))
		require.Equal(t, "ok", alice.ask("Unlock locks.json"))
		require.Equal(t, "ok", bob.end())
		require.Equal(t, "new", bob.ask("read locks.json"), "bob reads by name, and so what alice has written")
	})
	t.Run("a third one gets another lock, and two are inside", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		_, alice, bob, carol := three(t, "locks.json")
		require.Equal(t, "ok", alice.ask("replace locks.json"))
		require.Equal(t, "ok", alice.ask("Unlock locks.json"))
		require.Equal(t, "ok", bob.end())
		require.Equal(t, "ok", carol.ask("Try locks.json"), "bob has not unlocked")
	})
	t.Run("a lock on a file beside the document keeps the third out", func(t *testing.T) {
		t.Parallel()
		_, alice, bob, carol := three(t, "locks.json.lock")
		require.Equal(t, "ok", alice.ask("replace locks.json"))
		require.Equal(t, "ok", alice.ask("Unlock locks.json.lock"))
		require.Equal(t, "ok", bob.end())
		require.Equal(t, "locked", carol.ask("Try locks.json.lock"))
		require.Equal(t, "ok", bob.ask("replace locks.json"))
		require.Equal(t, "locked", carol.ask("Try locks.json.lock"))
		require.Equal(t, "ok", bob.ask("same locks.json.lock"))
	})
	t.Run("a lock file that is removed is as bad as a document that is replaced", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		_, alice, bob, carol := three(t, "locks.json.lock")
		require.Equal(t, "ok", alice.ask("remove locks.json.lock"))
		require.Equal(t, "ok", alice.ask("Unlock locks.json.lock"))
		require.Equal(t, "ok", bob.end())
		require.Equal(t, "ok", carol.ask("Try locks.json.lock"), "bob has not unlocked")
	})
	t.Run("who compares the open file with the name finds out, and begins again", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		_, alice, bob, carol := three(t, "locks.json")
		require.Equal(t, "ok", alice.ask("replace locks.json"))
		require.Equal(t, "ok", alice.ask("Unlock locks.json"))
		require.Equal(t, "ok", bob.end())
		require.Equal(t, "another file", bob.ask("same locks.json"))
		require.Equal(t, "ok", bob.ask("Unlock locks.json"))
		require.Equal(t, "ok", bob.ask("Lock locks.json"))
		require.Equal(t, "ok", bob.ask("same locks.json"))
		require.Equal(t, "locked", carol.ask("Try locks.json"))
	})
	t.Run("to open a document for its lock creates the document", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Dir(lab.Path(t, "locks.json"))
		require.Equal(t, "ok", start(t, dir).ask("Lock locks.json"))
		content, err := os.ReadFile(filepath.Join(dir, "locks.json"))
		if err == nil { // on Windows the lock keeps readers out
			require.Empty(t, content)
		}
		require.FileExists(t, filepath.Join(dir, "locks.json"))
	})
}
