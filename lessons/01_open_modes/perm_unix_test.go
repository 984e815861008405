//go:build unix

package openmodes_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var workersOfThisSystem = lab.Workers{
	"create with umask": createWithUmask,
	"create and write":  createAndWrite,
	"hold flock":        holdFlock,
}

// createWithUmask sets the umask of its process and creates a file: umask, perm, path. It reports the mode that the file
// got, and the mode after a Chmod to the same perm.
func createWithUmask(w *lab.Worker) error {
	mask, err := strconv.ParseUint(w.Arg(0), 8, 32)
	if err != nil {
		return err
	}
	perm, err := strconv.ParseUint(w.Arg(1), 8, 32)
	if err != nil {
		return err
	}
	syscall.Umask(int(mask))
	f, err := os.OpenFile(w.Arg(2), os.O_WRONLY|os.O_CREATE, fs.FileMode(perm))
	if err != nil {
		return err
	}
	defer f.Close()
	var modes [2]fs.FileMode
	for i := range modes {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		modes[i] = info.Mode().Perm()
		if err := f.Chmod(fs.FileMode(perm)); err != nil {
			return err
		}
	}
	return w.Result(modes)
}

func modesUnder(t *testing.T, mask, perm fs.FileMode, path string) (created, changed fs.FileMode) {
	t.Helper()
	worker := lab.Start(t, "create with umask", strconv.FormatUint(uint64(mask), 8), strconv.FormatUint(uint64(perm), 8), path)
	var modes [2]fs.FileMode
	worker.Result(&modes)
	require.NoError(t, worker.Wait())
	return modes[0], modes[1]
}

// createAndWrite creates a file with the given perm and writes through the same handle: perm, path.
func createAndWrite(w *lab.Worker) error {
	perm, err := strconv.ParseUint(w.Arg(0), 8, 32)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(w.Arg(1), os.O_WRONLY|os.O_CREATE, fs.FileMode(perm))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("{}")
	return err
}

// perm and umask (open(2), mode: "the mode of the created file is (mode & ~umask)"; umask(2)). The umask belongs to the
// process, so only workers set it.
func TestPermission(t *testing.T) {
	t.Parallel()
	t.Run("a new file gets perm without the bits of the umask", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct{ perm, mask, want fs.FileMode }{
			{0o666, 0o000, 0o666},
			{0o666, 0o022, 0o644},
			{0o666, 0o077, 0o600},
			{0o600, 0o022, 0o600},
			{0o660, 0o027, 0o640},
		} {
			got, _ := modesUnder(t, c.mask, c.perm, lab.Path(t, "locks.json"))
			require.Equal(t, c.want, got, "perm %o, umask %o", c.perm, c.mask)
		}
	})
	t.Run("perm does not change an existing file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "{}") // 0o600
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
		require.NoError(t, err)
		defer f.Close()
		info, err := f.Stat()
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	})
	t.Run("Chmod is not subject to the umask", func(t *testing.T) {
		t.Parallel()
		created, changed := modesUnder(t, 0o077, 0o666, lab.Path(t, "locks.json"))
		require.Equal(t, fs.FileMode(0o600), created)
		require.Equal(t, fs.FileMode(0o666), changed)
	})
	t.Run("666 without 0o gives -w--wx-w-", func(t *testing.T) {
		t.Parallel()
		//lint:ignore SA9002 the forgotten 0o is what this test is about
		got, _ := modesUnder(t, 0, 666, lab.Path(t, "locks.json"))
		require.Equal(t, "--w--wx-w-", got.String()) // the first character says that it is not a directory
	})
	t.Run("perm does not limit the handle that created the file", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		require.NoError(t, lab.Launch(t, lab.Options{Unprivileged: true}, "create and write", "0", path).Wait())
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, int64(2), info.Size())
		require.Zero(t, info.Mode().Perm())
	})
	t.Run("perm 0 makes a file that its own creator cannot open again", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		require.NoError(t, lab.Launch(t, lab.Options{Unprivileged: true}, "create and write", "0", path).Wait())
		require.ErrorIs(t, openAsOrdinaryUser(t, path, os.O_RDONLY), fs.ErrPermission)
		require.ErrorIs(t, openAsOrdinaryUser(t, path, os.O_RDWR|os.O_CREATE), fs.ErrPermission)
	})
	t.Run("a file that may be written and not read opens with O_WRONLY, and is refused with O_RDWR", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(lab.SharedDir(t), "history.log")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Chmod(path, 0o222))
		require.NoError(t, openAsOrdinaryUser(t, path, os.O_WRONLY|os.O_APPEND))
		require.ErrorIs(t, openAsOrdinaryUser(t, path, os.O_RDWR|os.O_APPEND), fs.ErrPermission)
	})
	t.Run("a directory that may not be written refuses a new file, and lets old ones be written", func(t *testing.T) {
		t.Parallel()
		dir := lab.SharedDir(t)
		old := filepath.Join(dir, "locks.json")
		require.NoError(t, os.WriteFile(old, nil, 0o600))
		require.NoError(t, os.Chmod(old, 0o666))
		require.NoError(t, os.Chmod(dir, 0o555))
		t.Cleanup(func() { require.NoError(t, os.Chmod(dir, 0o755)) }) // so that it can be removed
		require.NoError(t, openAsOrdinaryUser(t, old, os.O_RDWR|os.O_CREATE))
		require.ErrorIs(t, openAsOrdinaryUser(t, filepath.Join(dir, "new.json"), os.O_RDWR|os.O_CREATE), fs.ErrPermission)
	})
	t.Run("root is stopped by no permission", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("only root can show this")
		}
		path := lab.WriteFile(t, "locks.json", "{}")
		require.NoError(t, os.Chmod(path, 0))
		openFile(t, path, os.O_RDWR)
	})
}

// What each Unix does alike, and Windows otherwise.
func TestUnixFlags(t *testing.T) {
	t.Parallel()
	t.Run("flags without an access mode open for reading only", func(t *testing.T) {
		path := lab.WriteFile(t, "history.log", "one\n")
		_, err := openFile(t, path, os.O_APPEND|os.O_CREATE).WriteString("two\n")
		require.ErrorIs(t, err, syscall.EBADF)
		require.EqualError(t, err, fmt.Sprintf("write %s: bad file descriptor", path))
	})
	// open(2), O_EXCL: "symbolic links are not followed".
	t.Run("O_EXCL refuses a symbolic link, even one that leads nowhere", func(t *testing.T) {
		path := lab.Path(t, "bracket.ticket")
		require.NoError(t, os.Symlink("elsewhere", path))
		_, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		require.ErrorIs(t, err, fs.ErrExist)
		require.NoFileExists(t, filepath.Join(filepath.Dir(path), "elsewhere"))
	})
	t.Run("Create follows a link that Stat reports missing, and creates the file at its end", func(t *testing.T) {
		path := lab.Path(t, "bracket.ticket")
		require.NoError(t, os.Symlink("elsewhere", path))
		_, err := os.Stat(path)
		require.ErrorIs(t, err, fs.ErrNotExist)
		f, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.FileExists(t, filepath.Join(filepath.Dir(path), "elsewhere"))
	})
	// flock(2): advisory; open(2) asks no lock.
	t.Run("O_TRUNC empties a file that another process has locked", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
		holder := lab.Start(t, "hold flock", path)
		holder.Reached("locked")
		openFile(t, path, os.O_RDWR|os.O_TRUNC)
		requireContent(t, "", path)
		holder.Continue()
		require.NoError(t, holder.Wait())
	})
	// path_resolution(7): a component of the prefix that is not a directory is ENOTDIR.
	t.Run("a file in the place of a directory is ENOTDIR, which is not ErrNotExist", func(t *testing.T) {
		path := lab.WriteFile(t, "tickets", "")
		_, err := os.Open(filepath.Join(path, "bracket.ticket"))
		require.ErrorIs(t, err, syscall.ENOTDIR)
		require.NotErrorIs(t, err, fs.ErrNotExist)
	})
}

// Programs that are started, and names that a user chose (open(2), O_CLOEXEC; Go's os package, Root).
func TestWhoElse(t *testing.T) {
	t.Parallel()
	t.Run("a file that os.OpenFile has opened is close-on-exec", func(t *testing.T) {
		f := openFile(t, lab.WriteFile(t, "locks.json", "{}"), os.O_RDWR)
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		require.NoError(t, err)
		require.Equal(t, unix.FD_CLOEXEC, flags&unix.FD_CLOEXEC)
	})
	t.Run("os.Root refuses a name that leads out of its directory", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "outside"), []byte("alice"), 0o600))
		require.NoError(t, os.Mkdir(filepath.Join(dir, "parts"), 0o700))
		require.NoError(t, os.Symlink("../outside", filepath.Join(dir, "parts", "link")))
		root, err := os.OpenRoot(filepath.Join(dir, "parts"))
		require.NoError(t, err)
		defer root.Close()
		for _, name := range []string{"../outside", "link"} {
			_, err := os.Open(filepath.Join(dir, "parts", name))
			require.NoError(t, err, name)
			_, err = root.OpenFile(name, os.O_RDWR, 0)
			require.ErrorContains(t, err, "path escapes from parent", name)
		}
	})
}

func holdFlock(w *lab.Worker) error {
	f, err := os.OpenFile(w.Arg(0), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	w.Reached("locked")
	return nil
}

// FIFOs (fifo(7)).
func TestFIFO(t *testing.T) {
	t.Parallel()
	fifo := func(t *testing.T) string {
		t.Helper()
		path := lab.Path(t, "locks.json")
		require.NoError(t, unix.Mkfifo(path, 0o600))
		return path
	}
	t.Run("opening a FIFO for reading waits until a process opens it for writing", func(t *testing.T) {
		t.Parallel()
		path := fifo(t)
		reader := lab.Start(t, "open", path, strconv.Itoa(os.O_RDONLY), "0")
		reader.StillWaiting()
		openFile(t, path, os.O_WRONLY)
		require.NoError(t, reader.Wait())
	})
	t.Run("with O_NONBLOCK a FIFO opens for reading at once, and Stat tells what it is", func(t *testing.T) {
		t.Parallel()
		info, err := openFile(t, fifo(t), os.O_RDONLY|syscall.O_NONBLOCK).Stat()
		require.NoError(t, err)
		require.Equal(t, fs.ModeNamedPipe, info.Mode().Type())
		require.False(t, info.Mode().IsRegular())
	})
}
