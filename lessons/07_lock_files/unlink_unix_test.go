//go:build unix && !solaris && !aix

package lockfiles_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
)

func init() {
	workers["flock, remove"] = flockThenRemove
	workers["flock"] = flockIt
}

func openLocked(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), how); err != unix.EINTR { //nolint:errorlint // flock(2) returns bare numbers
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// flockThenRemove takes the kernel's lock on PATH, and tidies up: it removes the file, and then gives the lock back.
func flockThenRemove(w *lab.Worker) error {
	f, err := openLocked(w.Arg(0), unix.LOCK_EX)
	if err != nil {
		return err
	}
	w.Reached("holding")
	if err := os.Remove(w.Arg(0)); err != nil {
		return err
	}
	return f.Close()
}

// flockIt waits for the kernel's lock on PATH, sends whether PATH still is the file that it has locked, and holds it.
func flockIt(w *lab.Worker) error {
	f, err := openLocked(w.Arg(0), unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer f.Close()
	locked, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(w.Arg(0))
	if err := w.Result(err == nil && os.SameFile(locked, named)); err != nil {
		return err
	}
	w.Reached("holding")
	return nil
}

func TestTheUnlinkRace(t *testing.T) {
	t.Parallel()

	// unlink(2): "If the name was the last link to a file but any processes still have the file open, the file will remain in
	// existence until the last file descriptor referring to it is closed." flock(2): the lock is on the open file, not on a name.
	t.Run("a kernel lock whose file is removed by its owner gets two owners", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		alice := lab.Start(t, "flock, remove", path)
		alice.Reached("holding")
		bob := lab.Start(t, "flock", path)
		bob.WaitBlocked()
		alice.Continue()
		require.NoError(t, alice.Wait())
		var same bool
		bob.Result(&same)
		bob.Reached("holding") // the old file, which has no name any more

		carol, err := openLocked(path, unix.LOCK_EX|unix.LOCK_NB)
		require.NoError(t, err, "Carol has the lock, and Bob has it")
		require.NoError(t, carol.Close())
		require.False(t, same, "had Bob compared the file with the name, he would have known")
	})

	t.Run("a kernel lock whose file stays keeps the third process out", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		alice := lab.Start(t, "kernel lock", path)
		alice.Reached("holding")
		bob := lab.Start(t, "flock", path)
		bob.WaitBlocked()
		alice.Continue()
		require.NoError(t, alice.Wait())
		var same bool
		bob.Result(&same)
		bob.Reached("holding")
		require.True(t, same)
		_, err := openLocked(path, unix.LOCK_EX|unix.LOCK_NB)
		require.ErrorIs(t, err, unix.EWOULDBLOCK)
	})

	// inode(7): a number belongs to one file of a file system at a time. It is free when the last name and the last descriptor are
	// gone, and no document says how soon it is given away again.
	t.Run("the number of a file that is gone is given to a new one, and os.SameFile mistakes one for the other", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		const tries = 1000
		for range tries {
			gone := makeAndStat(t, path)
			require.NoError(t, os.Remove(path))
			fresh := makeAndStat(t, path)
			require.NoError(t, os.Remove(path))
			if os.SameFile(gone, fresh) {
				return
			}
		}
		t.Skipf("this file system gave none of %d new files the number of the one before", tries)
	})

	t.Run("the number of a file that is open is given to no other", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		for range 100 {
			open, err := os.Create(path)
			require.NoError(t, err)
			require.NoError(t, os.Remove(path))
			fresh := makeAndStat(t, path)
			ours, err := open.Stat()
			require.NoError(t, err)
			require.False(t, os.SameFile(ours, fresh))
			require.NoError(t, open.Close())
			require.NoError(t, os.Remove(path))
		}
	})
}

func makeAndStat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info
}

func TestRenameOfTheSystem(t *testing.T) {
	t.Parallel()
	// rename(2): "oldpath can specify a directory. In this case, newpath must either not exist, or it must specify an empty directory."
	t.Run("rename(2) replaces an empty directory and no other", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "locks.json.lock")
		require.NoError(t, os.Mkdir(path, 0o700))
		require.NoError(t, makeDirectoryLock(path+".a", "alice"))
		require.NoError(t, makeDirectoryLock(path+".b", "bob"))
		require.NoError(t, unix.Rename(path+".a", path))
		require.ErrorIs(t, unix.Rename(path+".b", path), os.ErrExist)
	})
}
