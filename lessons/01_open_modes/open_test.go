// The facts of lesson 01. Each subtest is one sentence of the lesson; what differs between systems is in the files that are named
// after them.
package openmodes_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	workers := lab.Workers{
		"open":              open,
		"write a note":      writeNote,
		"claim":             claim,
		"check then create": checkThenCreate,
	}
	for name, worker := range workersOfThisSystem {
		workers[name] = worker
	}
	lab.Main(m, workers)
}

// open opens a file and closes it: path, flags, perm.
func open(w *lab.Worker) error {
	perm, err := strconv.ParseUint(w.Arg(2), 8, 32)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(w.Arg(0), w.Int(1), fs.FileMode(perm))
	if err != nil {
		return err
	}
	return f.Close()
}

// openAsOrdinaryUser opens the file in a process that permissions apply to, even if the tests run as root.
func openAsOrdinaryUser(t *testing.T, path string, flags int) error {
	t.Helper()
	return lab.Launch(t, lab.Options{Unprivileged: true}, "open", path, strconv.Itoa(flags), "666").Wait()
}

func openFile(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flags, 0o666)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() }) // a test may have closed it
	return f
}

func requireContent(t *testing.T, want, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(content))
}

// The access mode (open(2), "one of the following access modes"; Go's os package, Flags to OpenFile).
func TestAccessMode(t *testing.T) {
	t.Parallel()
	t.Run("O_RDONLY refuses a write", func(t *testing.T) {
		path := lab.WriteFile(t, "record", "alice")
		_, err := openFile(t, path, os.O_RDONLY).WriteString("bob")
		require.Error(t, err)
		requireContent(t, "alice", path)
	})
	t.Run("O_WRONLY refuses a read", func(t *testing.T) {
		_, err := io.ReadAll(openFile(t, lab.WriteFile(t, "record", "alice"), os.O_WRONLY))
		require.Error(t, err)
	})
	t.Run("O_RDWR keeps the old bytes, and the first write begins at byte 0", func(t *testing.T) {
		path := lab.WriteFile(t, "record", "alice")
		_, err := openFile(t, path, os.O_RDWR).WriteString("bob")
		require.NoError(t, err)
		requireContent(t, "bobce", path)
	})
	t.Run("O_RDONLY is 0, so no bit means read only", func(t *testing.T) {
		require.Zero(t, os.O_RDONLY)
		require.Equal(t, os.O_CREATE, os.O_RDONLY|os.O_CREATE)
	})
}

// O_CREATE (open(2), O_CREAT).
func TestCreateFlag(t *testing.T) {
	t.Parallel()
	t.Run("without O_CREATE a missing file is ErrNotExist and stays missing", func(t *testing.T) {
		path := lab.Path(t, "locks.json")
		_, err := os.OpenFile(path, os.O_RDWR, 0o666)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoFileExists(t, path)
	})
	t.Run("O_CREATE makes no missing directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tickets", "bracket.ticket")
		_, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("O_RDONLY with O_CREATE turns a typing error into an empty file", func(t *testing.T) {
		path := lab.Path(t, "lokcs.json")
		content, err := io.ReadAll(openFile(t, path, os.O_RDONLY|os.O_CREATE))
		require.NoError(t, err)
		require.Empty(t, content)
		require.FileExists(t, path)
	})
}

// O_EXCL (open(2), O_EXCL; CreateFileW, CREATE_NEW).
func TestExclusiveFlag(t *testing.T) {
	t.Parallel()
	const exclusive = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	t.Run("O_CREATE with O_EXCL refuses a name that is taken, with ErrExist", func(t *testing.T) {
		path := lab.WriteFile(t, "bracket.ticket", "alice")
		_, err := os.OpenFile(path, exclusive, 0o666)
		require.ErrorIs(t, err, fs.ErrExist)
		requireContent(t, "alice", path)
	})
	t.Run("a refused O_EXCL empties nothing, with O_TRUNC or without", func(t *testing.T) {
		path := lab.WriteFile(t, "bracket.ticket", "alice")
		_, err := os.OpenFile(path, exclusive|os.O_TRUNC, 0o666)
		require.ErrorIs(t, err, fs.ErrExist)
		requireContent(t, "alice", path)
	})
	t.Run("O_EXCL refuses a directory of that name with ErrExist too", func(t *testing.T) {
		_, err := os.OpenFile(t.TempDir(), exclusive, 0o666)
		require.ErrorIs(t, err, fs.ErrExist)
	})
	t.Run("of four processes one gets the ticket", func(t *testing.T) {
		path := lab.Path(t, "bracket.ticket")
		var crowd []*lab.Process
		for range 4 {
			crowd = append(crowd, lab.Launch(t, lab.Options{Hold: true}, "claim", path))
		}
		for _, process := range crowd {
			process.Continue()
		}
		owners := 0
		for _, process := range crowd {
			err := process.Wait()
			if err == nil {
				owners++
				continue
			}
			require.ErrorIs(t, err, fs.ErrExist)
		}
		require.Equal(t, 1, owners)
	})
	t.Run("Stat and then Create gives the ticket to two", func(t *testing.T) {
		path := lab.Path(t, "bracket.ticket")
		alice := lab.Start(t, "check then create", path, "alice")
		bob := lab.Start(t, "check then create", path, "bob")
		alice.Reached("it is free")
		bob.Reached("it is free")
		bob.Continue()
		require.NoError(t, bob.Wait())
		requireContent(t, "bob", path)
		alice.Continue()
		require.NoError(t, alice.Wait())
		requireContent(t, "alice", path)
	})
}

func claim(w *lab.Worker) error {
	f, err := os.OpenFile(w.Arg(0), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	return f.Close()
}

func checkThenCreate(w *lab.Worker) error {
	if _, err := os.Stat(w.Arg(0)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the ticket should be free: %w", err)
	}
	w.Reached("it is free")
	return os.WriteFile(w.Arg(0), []byte(w.Arg(1)), 0o666)
}

// O_TRUNC (open(2), O_TRUNC), and os.Create and os.WriteFile, which use it (Go's os package).
func TestTruncateFlag(t *testing.T) {
	t.Parallel()
	t.Run("O_TRUNC empties the file as it is opened, before anything is written", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
		openFile(t, path, os.O_RDWR|os.O_TRUNC)
		requireContent(t, "", path)
	})
	t.Run("os.Create empties an existing file", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
		f, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		requireContent(t, "", path)
	})
	t.Run("a reader that has the file open finds the end at byte 0", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
		reader := openFile(t, path, os.O_RDONLY)
		openFile(t, path, os.O_WRONLY|os.O_TRUNC)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Empty(t, content)
	})
	t.Run("Truncate empties an open file when the program says so", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
		f := openFile(t, path, os.O_RDWR)
		requireContent(t, `{"bracket.step":"alice"}`, path)
		require.NoError(t, f.Truncate(0))
		requireContent(t, "", path)
	})
}

// O_APPEND (open(2), O_APPEND; Go's os package, File.WriteAt).
func TestAppendFlag(t *testing.T) {
	t.Parallel()
	t.Run("with O_APPEND a write after Seek to 0 still lands at the end", func(t *testing.T) {
		path := lab.WriteFile(t, "history.log", "one\n")
		f := openFile(t, path, os.O_WRONLY|os.O_APPEND)
		_, err := f.Seek(0, io.SeekStart)
		require.NoError(t, err)
		_, err = f.WriteString("two\n")
		require.NoError(t, err)
		requireContent(t, "one\ntwo\n", path)
	})
	t.Run("O_APPEND finds the end anew for each write", func(t *testing.T) {
		path := lab.Path(t, "history.log")
		alice, bob := openFile(t, path, os.O_WRONLY|os.O_APPEND|os.O_CREATE), openFile(t, path, os.O_WRONLY|os.O_APPEND)
		writeInTurn(t, alice, bob)
		requireContent(t, "alice 1\nbob 1\nalice 2\n", path)
	})
	t.Run("after Seek to the end the second writer overwrites the first", func(t *testing.T) {
		path := lab.Path(t, "history.log")
		alice, bob := openFile(t, path, os.O_WRONLY|os.O_CREATE), openFile(t, path, os.O_WRONLY)
		for _, f := range []*os.File{alice, bob} {
			_, err := f.Seek(0, io.SeekEnd)
			require.NoError(t, err)
		}
		writeInTurn(t, alice, bob)
		requireContent(t, "bob 1\n1\nalice 2\n", path)
	})
	t.Run("WriteAt is refused on a file opened with O_APPEND", func(t *testing.T) {
		path := lab.WriteFile(t, "history.log", "one\n")
		_, err := openFile(t, path, os.O_RDWR|os.O_APPEND).WriteAt([]byte("two"), 0)
		require.EqualError(t, err, "os: invalid use of WriteAt on file opened with O_APPEND")
	})
	t.Run("O_RDWR with O_APPEND begins to read at byte 0", func(t *testing.T) {
		content, err := io.ReadAll(openFile(t, lab.WriteFile(t, "history.log", "one\n"), os.O_RDWR|os.O_APPEND))
		require.NoError(t, err)
		require.Equal(t, "one\n", string(content))
	})
	t.Run("O_APPEND with O_TRUNC empties once and then appends", func(t *testing.T) {
		path := lab.WriteFile(t, "history.log", "old\n")
		f := openFile(t, path, os.O_WRONLY|os.O_APPEND|os.O_TRUNC)
		for range 2 {
			_, err := f.WriteString("new\n")
			require.NoError(t, err)
		}
		requireContent(t, "new\nnew\n", path)
	})
}

func writeInTurn(t *testing.T, alice, bob *os.File) {
	t.Helper()
	for _, entry := range []struct {
		log  *os.File
		line string
	}{{alice, "alice 1\n"}, {bob, "bob 1\n"}, {alice, "alice 2\n"}} {
		_, err := entry.log.WriteString(entry.line)
		require.NoError(t, err)
	}
}

// O_SYNC (open(2), O_SYNC) and what package os says of deadlines (File.SetDeadline).
func TestOtherPromises(t *testing.T) {
	t.Parallel()
	t.Run("a write with O_SYNC shows readers the same bytes as one without", func(t *testing.T) {
		for _, flag := range []int{0, os.O_SYNC} {
			path := lab.Path(t, "locks.json")
			_, err := openFile(t, path, os.O_WRONLY|os.O_CREATE|flag).WriteString("{}")
			require.NoError(t, err)
			requireContent(t, "{}", path)
		}
	})
	t.Run("a regular file takes no deadline", func(t *testing.T) {
		f := openFile(t, lab.WriteFile(t, "locks.json", "{}"), os.O_RDWR)
		require.ErrorIs(t, f.SetDeadline(time.Unix(1, 0)), os.ErrNoDeadline)
	})
}

// Files that may only be read: on Unix by permission, on Windows by attribute, which os.Chmod sets there (Go's os package, Chmod).
func TestReadOnlyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(lab.SharedDir(t), "locks.json")
	require.NoError(t, os.WriteFile(path, []byte("{}"), 0o600))
	require.NoError(t, os.Chmod(path, 0o444))
	t.Run("a read-only file refuses to be opened for writing, with ErrPermission", func(t *testing.T) {
		require.ErrorIs(t, openAsOrdinaryUser(t, path, os.O_RDWR), fs.ErrPermission)
		require.ErrorIs(t, openAsOrdinaryUser(t, path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC), fs.ErrPermission)
		requireContent(t, "{}", path)
	})
}

// A directory is a file that only opens for reading (open(2), EISDIR; read(2), EISDIR).
func TestDirectory(t *testing.T) {
	t.Parallel()
	t.Run("a directory opens for reading, and the read fails", func(t *testing.T) {
		f := openFile(t, t.TempDir(), os.O_RDONLY)
		_, err := f.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, io.EOF)
	})
}
