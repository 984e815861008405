package lockfiles_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// The breakers below find the lock file PATH of a dead owner and make one of their own: PATH OWNER. Each is right as long as no other
// process does the same.

// breakByName removes the lock that it has judged, by its name.
func breakByName(w *lab.Worker) error {
	if _, err := os.ReadFile(w.Arg(0)); err != nil {
		return err
	}
	w.Reached("judged")
	if err := os.Remove(w.Arg(0)); err != nil {
		return err
	}
	return holdNew(w)
}

// readAgain reads the lock once more before it removes it.
func readAgain(w *lab.Worker) error {
	judged, err := os.ReadFile(w.Arg(0))
	if err != nil {
		return err
	}
	now, err := os.ReadFile(w.Arg(0))
	if err != nil {
		return err
	}
	if string(now) != string(judged) {
		return errors.New("another process was faster")
	}
	w.Reached("read again")
	if err := os.Remove(w.Arg(0)); err != nil {
		return err
	}
	return holdNew(w)
}

// moveAside moves the file away and reads what it has moved. If that is not the lock that it judged, it puts it back.
func moveAside(w *lab.Worker) error {
	path, aside := w.Arg(0), w.Arg(0)+".aside."+w.Arg(1)
	judged, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	w.Reached("judged")
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	moved, err := os.ReadFile(aside)
	if err != nil {
		return err
	}
	if string(moved) != string(judged) {
		w.Reached("has the wrong one")
		return os.Link(aside, path) // refuses a name that is taken
	}
	return holdNew(w)
}

// lockForBreakers takes a lock for breakers before it removes the lock.
func lockForBreakers(w *lab.Worker) error {
	if err := os.Mkdir(w.Arg(0)+".breaking", 0o700); err != nil {
		return err
	}
	w.Reached("breaking")
	if err := os.Remove(w.Arg(0)); err != nil {
		return err
	}
	if err := os.Remove(w.Arg(0) + ".breaking"); err != nil {
		return err
	}
	return holdNew(w)
}

func holdNew(w *lab.Worker) error {
	if err := create(w.Arg(0), w.Arg(1)); err != nil {
		return err
	}
	w.Reached("holding")
	return nil
}

// stale returns the path of a lock file whose owner is dead.
func stale(t *testing.T) string {
	t.Helper()
	path := lab.Path(t, "locks.json.lock")
	require.NoError(t, create(path, "a dead owner"))
	return path
}

func TestBreaking(t *testing.T) {
	t.Parallel()

	t.Run("of two breakers the slower one removes the fresh lock of the faster one", func(t *testing.T) {
		t.Parallel()
		path := stale(t)
		alice, bob := lab.Start(t, "break by name", path, "alice"), lab.Start(t, "break by name", path, "bob")
		alice.Reached("judged")
		bob.Reached("judged")
		bob.Continue()
		bob.Reached("holding")
		require.Equal(t, "bob", read(t, path))
		alice.Continue()
		alice.Reached("holding")
		require.Equal(t, "alice", read(t, path), "and Bob is at work")
	})

	t.Run("a second read before the Remove leaves a gap after it", func(t *testing.T) {
		t.Parallel()
		path := stale(t)
		alice, bob := lab.Start(t, "read again", path, "alice"), lab.Start(t, "read again", path, "bob")
		alice.Reached("read again")
		bob.Reached("read again")
		bob.Continue()
		bob.Reached("holding")
		alice.Continue()
		alice.Reached("holding")
		require.Equal(t, "alice", read(t, path), "and Bob is at work")
	})

	t.Run("a lock that is moved aside is missing until it is put back, which can be too late", func(t *testing.T) {
		t.Parallel()
		path := stale(t)
		alice, bob := lab.Start(t, "move aside", path, "alice"), lab.Start(t, "move aside", path, "bob")
		alice.Reached("judged")
		bob.Reached("judged")
		bob.Continue()
		bob.Reached("holding")
		alice.Continue()
		alice.Reached("has the wrong one") // Bob's, who is at work
		require.NoError(t, create(path, "carol"))
		alice.Continue()
		require.ErrorIs(t, alice.Wait(), os.ErrExist, "Bob and Carol have the lock, and Alice cannot mend it")
	})

	t.Run("a breaker that dies leaves the lock for breakers", func(t *testing.T) {
		t.Parallel()
		path := stale(t)
		alice := lab.Start(t, "lock for breakers", path, "alice")
		alice.Reached("breaking")
		alice.Kill()
		require.ErrorIs(t, lab.Run(t, "lock for breakers", path, "bob"), os.ErrExist)
		require.Equal(t, "a dead owner", read(t, path), "and so it stays")
	})

	t.Run("an owner that removes its lock by name removes the next owner's", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		alice := lab.Start(t, "lock", path, "alice")
		alice.Reached("holding")
		require.NoError(t, os.Remove(path), "another process judges her dead, wrongly")
		require.NoError(t, create(path, "bob"))
		alice.Continue()
		require.NoError(t, alice.Wait(), "she gets no error")
		require.NoFileExists(t, path, "and Bob is at work")
	})

	t.Run("a file named after its owner can be removed late and twice without harm to another lock", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		require.NoError(t, makeDirectoryLock(path, "dead"))
		require.NoError(t, os.Remove(filepath.Join(path, "owner.dead")), "Bob breaks it")
		require.NoError(t, os.Remove(path))
		require.NoError(t, makeDirectoryLock(path, "bob"))
		require.ErrorIs(t, os.Remove(filepath.Join(path, "owner.dead")), os.ErrNotExist, "Alice comes late")
		require.Error(t, os.Remove(path), "and the directory is not empty")
		require.Equal(t, "bob", read(t, filepath.Join(path, "owner.bob")))
	})
}

func TestDirectories(t *testing.T) {
	t.Parallel()

	// rmdir(2): "deletes a directory, which must be empty". Microsoft, RemoveDirectory: "Deletes an existing empty directory."
	t.Run("os.Remove removes an empty directory and no other", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		require.NoError(t, makeDirectoryLock(path, "alice"))
		require.Error(t, os.Remove(path))
		require.Equal(t, "alice", read(t, filepath.Join(path, "owner.alice")))
		require.NoError(t, os.Remove(filepath.Join(path, "owner.alice")))
		require.NoError(t, os.Remove(path))
	})

	// path_resolution(7): "If a pathname ends in a '/', that forces resolution of the preceding component as […] a directory".
	t.Run("with a separator at the end of the name os.Remove removes no file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json.lock", "4711")
		require.Error(t, os.Remove(path+string(os.PathSeparator)))
		require.Equal(t, "4711", read(t, path))
		dir := t.TempDir()
		require.NoError(t, os.Remove(dir+string(os.PathSeparator)))
	})

	t.Run("os.Rename puts a directory in place with all that is in it, and refuses where another is", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		require.NoError(t, makeDirectoryLock(path, "alice"))
		require.Error(t, makeDirectoryLock(path, "bob"))
		require.Equal(t, "alice", read(t, filepath.Join(path, "owner.alice")))
		require.NoFileExists(t, filepath.Join(path, "owner.bob"))
	})

	// Go, os.Rename: "If newpath already exists and is not a directory, Rename replaces it."
	t.Run("os.Rename refuses even an empty directory", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		require.NoError(t, os.Mkdir(path, 0o700))
		require.Error(t, makeDirectoryLock(path, "alice"))
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Rename(path+".alice", path))
	})
}
