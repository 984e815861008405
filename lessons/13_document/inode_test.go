package document_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/11_locked_file/filelock"
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
		require.NoError(t, alice.Do("Lock locks.json", lab.Lesson{}))
		require.ErrorIs(t, carol.Do("Try locks.json", lab.Lesson{}), filelock.ErrLocked)
		require.NoError(t, alice.Do("replace locks.json", lab.Lesson{}))
		require.ErrorIs(t, alice.Do("same locks.json", lab.Lesson{}), errOther)
		require.NoError(t, carol.Do("Try locks.json", lab.Lesson{}), "alice has not unlocked")
	})
	t.Run("a program that waits gets the lock of the file that is gone", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		bob, _ := three(t, "locks.json", "replace locks.json")
		require.ErrorIs(t, bob.Do("same locks.json", lab.Lesson{}), errOther)
	})
	t.Run("with two calls the second reads what the first has written", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		bob, _ := three(t, "locks.json", "replace locks.json")
		require.Equal(t, "new", bob.Ask("read locks.json", lab.Lesson{}).Text, "bob reads by name, and so what alice has written")
	})
	t.Run("a third one gets another lock, and two are inside", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		_, carol := three(t, "locks.json", "replace locks.json")
		require.NoError(t, carol.Do("Try locks.json", lab.Lesson{}), "bob has not unlocked")
	})
	t.Run("the third call may be the first program's next one", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		dir := filepath.Dir(lab.WriteFile(t, "locks.json", "old"))
		alice, bob := start(t, dir), start(t, dir)
		alice.Succeed("Lock locks.json", lab.Lesson{})
		bob.Send("Lock locks.json")
		bob.WaitBlocked()
		alice.Succeed("replace locks.json", lab.Lesson{})
		alice.Succeed("Unlock locks.json", lab.Lesson{})
		require.NoError(t, bob.Reply(lab.Lesson{}).Returned.Err)
		require.NoError(t, alice.Do("Try locks.json", lab.Lesson{}), "bob has not unlocked")
	})
	t.Run("a lock on a file beside the document keeps the third out", func(t *testing.T) {
		t.Parallel()
		bob, carol := three(t, "locks.json.lock", "replace locks.json")
		require.ErrorIs(t, carol.Do("Try locks.json.lock", lab.Lesson{}), filelock.ErrLocked)
		require.NoError(t, bob.Do("replace locks.json", lab.Lesson{}))
		require.ErrorIs(t, carol.Do("Try locks.json.lock", lab.Lesson{}), filelock.ErrLocked)
		require.NoError(t, bob.Do("same locks.json.lock", lab.Lesson{}))
	})
	t.Run("a lock file that is removed is as bad as a document that is replaced", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		_, carol := three(t, "locks.json.lock", "remove locks.json.lock")
		require.NoError(t, carol.Do("Try locks.json.lock", lab.Lesson{}), "bob has not unlocked")
	})
	t.Run("who compares the open file with the name finds out, and begins again", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t)
		bob, carol := three(t, "locks.json", "replace locks.json")
		require.ErrorIs(t, bob.Do("same locks.json", lab.Lesson{}), errOther)
		require.NoError(t, bob.Do("Unlock locks.json", lab.Lesson{}))
		require.NoError(t, bob.Do("Lock locks.json", lab.Lesson{}))
		require.NoError(t, bob.Do("same locks.json", lab.Lesson{}))
		require.ErrorIs(t, carol.Do("Try locks.json", lab.Lesson{}), filelock.ErrLocked)
	})
	t.Run("to open a document for its lock creates the document", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Dir(lab.Path(t, "locks.json"))
		require.NoError(t, start(t, dir).Do("Lock locks.json", lab.Lesson{}))
		content, err := os.ReadFile(filepath.Join(dir, "locks.json"))
		if err == nil { // on Windows the lock keeps readers out
			require.Empty(t, content)
		}
		require.FileExists(t, filepath.Join(dir, "locks.json"))
	})
}
