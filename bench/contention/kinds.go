package contention

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/alexflint/go-filemutex"
	gofrs "github.com/gofrs/flock"
	"github.com/rogpeppe/go-internal/lockedfile"

	"example/turnstile/bench/results"
	lockedreference "example/turnstile/solutions/11_locked_file"
	fair "example/turnstile/solutions/12_contention"
)

// A taker waits for the lock, and returns what gives it back.
type taker func(ctx context.Context) (release func() error, err error)

// A kind is one way to lock the file at path.
type kind struct {
	name, how string
	guarantee results.Guarantee
	open      func(path string) taker
}

// The names of rows that others refer to.
const (
	Fair    = "fair Lock (12)"
	Polling = "gofrs TryLockContext"
	Gofrs   = "gofrs Lock"
)

// interval is how often those ask again that poll. gofrs/flock names no interval to prefer; its example has 678 ms, which would do it harm.
const interval = 10 * time.Millisecond

var kinds = []kind{
	{Fair, "Lock of lesson 12: waits in the kernel, behind a turnstile", results.Exclusion, func(path string) taker {
		return func(ctx context.Context) (func() error, error) {
			held, err := fair.Lock(ctx, path)
			if err != nil {
				return nil, err
			}
			return held.Unlock, nil
		}
	}},
	{"OpenFile (11), no turnstile", "OpenFile of lesson 11: waits in the kernel, no turnstile", results.Exclusion, func(path string) taker {
		return func(ctx context.Context) (func() error, error) {
			file, err := lockedreference.OpenFile(ctx, path, os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				return nil, err
			}
			return file.Close, nil
		}
	}},
	{Gofrs, "New, Lock: waits in the kernel, obeys no context", results.Exclusion, func(path string) taker {
		return func(context.Context) (func() error, error) {
			lock := gofrs.New(path)
			return lock.Unlock, lock.Lock()
		}
	}},
	{Polling, "New, TryLockContext every 10 ms: obeys a context", results.Exclusion, func(path string) taker {
		return func(ctx context.Context) (func() error, error) {
			lock := gofrs.New(path)
			_, err := lock.TryLockContext(ctx, interval)
			return lock.Unlock, err
		}
	}},
	{"lockedfile.Mutex", "MutexAt(path).Lock: waits in the kernel, obeys no context", results.Exclusion, func(path string) taker {
		return func(context.Context) (func() error, error) {
			unlock, err := lockedfile.MutexAt(path).Lock()
			return func() error { unlock(); return nil }, err
		}
	}},
	{"go-filemutex", "New, Lock, Close: waits in the kernel, obeys no context", results.Exclusion, func(path string) taker {
		return func(context.Context) (func() error, error) {
			m, err := filemutex.New(path)
			if err != nil {
				return nil, err
			}
			return m.Close, m.Lock()
		}
	}},
	{"O_EXCL, polling", "create with O_EXCL, every 10 ms; remove", results.Stale, func(path string) taker {
		return func(ctx context.Context) (func() error, error) {
			return func() error { return os.Remove(path) }, createExclusively(ctx, path)
		}
	}},
}

func createExclusively(ctx context.Context, path string) error {
	for {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return file.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval): // this is what polling is
		}
	}
}
