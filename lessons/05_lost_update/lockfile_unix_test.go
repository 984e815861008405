//go:build unix

package lostupdate_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func init() { workers["hold, then remove"] = holdThenRemove }

// holdThenRemove is hold with a clean-up: it removes the lock file before it lets go.
func holdThenRemove(w *lab.Worker) error {
	guard := flock.New(w.Arg(0))
	if err := guard.Lock(); err != nil {
		return err
	}
	w.Reached("inside")
	return errors.Join(os.Remove(w.Arg(0)), guard.Unlock())
}

// unlink(2): a file that processes have open remains until the last descriptor is closed, without a name. flock(2): the lock
// belongs to the open file description, which stays with the old file. SQLite, "How To Corrupt An SQLite Database File", 2.4.
func TestLockFileThatIsAnotherOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, worker string }{
		{"a lock file that is removed on release lets two in at once", "hold, then remove"},
		{"a lock on the document lets two in at once when the holder replaces the document", "hold, then replace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "counter.json", `{"counter":41}`)
			alice := lab.Start(t, c.worker, path)
			alice.Reached("inside")
			bob := lab.Start(t, "hold", path)
			bob.WaitBlocked()
			alice.Continue()
			require.NoError(t, alice.Wait())
			bob.Reached("inside")
			carol := lab.Start(t, "hold", path)
			carol.Reached("inside") // and Bob is still there
		})
	}

	t.Run("a lock file that stays lets one in after the other", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		alice := lab.Start(t, "hold", path)
		alice.Reached("inside")
		bob := lab.Start(t, "hold", path)
		bob.WaitBlocked()
		alice.Continue()
		require.NoError(t, alice.Wait())
		bob.Reached("inside")
		carol := lab.Start(t, "hold", path)
		carol.WaitBlocked()
	})

	t.Run("a lock on the document itself serves while the document is rewritten in place", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 41)
		guard := flock.New(path)
		require.NoError(t, guard.Lock())
		bob := lab.Start(t, "hold", path)
		bob.WaitBlocked()
		require.NoError(t, writeCounter(path, 42)) // truncates and writes: the same file
		bob.WaitBlocked()
		require.NoError(t, guard.Unlock())
		bob.Reached("inside")
		require.False(t, tryLock(t, path))
	})

	t.Run("a lock beside a symbolic link is another one than the lock beside its target", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 41)
		link := filepath.Join(t.TempDir(), "counter.json")
		require.NoError(t, os.Symlink(path, link))
		guard := flock.New(path + ".lock")
		require.NoError(t, guard.Lock())
		require.True(t, tryLock(t, link+".lock"))
		require.NoError(t, guard.Unlock())
	})

	t.Run("the lock file has mode 0600", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		require.True(t, tryLock(t, path))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	})

	t.Run("another user gets an error, not the lock", func(t *testing.T) {
		t.Parallel()
		if os.Getuid() != 0 {
			t.Skip("only root can start a process as another user")
		}
		path := filepath.Join(lab.SharedDir(t), "counter.json.lock")
		require.True(t, tryLock(t, path))
		worker := lab.Launch(t, lab.Options{Unprivileged: true}, "hold", path)
		require.ErrorIs(t, worker.Wait(), fs.ErrPermission)
	})
}

// Python, fcntl.flock: "Perform the lock operation op on file descriptor fd"; open: the buffer is flushed when it is full, by
// flush, or by close.
func TestPython(t *testing.T) {
	t.Parallel()
	python := lab.Python(t)
	run := func(t *testing.T, path, program string) string {
		t.Helper()
		output, err := exec.CommandContext(t.Context(), python, "-c", program, path).CombinedOutput()
		require.NoError(t, err, string(output))
		return strings.TrimSpace(string(output))
	}

	t.Run("fcntl.flock of a Python program and a Flock keep each other out", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		guard := flock.New(path)
		require.NoError(t, guard.Lock())
		require.Equal(t, "kept out", run(t, path, `
import fcntl, sys
with open(sys.argv[1]) as lock:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("got in")
    except BlockingIOError:
        print("kept out")`))
		require.NoError(t, guard.Unlock())
	})

	t.Run("LOCK_SH of a Python program lets a shared lock in and keeps an exclusive one out", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "counter.json.lock")
		guard := flock.New(path)
		require.NoError(t, guard.RLock())
		require.Equal(t, "shared, not exclusive", run(t, path, `
import fcntl, sys
with open(sys.argv[1]) as one, open(sys.argv[1]) as two:
    fcntl.flock(one, fcntl.LOCK_SH)
    try:
        fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("shared, not exclusive")`))
		require.NoError(t, guard.Unlock())
	})

	t.Run("what a Python program has written before LOCK_UN may reach the file after it", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "counter.json", `{"counter":41}`)
		require.Equal(t, `{"counter":41}`, run(t, path, `
import fcntl, json, sys
with open(sys.argv[1], "r+") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    json.dump({"counter": 42}, file)
    fcntl.flock(file, fcntl.LOCK_UN)
    print(open(sys.argv[1]).read())`))
	})
}
