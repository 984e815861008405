package atomicreplace_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example/turnstile/internal/lab"
	"example/turnstile/solutions/06_atomic_replace"
	"github.com/stretchr/testify/require"
)

// What the reference promises beyond the exercise.

func TestMain(m *testing.M) { lab.Main(m, lab.Workers{"write often": writeOften}) }

func document(i int) []byte {
	return bytes.Repeat([]byte([]string{"alice,", "bob,"}[i%2]), 2000)
}

// writeOften replaces a file by two documents in turn: PATH COUNT.
func writeOften(w *lab.Worker) error {
	for i := range w.Int(1) {
		if err := atomicreplace.WriteFile(w.Arg(0), document(i), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func TestReadersBesideTenThousandWrites(t *testing.T) {
	t.Parallel()
	writes := 10_000
	if testing.Short() || runtime.GOOS == "windows" {
		writes = 200
	}
	dir, err := os.MkdirTemp("/dev/shm", "turnstile-") // 20,000 fsyncs would wear out patience and disk
	if err != nil {
		dir, writes = t.TempDir(), min(writes, 500)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "locks.json")
	require.NoError(t, os.WriteFile(path, document(0), 0o600))
	writer := lab.Launch(t, lab.Options{Hold: true}, "write often", path, strconv.Itoa(writes))
	var (
		stop         atomic.Bool
		whole, wrong atomic.Int64
		readers      sync.WaitGroup
	)
	for range 2 {
		readers.Go(func() {
			for !stop.Load() {
				began := time.Now()
				content, err := os.ReadFile(path)
				switch {
				case bytes.Equal(content, document(0)) || bytes.Equal(content, document(1)):
					whole.Add(1)
				case err == nil || runtime.GOOS != "windows": // there, a reader may be refused for a moment
					wrong.Add(1)
				}
				if runtime.GOOS == "windows" { // an open reader keeps the writer out there
					time.Sleep(time.Millisecond + 5*time.Since(began))
				}
			}
		})
	}
	writer.Continue()
	err = writer.Wait()
	stop.Store(true)
	readers.Wait()
	require.NoError(t, err)
	require.Zero(t, wrong.Load())
	require.Positive(t, whole.Load())
}

func TestWhatCannotBeReplacedIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	paths := map[string]string{"a folder": dir, "a path that ends in a slash": dir + string(os.PathSeparator)}
	if runtime.GOOS != "windows" {
		paths["a device"] = os.DevNull
	}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, atomicreplace.WriteFile(path, nil, 0o600), fs.ErrInvalid)
		})
	}
	t.Run("a missing folder", func(t *testing.T) {
		t.Parallel()
		require.ErrorIs(t, atomicreplace.WriteFile(filepath.Join(dir, "nowhere", "locks.json"), nil, 0o600), fs.ErrNotExist)
	})
	t.Run("links in a circle", func(t *testing.T) {
		t.Parallel()
		loop := filepath.Join(t.TempDir(), "loop")
		if err := os.Symlink("loop", loop); err != nil {
			t.Skip("this system or user may not make symbolic links: ", err)
		}
		if _, err := os.Readlink(loop); err != nil {
			t.Skip("what this system makes for a symbolic link is none (Wine): ", err)
		}
		require.Error(t, atomicreplace.WriteFile(loop, nil, 0o600))
	})
}

func TestNamesAndFolders(t *testing.T) {
	for name, file := range map[string]string{
		"a name of 255 bytes":     strings.Repeat("n", 250) + ".json",
		"a name that is cut in é": strings.Repeat("é", 127),
		"a name that hides":       ".locks",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), file)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Skip("this file system does not take that name: ", err)
			}
			require.NoError(t, atomicreplace.WriteFile(path, []byte("new"), 0o600))
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, "new", string(content))
			removed, err := atomicreplace.Sweep(path, 0)
			require.NoError(t, err)
			require.Empty(t, removed)
		})
	}
	t.Run("a path without a folder", func(t *testing.T) {
		t.Chdir(t.TempDir())
		require.NoError(t, atomicreplace.WriteFile("locks.json", nil, 0o600))
		_, err := atomicreplace.Sweep("locks.json", 0)
		require.NoError(t, err)
	})
	t.Run("sweep in a missing folder", func(t *testing.T) {
		_, err := atomicreplace.Sweep(filepath.Join(t.TempDir(), "nowhere", "locks.json"), 0)
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}
