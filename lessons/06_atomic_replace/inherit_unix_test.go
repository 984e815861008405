//go:build unix

package atomicreplace_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func init() {
	workers["umask"] = underUmask
	workers["both ways"] = writeBothWays
	workers["write limited"] = writeLimited
}

func TestWhatARenameCarriesOver(t *testing.T) {
	t.Parallel()

	t.Run("the new file has the mode of the temp file, not that of the old one", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		require.NoError(t, os.Chmod(path, 0o664))
		require.NoError(t, replace(path, beside(path, ".tmp"), []byte(after)))
		require.Equal(t, fs.FileMode(0o600), mode(t, path))
	})

	// os.CreateTemp: "The file is created with mode 0o600 (before umask)."  umask(2): used by open(2) and mkdir(2).
	t.Run("umask is applied when a file is made and not by Chmod, and CreateTemp asks for 0600", func(t *testing.T) {
		t.Parallel()
		worker := lab.Start(t, "umask", t.TempDir())
		var modes map[string]fs.FileMode
		worker.Result(&modes)
		require.Equal(t, map[string]fs.FileMode{"OpenFile 0666": 0o640, "Chmod 0666": 0o666, "CreateTemp": 0o600}, modes)
	})

	// rename(2), EACCES and EPERM speak of the directories; unlink(2) likewise.
	t.Run("a rename asks the directory for permission and not the file that it replaces", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		write(t, path, before)
		require.NoError(t, os.Chmod(path, 0o444))
		worker := lab.Launch(t, lab.Options{Unprivileged: true}, "both ways", path)
		var got outcome
		worker.Result(&got)
		require.NoError(t, worker.Wait())
		require.True(t, got.WriteRefused, "os.WriteFile is refused")
		require.Equal(t, after, read(t, path), "the rename is not")
	})

	// rename(2), EPERM or EACCES: a directory with the sticky bit, and neither the file nor the directory is the caller's.
	t.Run("in a directory with the sticky bit a rename over another user's file is refused", func(t *testing.T) {
		t.Parallel()
		if os.Getuid() != 0 {
			t.Skip("it takes root to make a file of one user and replace it as another")
		}
		dir := lab.SharedDir(t)
		require.NoError(t, os.Chmod(dir, 0o777|fs.ModeSticky))
		path := filepath.Join(dir, "locks.json")
		write(t, path, before)
		worker := lab.Launch(t, lab.Options{Unprivileged: true}, "both ways", path)
		require.ErrorIs(t, worker.Wait(), fs.ErrPermission)
		require.Equal(t, before, read(t, path))
	})

	t.Run("the new file belongs to the user who wrote it", func(t *testing.T) {
		t.Parallel()
		if os.Getuid() != 0 {
			t.Skip("it takes root to make a file of one user and replace it as another")
		}
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		write(t, path, before)
		require.Zero(t, owner(t, path))
		worker := lab.Launch(t, lab.Options{Unprivileged: true}, "both ways", path)
		require.NoError(t, worker.Wait())
		require.Equal(t, uint32(65534), owner(t, path))
	})

	// rename(2): "if newpath refers to a symbolic link, the link will be overwritten."
	t.Run("a rename over a symbolic link replaces the link and leaves the file that it named", func(t *testing.T) {
		t.Parallel()
		file := lab.WriteFile(t, "locks.json", before)
		link := lab.Path(t, "link.json")
		require.NoError(t, os.Symlink(file, link))
		require.NoError(t, replace(link, beside(link, ".tmp"), []byte(after)))
		info, err := os.Lstat(link)
		require.NoError(t, err)
		require.True(t, info.Mode().IsRegular())
		require.Equal(t, before, read(t, file))
	})

	t.Run("filepath.EvalSymlinks refuses a link to a file that does not exist yet", func(t *testing.T) {
		t.Parallel()
		link := lab.Path(t, "link.json")
		require.NoError(t, os.Symlink("nowhere.json", link))
		_, err := filepath.EvalSymlinks(link)
		require.ErrorIs(t, err, fs.ErrNotExist)
	})

	// path_resolution(7): ".." is looked up in the directory that was reached, wherever its name stood.
	t.Run("filepath.Join resolves .. on paper, the kernel on the disk", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "deep", "er"), 0o700))
		require.NoError(t, os.Symlink(filepath.Join("deep", "er"), filepath.Join(dir, "shortcut")))
		write(t, filepath.Join(dir, "locks.json"), "beside the shortcut")
		write(t, filepath.Join(dir, "deep", "locks.json"), "above its target")
		require.Equal(t, "beside the shortcut", read(t, filepath.Join(dir, "shortcut", "..", "locks.json")))
		require.Equal(t, "above its target", read(t, dir+"/shortcut/../locks.json"))
	})

	// link(2): the names are equal. The rename gives one of them another file; unlink(2): the file lives as long as it has a name.
	t.Run("a hard link keeps the old content", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		second := beside(path, "second.json")
		require.NoError(t, os.Link(path, second))
		require.NoError(t, replace(path, beside(path, ".tmp"), []byte(after)))
		require.Equal(t, before, read(t, second))
		require.Equal(t, after, read(t, path))
	})

	// unlink(2): a file that has lost its last name exists "until the last file descriptor referring to it is closed".
	t.Run("a file that is open stays the old one, and os.SameFile tells", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		open, err := os.Open(path)
		require.NoError(t, err)
		defer open.Close()
		require.NoError(t, replace(path, beside(path, ".tmp"), []byte(after)))

		content, err := io.ReadAll(open)
		require.NoError(t, err)
		require.Equal(t, before, string(content))
		ours, err := open.Stat()
		require.NoError(t, err)
		theirs, err := os.Stat(path)
		require.NoError(t, err)
		require.False(t, os.SameFile(ours, theirs))
	})

	// Documentation/filesystems/multigrain-ts.rst of the kernel: a new file takes its time from a clock that ticks a few hundred
	// times a second; since 6.13 a file whose time was looked at gets a finer one with its next change, which a replace never makes.
	t.Run("two saves of the same size can have the same modification time", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "00000")
		last, err := os.Stat(path)
		require.NoError(t, err)
		const tries = 20_000
		for n := range tries {
			temp := beside(path, ".tmp")
			require.NoError(t, os.WriteFile(temp, fmt.Appendf(nil, "%05d", n+1), 0o600))
			require.NoError(t, os.Rename(temp, path))
			next, err := os.Stat(path)
			require.NoError(t, err)
			if next.Size() == last.Size() && next.ModTime().Equal(last.ModTime()) {
				require.Equal(t, fmt.Sprintf("%05d", n+1), read(t, path), "and the content is another one")
				return
			}
			last = next
		}
		t.Skipf("the clock of this file system gave each of %d saves a time of its own", tries)
	})
}

func TestOneNameForTwoWriters(t *testing.T) {
	t.Parallel()

	t.Run("puts half a document in place", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		temp := beside(path, "locks.json.tmp")
		alice, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		require.NoError(t, err)
		defer alice.Close()
		_, err = alice.WriteString(`{"bracket.step":"al`) // and then her process waits
		require.NoError(t, err)

		require.NoError(t, replace(path, temp, []byte(`{"hinge.step":"bob","bolt.step":"bob"}`))) // Bob's whole save, nil
		require.Equal(t, `{"hinge.step":"bob","bolt.step":"bob"}`, read(t, path))

		_, err = alice.WriteString(`ice"}`) // into the file that is now locks.json
		require.NoError(t, err)
		require.Equal(t, `{"hinge.step":"bob"ice"}t.step":"bob"}`, read(t, path))
		require.ErrorIs(t, os.Rename(temp, path), fs.ErrNotExist, "and Alice's own rename fails")
	})

	// open(2), O_EXCL: "if pathname is a symbolic link, then open() fails regardless of where the symbolic link points."
	t.Run("without O_EXCL an open follows a link that another program has planted", func(t *testing.T) {
		t.Parallel()
		victim := lab.WriteFile(t, "payroll.json", "precious")
		temp := lab.Path(t, "locks.json.tmp")
		require.NoError(t, os.Symlink(victim, temp))
		_, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		require.ErrorIs(t, err, fs.ErrExist)
		require.Equal(t, "precious", read(t, victim))
		f, err := os.Create(temp)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Empty(t, read(t, victim))
	})
}

func TestAWriteThatFails(t *testing.T) {
	t.Parallel()

	// getrlimit(2), RLIMIT_FSIZE: the file may grow to the limit and no further (EFBIG). So the kernel refuses the write.
	t.Run("leaves a file that is written in place empty, or cut", func(t *testing.T) {
		t.Parallel()
		for limit, left := range map[string]string{"0": "", "20": after[:20]} {
			path := lab.WriteFile(t, "locks.json", before)
			require.ErrorContains(t, lab.Run(t, "write limited", path, limit), "file too large")
			require.Equal(t, left, read(t, path), "limit %s", limit)
		}
	})

	t.Run("leaves a file that is to be replaced as it was", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		require.ErrorContains(t, lab.Run(t, "write limited", beside(path, ".tmp"), "20"), "file too large")
		require.Equal(t, before, read(t, path))
	})
}

// writeLimited calls os.WriteFile when a file may not grow beyond a limit: PATH LIMIT.
func writeLimited(w *lab.Worker) error {
	if err := lab.LimitFileSize(int64(w.Int(1))); err != nil {
		return err
	}
	return os.WriteFile(w.Arg(0), []byte(after), 0o600)
}

func underUmask(w *lab.Worker) error {
	syscall.Umask(0o027)
	at := func(name string) string { return filepath.Join(w.Arg(0), name) }
	made, err := os.OpenFile(at("made"), os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	changed, err := os.OpenFile(at("changed"), os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if err := changed.Chmod(0o666); err != nil {
		return err
	}
	temp, err := os.CreateTemp(w.Arg(0), "temp-*")
	if err != nil {
		return err
	}
	modes := map[string]fs.FileMode{}
	for name, f := range map[string]*os.File{"OpenFile 0666": made, "Chmod 0666": changed, "CreateTemp": temp} {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		modes[name] = info.Mode().Perm()
	}
	return w.Result(modes)
}

type outcome struct{ WriteRefused bool }

// writeBothWays tries to write a file in place, and then replaces it: PATH.
func writeBothWays(w *lab.Worker) error {
	err := os.WriteFile(w.Arg(0), []byte("in place"), 0o600)
	if err := w.Result(outcome{WriteRefused: err != nil}); err != nil {
		return err
	}
	return replace(w.Arg(0), w.Arg(0)+".tmp", []byte(after))
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func owner(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Uid
}
