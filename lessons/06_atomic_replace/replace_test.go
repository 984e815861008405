package atomicreplace_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestReplacing(t *testing.T) {
	t.Parallel()
	steps := []string{"created", "half written", "written", "synced", "closed", "renamed", "directory synced"}

	// rename(2): "If newpath already exists, it will be atomically replaced, so that there is no point at which another
	// process attempting to access newpath will find it missing."
	t.Run("a reader finds the old content up to the rename, and the new after it", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		writer := lab.Start(t, "replace in steps", path, beside(path, ".locks.json.tmp"))
		want := before
		for _, step := range steps {
			writer.Reached(step)
			if step == "renamed" {
				want = after
			}
			require.Equal(t, want, read(t, path), step)
			writer.Continue()
		}
		require.NoError(t, writer.Wait())
	})

	tests := []struct {
		name, step, content string
		leftover            string // "" if there is none
	}{
		{
			name: "a process crash after the temp file is made leaves the old content and an empty temp file",
			step: "created", content: before, leftover: "empty",
		},
		{
			name: "a process crash in the middle of the write leaves the old content and half a temp file",
			step: "half written", content: before, leftover: after[:20],
		},
		{
			name: "a process crash before the rename leaves the old content and a whole temp file",
			step: "closed", content: before, leftover: after,
		},
		{name: "a process crash after the rename leaves the new content and no temp file", step: "renamed", content: after},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", before)
			temp := beside(path, ".locks.json.tmp")
			writer := lab.Start(t, "replace in steps", path, temp)
			for _, step := range steps {
				writer.Reached(step)
				if step == test.step {
					break
				}
				writer.Continue()
			}
			writer.Kill()
			require.Equal(t, test.content, read(t, path))
			if test.leftover == "" {
				require.NoFileExists(t, temp)
				return
			}
			require.Equal(t, strings.TrimPrefix(test.leftover, "empty"), read(t, temp))
		})
	}

	t.Run("readers beside 1,000 replaces find no torn document and no missing file", func(t *testing.T) {
		t.Parallel()
		replaces := 1_000
		if testing.Short() || runtime.GOOS == "windows" {
			replaces = 300
		}
		hammer(t, replaces)
	})

	// os.Rename: "If newpath already exists and is a directory, Rename returns an error."
	t.Run("a rename over a directory fails and leaves both", func(t *testing.T) {
		t.Parallel()
		directory := t.TempDir()
		temp := lab.WriteFile(t, "temp", after)
		require.Error(t, os.Rename(temp, directory))
		require.DirExists(t, directory)
		require.FileExists(t, temp)
	})

	t.Run("a process crash between two renames leaves one file new and the other old", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		for _, name := range []string{"locks.json", "index.json"} {
			write(t, filepath.Join(dir, name), "old")
			write(t, filepath.Join(dir, name+".new"), "new")
		}
		writer := lab.Start(t, "replace two files", dir)
		writer.Reached("first renamed")
		writer.Kill()
		require.Equal(t, "new", read(t, filepath.Join(dir, "locks.json")))
		require.Equal(t, "old", read(t, filepath.Join(dir, "index.json")))
	})
}

// replaceTwoFiles puts two new files in place, one after the other: DIR.
func replaceTwoFiles(w *lab.Worker) error {
	locks, index := filepath.Join(w.Arg(0), "locks.json"), filepath.Join(w.Arg(0), "index.json")
	if err := os.Rename(locks+".new", locks); err != nil {
		return err
	}
	w.Reached("first renamed")
	return os.Rename(index+".new", index)
}

// hammerDocument returns one of two documents, of two lengths.
func hammerDocument(i int) []byte {
	return []byte(`{"owner":"` + strings.Repeat([]string{"alice", "bob"}[i%2], 800) + `"}`)
}

// replaceOften replaces a file by two documents in turn: PATH COUNT.
func replaceOften(w *lab.Worker) error {
	for i := range w.Int(1) {
		for {
			err := replace(w.Arg(0), w.Arg(0)+".tmp", hammerDocument(i))
			if err == nil {
				break
			}
			if runtime.GOOS != "windows" || !errors.Is(err, fs.ErrPermission) { // there a reader keeps the writer out
				return fmt.Errorf("replace %d: %w", i+1, err)
			}
		}
	}
	return nil
}

func hammer(t *testing.T, replaces int) {
	t.Helper()
	path := filepath.Join(fastDir(t), "locks.json")
	write(t, path, string(hammerDocument(0)))
	writer := lab.Launch(t, lab.Options{Hold: true}, "replace often", path, fmt.Sprint(replaces))
	var (
		readers      sync.WaitGroup
		stop         atomic.Bool
		whole, wrong atomic.Int64
	)
	for range 2 {
		readers.Go(func() {
			for !stop.Load() {
				began := time.Now()
				content, err := os.ReadFile(path)
				if runtime.GOOS == "windows" { // an open reader keeps the writer out there: be away most of the time
					time.Sleep(time.Millisecond + 5*time.Since(began))
				}
				switch {
				case err == nil && (string(content) == string(hammerDocument(0)) || string(content) == string(hammerDocument(1))):
					whole.Add(1)
				case err == nil || runtime.GOOS != "windows": // there, a reader may be refused for a moment
					wrong.Add(1)
				}
			}
		})
	}
	writer.Continue()
	err := writer.Wait()
	stop.Store(true)
	readers.Wait()
	require.NoError(t, err)
	require.Zero(t, wrong.Load(), "of %d reads", whole.Load()+wrong.Load())
	require.Positive(t, whole.Load())
}

// fastDir returns a directory of the test's own in memory where the system has such, so that thousands of replaces cost no disk.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "turnstile-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
