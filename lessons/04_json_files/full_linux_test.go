package jsonfiles_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// A fullDisk is what a worker reports of one write on a file system without a free block.
type fullDisk struct {
	Refused bool   // the write failed with ENOSPC
	Content []byte // what the file held afterwards
}

// writeOnAFullDisk mounts a tmpfs of 32 KiB on the directory Arg(0), which no other process sees, saves Arg(1) there, fills the disk,
// and then writes Arg(2) over the file.
func writeOnAFullDisk(w *lab.Worker) error {
	if err := syscall.Mount("none", w.Arg(0), "tmpfs", 0, "size=32k"); err != nil {
		return err
	}
	path := filepath.Join(w.Arg(0), "locks.json")
	if err := os.WriteFile(path, []byte(w.Arg(1)), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.Arg(0), "fill"), make([]byte, 64<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return errors.Join(errors.New("the disk is not full"), err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(w.Arg(2))
	content, readErr := os.ReadFile(path)
	return errors.Join(w.Result(fullDisk{errors.Is(err, syscall.ENOSPC), content}), readErr, file.Close())
}

// A really full disk: a tmpfs in a mount namespace of the worker's own (unshare(1), tmpfs(5)). Its blocks are pages.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	mount := exec.CommandContext(t.Context(), "unshare", "-rm", "mount", "-t", "tmpfs", "none", os.TempDir())
	if out, err := mount.CombinedOutput(); err != nil {
		t.Skipf("this user may not mount a file system of its own (%v: %s): these facts fill one", err, out)
	}
	old := `{"bracket.step":"alice","hinge.step":"alice","lid.step":"bob"}`
	require.Len(t, old, 62)
	written := func(t *testing.T, content string) fullDisk {
		t.Helper()
		worker := lab.Launch(t, lab.Options{Wrap: []string{"unshare", "-rm", "--"}}, "write on a full disk", t.TempDir(), old, content)
		var seen fullDisk
		worker.Result(&seen)
		require.NoError(t, worker.Wait())
		return seen
	}

	t.Run("on a full tmpfs a longer document in place stops at the page that the file already had", func(t *testing.T) {
		t.Parallel()
		seen := written(t, strings.Repeat("x", 20_000))
		require.True(t, seen.Refused)
		require.Equal(t, bytes.Repeat([]byte("x"), os.Getpagesize()), seen.Content)
	})

	t.Run("on a full tmpfs a shorter document in place succeeds", func(t *testing.T) {
		t.Parallel()
		seen := written(t, `{}`)
		require.False(t, seen.Refused)
		require.Equal(t, "{}"+old[2:], string(seen.Content), "not truncated yet")
	})
}
