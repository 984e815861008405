package lockfiles_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// lock creates the lock file PATH for OWNER, and holds it.
func lock(w *lab.Worker) error {
	if err := create(w.Arg(0), w.Arg(1)); err != nil {
		return err
	}
	w.Reached("holding")
	return os.Remove(w.Arg(0))
}

// createThenSign is lock, but it stands still before it writes the owner's name.
func createThenSign(w *lab.Worker) error {
	f, err := os.OpenFile(w.Arg(0), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Reached("created")
	_, err = f.WriteString(w.Arg(1))
	return err
}

// exitWithLock creates the lock file PATH, defers its removal, and exits.
func exitWithLock(w *lab.Worker) error {
	if err := create(w.Arg(0), "alice"); err != nil {
		return err
	}
	defer os.Remove(w.Arg(0))
	os.Exit(1)
	return nil
}

// kernelLock takes the kernel's lock on PATH, and holds it.
func kernelLock(w *lab.Worker) error {
	guard := flock.New(w.Arg(0))
	if err := guard.Lock(); err != nil {
		return err
	}
	w.Reached("holding")
	return guard.Unlock()
}

func TestALockFile(t *testing.T) {
	t.Parallel()

	// open(2), O_EXCL: "this call creates the file"; "if […] pathname already exists, then open() fails with the error EEXIST".
	t.Run("O_EXCL lets one process in, and the next one gets fs.ErrExist", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		alice := lab.Start(t, "lock", path, "alice")
		alice.Reached("holding")
		require.ErrorIs(t, lab.Run(t, "lock", path, "bob"), os.ErrExist)
		alice.Continue()
		require.NoError(t, alice.Wait())
		require.NoError(t, create(path, "bob"))
	})

	t.Run("a killed owner leaves its lock file, and no process gets in any more", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		alice := lab.Start(t, "lock", path, "alice")
		alice.Reached("holding")
		alice.Kill()
		require.ErrorIs(t, create(path, "bob"), os.ErrExist)
		require.Equal(t, "alice", read(t, path))
	})

	// flock(2): "the lock is released either by an explicit LOCK_UN operation on any of these duplicate file descriptors, or
	// when all such file descriptors have been closed". _exit(2): "Any open file descriptors belonging to the process are closed."
	t.Run("a kernel lock is free when its owner is dead, and its file stays", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		alice := lab.Start(t, "kernel lock", path)
		alice.Reached("holding")
		bob := flock.New(path)
		free, err := bob.TryLock()
		require.NoError(t, err)
		require.False(t, free)
		alice.Kill()
		require.FileExists(t, path)
		require.NoError(t, bob.Lock()) // Windows may take a moment to free it
		require.NoError(t, bob.Unlock())
	})

	// os.Exit: "The program terminates immediately; deferred functions are not run."
	t.Run("os.Exit leaves the lock file despite a deferred Remove", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		require.Error(t, lab.Run(t, "exit with the lock", path), "the worker is gone before its function returns")
		require.FileExists(t, path)
	})

	t.Run("between O_EXCL and the write the lock file is empty, and a kill leaves it empty", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		alice := lab.Start(t, "create, then sign", path, "alice")
		alice.Reached("created")
		require.Empty(t, read(t, path))
		alice.Kill()
		require.Empty(t, read(t, path))
	})

	// os.OpenFile: O_TRUNC, "truncate regular writable file when opened".
	t.Run("a refused process that opens the lock file with O_TRUNC erases the owner's name", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		require.NoError(t, create(path, "alice"))
		bob, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, bob.Close())
		require.Empty(t, read(t, path))
	})

	// utimensat(2); os.Chtimes. Whoever may write the file may set its times.
	t.Run("the age of a lock file says nothing about its owner", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		alice := lab.Start(t, "lock", path, "alice")
		alice.Reached("holding")
		age := func(modified time.Time) time.Duration {
			require.NoError(t, os.Chtimes(path, modified, modified))
			info, err := os.Stat(path)
			require.NoError(t, err)
			return time.Since(info.ModTime())
		}
		require.Greater(t, age(time.Now().Add(-24*time.Hour)), 23*time.Hour, "a day old, and its owner is at work")
		require.Less(t, age(time.Now().Add(24*time.Hour)), -23*time.Hour, "from tomorrow: it looks fresh for a day, even if its owner dies")
		alice.Continue()
		require.NoError(t, alice.Wait(), "the owner was alive all the time")
	})
}

func TestOtherWaysToMakeOne(t *testing.T) {
	t.Parallel()

	// link(2): "If newpath exists, it will not be overwritten."
	t.Run("os.Link puts a lock file in place with its content, or fails if the name is taken", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		for _, owner := range []string{"alice", "bob"} {
			require.NoError(t, os.WriteFile(path+"."+owner, []byte(owner), 0o600))
		}
		require.NoError(t, os.Link(path+".alice", path))
		require.ErrorIs(t, os.Link(path+".bob", path), os.ErrExist)
		require.Equal(t, "alice", read(t, path))
	})

	// mkdir(2): EEXIST, "pathname already exists (not necessarily as a directory)".
	t.Run("os.Mkdir creates a directory for one process, and the next one gets fs.ErrExist", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		require.NoError(t, os.Mkdir(path, 0o700))
		require.ErrorIs(t, os.Mkdir(path, 0o700), os.ErrExist)
	})

	// git's lockfile.h: the lock file is created with O_EXCL, gets the new content, and is renamed over the file, "to commit
	// the changes and unlock the file".
	t.Run("a lock file that is renamed over its file publishes and unlocks in one step", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", `{}`)
		require.NoError(t, create(path+".lock", `{"bracket.step":"alice"}`))
		require.ErrorIs(t, create(path+".lock", `{"hinge.step":"bob"}`), os.ErrExist)
		require.Equal(t, `{}`, read(t, path), "readers do not wait")
		require.NoError(t, os.Rename(path+".lock", path))
		require.Equal(t, `{"bracket.step":"alice"}`, read(t, path))
		require.NoError(t, create(path+".lock", `{"hinge.step":"bob"}`))
	})

	t.Run("git refuses to work beside a lock file and names it", func(t *testing.T) {
		t.Parallel()
		git, err := exec.LookPath("git")
		if err != nil {
			t.Skip("git is not installed")
		}
		dir := t.TempDir()
		run := func(arguments ...string) (string, error) {
			command := exec.CommandContext(t.Context(), git, append([]string{"-C", dir}, arguments...)...)
			command.Env = append(os.Environ(), "LC_ALL=C",
				"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
			out, err := command.CombinedOutput()
			return string(out), err
		}
		_, err = run("init", "-q")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "part"), nil, 0o600))
		require.NoError(t, create(filepath.Join(dir, ".git", "index.lock"), ""))
		out, err := run("add", "part")
		require.Error(t, err)
		require.Contains(t, out, "index.lock")
		require.Contains(t, out, "File exists")
		require.NoError(t, os.Remove(filepath.Join(dir, ".git", "index.lock")), "git left it where it was")
		_, err = run("add", "part")
		require.NoError(t, err)
	})
}
