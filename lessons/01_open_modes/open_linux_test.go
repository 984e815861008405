package openmodes_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() { workersOfThisSystem["write file"] = writeFile }

func writeFile(w *lab.Worker) error { return os.WriteFile(w.Arg(0), []byte("{}"), 0o600) }

// What Linux does where POSIX leaves it open, or says nothing.
func TestLinux(t *testing.T) {
	t.Parallel()
	// open(2), NOTES: "The (undefined) effect of O_RDONLY | O_TRUNC varies among implementations."
	t.Run("O_RDONLY with O_TRUNC empties the file on Linux", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
		openFile(t, path, os.O_RDONLY|os.O_TRUNC)
		requireContent(t, "", path)
	})
	// open(2), O_EXCL: "In general, the behavior of O_EXCL is undefined if it is used without O_CREAT."
	t.Run("O_EXCL without O_CREATE opens an existing file on Linux", func(t *testing.T) {
		path := lab.WriteFile(t, "bracket.ticket", "alice")
		_, err := openFile(t, path, os.O_WRONLY|os.O_EXCL).WriteString("bob")
		require.NoError(t, err)
		requireContent(t, "bobce", path)
	})
	// acl(5), OBJECT CREATION AND DEFAULT ACLs; umask(2).
	t.Run("in a directory with a default ACL the umask is ignored", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		giveDefaultACL(t, dir)
		created, _ := modesUnder(t, 0o077, 0o666, filepath.Join(dir, "locks.json"))
		require.Equal(t, fs.FileMode(0o666), created)
		created, _ = modesUnder(t, 0o077, 0o666, lab.Path(t, "locks.json"))
		require.Equal(t, fs.FileMode(0o600), created, "in a directory without one")
	})
}

// giveDefaultACL gives a directory the default ACL user::rwx group::rwx other::rwx. The layout of the attribute is that of the kernel's
// posix_acl_xattr.h: a version, and for each entry a tag, its permission and an id.
func giveDefaultACL(t *testing.T, dir string) {
	t.Helper()
	const version, owner, group, others, all, noID = 2, 0x01, 0x04, 0x20, 7, 1<<32 - 1
	acl := binary.LittleEndian.AppendUint32(nil, version)
	for _, tag := range []uint16{owner, group, others} {
		acl = binary.LittleEndian.AppendUint16(acl, tag)
		acl = binary.LittleEndian.AppendUint16(acl, all)
		acl = binary.LittleEndian.AppendUint32(acl, noID)
	}
	err := unix.Setxattr(dir, "system.posix_acl_default", acl, 0)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("the file system of the temporary directory has no access control lists")
	}
	require.NoError(t, err)
}

// os.WriteFile when the kernel refuses the write (Go's os package, WriteFile: "a failure mid-operation can leave the file in a partially
// written state"), and on a disk that is really full.
func TestRefusedWrites(t *testing.T) {
	t.Parallel()
	t.Run("os.WriteFile whose write is refused leaves an empty file where there was a document", func(t *testing.T) {
		t.Parallel()
		lab.EachErrno(t, func(t *testing.T, errno error) {
			path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
			err := lab.Trace(t, lab.Rule{Calls: trace.Writes, Paths: []string{path}, Fail: errno}, lab.Options{}, "write file", path).Wait()
			require.ErrorIs(t, err, errno)
			requireContent(t, "", path)
		}, syscall.ENOSPC, syscall.EIO)
	})
	t.Run("on a full tmpfs os.WriteFile of a document as short as the old one succeeds", func(t *testing.T) {
		old, new := bytes.Repeat([]byte("o"), 62), bytes.Repeat([]byte("n"), 62)
		path := onFullDisk(t, old)
		require.NoError(t, os.WriteFile(path, new, 0o600))
		requireContent(t, string(new), path)
	})
	t.Run("on a full tmpfs os.WriteFile of a longer document leaves its first 4096 bytes", func(t *testing.T) {
		old, new := bytes.Repeat([]byte("o"), 45), bytes.Repeat([]byte("n"), 20<<10)
		path := onFullDisk(t, old)
		require.ErrorIs(t, os.WriteFile(path, new, 0o600), syscall.ENOSPC)
		requireContent(t, string(new[:os.Getpagesize()]), path)
	})
}

// onFullDisk writes the document to a file system of its own, and fills what is left of it.
func onFullDisk(t *testing.T, document []byte) (path string) {
	t.Helper()
	dir, kind := lab.SmallDisk(t, 16*int64(os.Getpagesize()))
	require.Equal(t, "tmpfs", kind)
	path = filepath.Join(dir, "locks.json")
	require.NoError(t, os.WriteFile(path, document, 0o600))
	filler := openFile(t, filepath.Join(dir, "filler"), os.O_WRONLY|os.O_CREATE)
	for {
		if _, err := filler.Write(make([]byte, 1<<10)); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			return path
		}
	}
}
