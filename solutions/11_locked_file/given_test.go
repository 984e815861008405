package lockedfile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/exercises/11_locked_file/inplace"
)

// The packages that the exercise gives ready-made keep what their comments promise.

func TestFilelock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	first := handle(t, path)
	if err := first.TryLock(filelock.Exclusive); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, first.Unlock())

	t.Run("shared and exclusive", func(t *testing.T) {
		a, b := handle(t, path), handle(t, path)
		require.NoError(t, a.TryLock(filelock.Shared))
		require.NoError(t, b.TryLock(filelock.Shared))
		require.ErrorIs(t, handle(t, path).TryLock(filelock.Exclusive), filelock.ErrLocked)
		require.NoError(t, b.Unlock())
		require.NoError(t, a.Unlock())
		require.NoError(t, b.Lock(t.Context(), filelock.Exclusive))
		require.ErrorIs(t, a.TryLock(filelock.Shared), filelock.ErrLocked)
		require.NoError(t, b.Unlock())
	})
	t.Run("a Handle is not re-entrant", func(t *testing.T) {
		a := handle(t, path)
		require.ErrorIs(t, a.Unlock(), fs.ErrInvalid)
		require.NoError(t, a.Lock(t.Context(), filelock.Exclusive))
		require.ErrorIs(t, a.TryLock(filelock.Exclusive), filelock.ErrLocked)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, a.Lock(ctx, filelock.Shared), context.DeadlineExceeded)
		require.NoError(t, a.Unlock())
		require.ErrorIs(t, a.Unlock(), fs.ErrInvalid)
	})
	t.Run("a closed file", func(t *testing.T) {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		a, err := filelock.New(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.ErrorIs(t, a.TryLock(filelock.Exclusive), fs.ErrClosed)
		require.ErrorIs(t, a.Lock(t.Context(), filelock.Exclusive), fs.ErrClosed)
	})
	// Handles that give up and come back, of both modes, beside goroutines that do not: no two are inside, and all come to their end.
	t.Run("a crowd that gives up", func(t *testing.T) {
		var inside, readers atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			mode := filelock.Exclusive
			if i%4 == 3 {
				mode = filelock.Shared
			}
			a := handle(t, path)
			all.Go(func() {
				for n := range 100 {
					ctx, cancel := context.WithCancel(context.Background())
					if n%2 == 0 {
						ctx, cancel = context.WithTimeout(context.Background(), 200*time.Microsecond)
					}
					err := a.Lock(ctx, mode)
					if err == nil {
						if mode == filelock.Exclusive {
							if inside.Add(1) != 1 || readers.Load() != 0 {
								t.Error("two owners are inside")
							}
							time.Sleep(100 * time.Microsecond)
							inside.Add(-1)
						} else {
							readers.Add(1)
							if inside.Load() != 0 {
								t.Error("a reader is inside with a writer")
							}
							readers.Add(-1)
						}
						err = a.Unlock()
					} else if errors.Is(err, context.DeadlineExceeded) {
						err = nil
					}
					cancel()
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		a := handle(t, path)
		require.NoError(t, a.Lock(t.Context(), filelock.Exclusive))
		require.NoError(t, a.Unlock())
	})
	// To the kernel these goroutines are one owner: what keeps them apart is the Handle alone.
	t.Run("a crowd that shares a Handle", func(t *testing.T) {
		a := handle(t, path)
		var all sync.WaitGroup
		inside, owned := 0, 0
		for i := range 8 {
			all.Go(func() {
				for range 500 {
					var err error
					if i%4 == 3 {
						err = a.TryLock(filelock.Exclusive)
					} else {
						err = a.Lock(context.Background(), filelock.Exclusive)
					}
					if errors.Is(err, filelock.ErrLocked) {
						continue
					}
					if inside++; err != nil || inside != 1 {
						t.Errorf("%d owners are inside; %v", inside, err)
					}
					owned++
					inside--
					if err := a.Unlock(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		require.GreaterOrEqual(t, owned, 6*500)
	})
	t.Run("a reader does not wait for a writer that has given up", func(t *testing.T) {
		reader, writer, second := handle(t, path), handle(t, path), handle(t, path)
		require.NoError(t, reader.Lock(t.Context(), filelock.Shared))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, writer.Lock(ctx, filelock.Exclusive), context.DeadlineExceeded)
		require.NoError(t, second.Lock(t.Context(), filelock.Shared))
		require.NoError(t, second.Unlock())
		require.NoError(t, reader.Unlock())
		require.NoError(t, writer.Lock(t.Context(), filelock.Exclusive))
		require.NoError(t, writer.Unlock())
	})
}

func handle(t *testing.T, path string) *filelock.Handle {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	h, err := filelock.New(file)
	require.NoError(t, err)
	return h
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "document")
	for _, c := range []struct{ old, content string }{
		{"", ""}, {"", "new"}, {"old", ""}, {"old", "longer"}, {"longer", "new"}, {"old", "new"},
	} {
		require.NoError(t, os.WriteFile(path, []byte(c.old), 0o600))
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		require.NoError(t, inplace.Rewrite(file, []byte(c.old), []byte(c.content)))
		require.NoError(t, file.Close())
		require.ErrorIs(t, inplace.Rewrite(file, []byte(c.old), []byte("x")), fs.ErrClosed)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, c.content, string(text))
	}
}
