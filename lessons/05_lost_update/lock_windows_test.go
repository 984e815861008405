package lostupdate_test

import (
	"os"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// Microsoft, LockFileEx: an exclusive lock denies all other processes, and other handles of the same one, read and write access.
func TestOnWindows(t *testing.T) {
	t.Parallel()
	t.Run("on Windows a document that is locked itself cannot be read through another handle", func(t *testing.T) {
		t.Parallel()
		if lab.Wine() {
			t.Skip("Wine does not enforce locks on reads and writes")
		}
		path := counterFile(t, 41)
		guard := flock.New(path)
		require.NoError(t, guard.Lock())
		_, err := os.ReadFile(path)
		require.Error(t, err)
		require.NoError(t, guard.Unlock())
		requireCounter(t, 41, path)
	})

	// Microsoft, CreateFile: without FILE_SHARE_DELETE the file cannot be removed while the handle is open.
	t.Run("on Windows a lock file that a process has open cannot be removed", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		guard := flock.New(path)
		require.NoError(t, guard.Lock())
		require.Error(t, os.Remove(path))
		require.NoError(t, guard.Unlock())
	})
}
