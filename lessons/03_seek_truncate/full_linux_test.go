package seektruncate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// A file system that is really full. How much of a write arrives depends on the file system: these facts are those of tmpfs, whose pages
// are 4,096 bytes. NOTES.md of the solution has the same measurements on ext4.
func TestAFullDisk(t *testing.T) {
	t.Parallel()

	t.Run("a full tmpfs takes the first 4 bytes of a line", func(t *testing.T) {
		t.Parallel()
		dir := tmpfs(t)
		file := open(t, filepath.Join(dir, "checkouts.log"), appendOnly)
		const line = "bob took hinge.step\n"
		n, err := 0, error(nil)
		for err == nil {
			n, err = file.WriteString(line)
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, 4, n) // 262,144 is 13,107 lines of 20 bytes and 4 bytes
		require.True(t, strings.HasSuffix(content(t, file.Name()), "step\nbob "))
	})

	t.Run("a document of 20,000 bytes over a short one gets its first 4,096 bytes into a full tmpfs", func(t *testing.T) {
		t.Parallel()
		path := fullDisk(t)
		file := open(t, path, os.O_WRONLY)
		n, err := file.WriteString(strings.Repeat("x", 20_000))
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, 4096, n)
		require.Equal(t, strings.Repeat("x", 4096), content(t, path))
	})

	t.Run("a full disk takes a document that needs no more room than the old one", func(t *testing.T) {
		t.Parallel()
		path := fullDisk(t)
		require.NoError(t, os.WriteFile(path, []byte(locksOfBob), 0o600))
		require.Equal(t, locksOfBob, content(t, path))
	})
}

// fullDisk returns the path of a locks.json on a file system without room.
func fullDisk(t *testing.T) (path string) {
	t.Helper()
	dir := tmpfs(t)
	path = filepath.Join(dir, "locks.json")
	require.NoError(t, os.WriteFile(path, []byte(locksOfAlice), 0o600))
	filler := open(t, filepath.Join(dir, "filler"), os.O_WRONLY|os.O_CREATE)
	for {
		if _, err := filler.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			return path
		} else if err != nil {
			require.NoError(t, err)
		}
	}
}

func tmpfs(t *testing.T) string {
	t.Helper()
	dir, kind := lab.SmallDisk(t, 256<<10)
	if kind != "tmpfs" {
		t.Skipf("these facts are those of tmpfs; this small disk is a %s", kind)
	}
	return dir
}
