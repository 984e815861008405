package service_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// renameBoth renames a.new to a and b.new to b, in the directory DIR.
func renameBoth(w *lab.Worker) error {
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(w.Arg(0), name)
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
		w.Reached("renamed " + name)
	}
	return nil
}

// deferred has a deferred call that creates the file at PATH.
func deferred(w *lab.Worker) error {
	defer func() { _ = os.WriteFile(w.Arg(0), nil, 0o600) }()
	w.Reached("at work")
	return nil
}

func TestSteps(t *testing.T) {
	t.Parallel()
	t.Run("a program killed between two renames leaves one file new and one old", func(t *testing.T) {
		t.Parallel()
		a := lab.WriteFile(t, "a", "old")
		b := filepath.Join(filepath.Dir(a), "b")
		require.NoError(t, os.WriteFile(b, []byte("old"), 0o600))
		require.NoError(t, os.WriteFile(a+".new", []byte("new"), 0o600))
		require.NoError(t, os.WriteFile(b+".new", []byte("new"), 0o600))
		p := lab.Start(t, "rename both", filepath.Dir(a))
		p.Reached("renamed a")
		p.Kill()
		one, err := os.ReadFile(a)
		require.NoError(t, err)
		other, err := os.ReadFile(b)
		require.NoError(t, err)
		require.Equal(t, "new old", string(one)+" "+string(other))
	})
	t.Run("a deferred call does not run when the process is killed", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "undone")
		p := lab.Start(t, "deferred", path)
		p.Reached("at work")
		p.Kill()
		require.NoFileExists(t, path)
	})
}

// recoverEntries adds the entries of the journal at PATH.journal to the file at PATH, and then removes the journal. "set" adds an entry
// only if it is not there.
func recoverEntries(w *lab.Worker) error {
	entry, err := os.ReadFile(w.Arg(0) + ".journal")
	if err != nil {
		return err
	}
	table, err := os.ReadFile(w.Arg(0))
	if err != nil {
		return err
	}
	if w.Arg(1) != "set" || !strings.Contains(string(table), string(entry)) {
		if err := os.WriteFile(w.Arg(0), append(table, entry...), 0o600); err != nil {
			return err
		}
	}
	w.Reached("added")
	return os.Remove(w.Arg(0) + ".journal")
}

// recovered returns what the file holds after a recovery that was killed before its last step, and another one.
func recovered(t *testing.T, how string) string {
	t.Helper()
	path := lab.WriteFile(t, "table", "")
	require.NoError(t, os.WriteFile(path+".journal", []byte("bracket.step 1\n"), 0o600))
	p := lab.Start(t, "recover", path, how)
	p.Reached("added")
	p.Kill()
	p = lab.Start(t, "recover", path, how)
	p.Reached("added")
	p.Continue()
	require.NoError(t, p.Wait())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func TestRecoveries(t *testing.T) {
	t.Parallel()
	// https://github.com/RayforceDB/rayforce/issues/420
	t.Run("a recovery that adds, and is killed before its last step, adds twice", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "bracket.step 1\nbracket.step 1\n", recovered(t, "add"))
	})
	t.Run("a recovery that looks whether it is there adds once", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "bracket.step 1\n", recovered(t, "set"))
	})
}

// lock opens the file at path and locks it; the lock ends with the file.
func lock(path string, mode filelock.Mode) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	handle, err := filelock.New(file)
	if err == nil {
		err = handle.TryLock(mode)
	}
	return file, err
}

// inside is a program that has a shared lock on the file at PATH.
func inside(w *lab.Worker) error {
	file, err := lock(w.Arg(0), filelock.Shared)
	if err != nil {
		return err
	}
	w.Reached("inside")
	return file.Close()
}

func TestGate(t *testing.T) {
	t.Parallel()
	t.Run("uploads with a shared lock keep a collection out, and not each other", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "gate")
		p := lab.Start(t, "inside", path)
		p.Reached("inside")
		upload, err := lock(path, filelock.Shared)
		require.NoError(t, err)
		require.NoError(t, upload.Close())
		collection, err := lock(path, filelock.Exclusive)
		require.ErrorIs(t, err, filelock.ErrLocked)
		require.NoError(t, collection.Close())
	})
	t.Run("a killed upload is outside, and needs no clean-up", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "gate")
		p := lab.Start(t, "inside", path)
		p.Reached("inside")
		p.Kill()
		require.Eventually(t, func() bool { // some systems give locks back a moment after the end
			collection, err := lock(path, filelock.Exclusive)
			return errors.Join(err, collection.Close()) == nil
		}, process.Patience(), time.Millisecond)
	})
}
