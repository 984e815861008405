package lockmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/exercises/13_document/lockfile"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, workers) }

// workers of files with build tags are added in their init.
var workers = lab.Workers{"look": look, "step": step, "record": record, "write": write}

// A file is a JSON value under a lock beside it.
type file[T any] string

// view reads it, under a shared lock.
func (f file[T]) view() (value T, err error) {
	err = f.locked(filelock.Shared, func() error {
		text, err := os.ReadFile(string(f))
		if err == nil {
			err = json.Unmarshal(text, &value)
		}
		return err
	})
	return value, err
}

// update changes it, under an exclusive lock.
func (f file[T]) update(change func(*T) error) error {
	return f.locked(filelock.Exclusive, func() error {
		var value T
		text, err := os.ReadFile(string(f))
		if err == nil {
			err = json.Unmarshal(text, &value)
		}
		if err == nil {
			err = change(&value)
		}
		if err != nil {
			return err
		}
		if text, err = json.Marshal(value); err != nil {
			return err
		}
		return os.WriteFile(string(f), text, 0o600)
	})
}

func (f file[T]) locked(mode filelock.Mode, use func() error) (err error) {
	held, err := lockfile.Lock(context.Background(), string(f)+".lock", mode, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Unlock()) }()
	return use()
}

// newFile makes one that holds the value.
func newFile[T any](t *testing.T, value T) file[T] {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return file[T](lab.WriteFile(t, "file.json", string(text)))
}

func (f file[T]) get(t *testing.T) T {
	t.Helper()
	value, err := f.view()
	require.NoError(t, err)
	return value
}
