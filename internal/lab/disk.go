package lab

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// SmallDisk mounts a file system of its own that holds size bytes, and returns its root directory and its type. It is gone when the
// test ends. What a full disk leaves behind depends on the file system, so a message should name the type.
//
// It takes root on Linux; elsewhere the test is skipped with the reason. LimitFileSize makes the kernel refuse a write without root.
func SmallDisk(t testing.TB, size int64) (dir, kind string) {
	t.Helper()
	dir = t.TempDir()
	kind, err := mountSmall(dir, size)
	switch {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, fs.ErrPermission):
		t.Skip("this test needs a small file system of its own, which root on Linux may mount: ", err)
	default:
		setUp(t, "mount a small file system", err)
	}
	t.Cleanup(func() { setUp(t, "unmount its small file system", unmountSmall(dir)) })
	return dir, kind
}

// Age makes the file at path, or everything below a directory, look as if it had last been touched that long ago.
func Age(t testing.TB, path string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	setUp(t, "age its own files", filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, then, then)
	}))
}
