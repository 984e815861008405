package atomicreplace_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	workers["steps"] = allSteps
	workers["sync"] = syncOnce
}

// allSteps is replaceInSteps without a stop: PATH TEMP.
func allSteps(w *lab.Worker) error {
	f, err := os.OpenFile(w.Arg(1), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(after)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(w.Arg(1), w.Arg(0)); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(w.Arg(0)))
}

func TestTheDisk(t *testing.T) {
	t.Parallel()

	t.Run("the steps reach the system in the order in which they are written", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		temp := beside(path, ".locks.json.tmp")
		wrap, log := lab.Strace(t, "-P", temp, "-P", filepath.Dir(path), "-e", "trace=openat,write,fsync,close,renameat")
		worker := lab.Launch(t, lab.Options{Wrap: wrap}, "steps", path, temp)
		require.NoError(t, worker.Wait())
		require.Equal(t, "openat write fsync close renameat openat fsync close", strings.Join(callNames(t, log), " "))
	})

	// rename(2), EXDEV: "oldpath and newpath are not on the same mounted filesystem."
	t.Run("a rename to another file system fails with EXDEV", func(t *testing.T) {
		t.Parallel()
		here, there := lab.WriteFile(t, "locks.json", before), filepath.Join(fastDir(t), "locks.json")
		if device(t, filepath.Dir(here)) == device(t, filepath.Dir(there)) {
			t.Skip("this machine has no second file system at /dev/shm")
		}
		require.ErrorIs(t, os.Rename(here, there), syscall.EXDEV)
		require.Equal(t, before, read(t, here))
	})

	// fsync(2), EIO. strace stands for the disk here; docs/tools/powercut does it with a real file system.
	t.Run("a disk's refusal is an error of Sync", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		wrap, _ := lab.Strace(t, "-P", path, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1")
		worker := lab.Launch(t, lab.Options{Wrap: wrap}, "sync", path)
		require.ErrorContains(t, worker.Wait(), "sync "+path+": input/output error")
	})

	// xattr(7): they "are extensions to the normal attributes which are associated with all inodes", and a rename brings another inode.
	t.Run("extended attributes stay with the old file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		if err := unix.Setxattr(path, "user.workshop", []byte("hall 2"), 0); err != nil {
			t.Skip("this file system has no extended attributes of users: ", err)
		}
		require.NoError(t, replace(path, beside(path, ".tmp"), []byte(after)))
		_, err := unix.Getxattr(path, "user.workshop", make([]byte, 100))
		require.ErrorIs(t, err, unix.ENODATA)
	})
}

// syncOnce asks the disk for a file: PATH.
func syncOnce(w *lab.Worker) error {
	f, err := os.OpenFile(w.Arg(0), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

var callLine = regexp.MustCompile(`(?m)^\d+ +(\w+)\(`)

func callNames(t *testing.T, log string) []string {
	t.Helper()
	var names []string
	for _, match := range callLine.FindAllStringSubmatch(read(t, log), -1) {
		names = append(names, match[1])
	}
	return names
}

func device(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return uint64(info.Sys().(*syscall.Stat_t).Dev)
}
