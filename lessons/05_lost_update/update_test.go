package lostupdate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// updateInSteps adds one to the counter in the file, PATH HOW, and stands at "read" between reading and writing. It reports
// the number that it has written.
func updateInSteps(w *lab.Worker) error {
	path, how := w.Arg(0), w.Arg(1)
	counter, err := readCounter(path)
	if how == "each half locked" {
		err = locked(path, func() error {
			counter, err = readCounter(path)
			return err
		})
	}
	if err != nil {
		return err
	}
	w.Reached("read")
	counter++
	write := func() error { return writeCounter(path, counter) }
	switch how {
	case "in place":
		err = write()
	case "by a rename":
		err = errors.Join(writeCounter(path+w.Arg(2), counter), os.Rename(path+w.Arg(2), path))
	case "each half locked", "the write locked":
		err = locked(path, write)
	}
	return errors.Join(err, w.Result(counter))
}

// locked runs section under the lock of the document at path.
func locked(path string, section func() error) (err error) {
	guard := flock.New(path + ".lock")
	if err := guard.Lock(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, guard.Unlock()) }()
	return section()
}

// updateUnderLock adds one under the lock of the document PATH, and stands at "read" between reading and writing.
func updateUnderLock(w *lab.Worker) error {
	path := w.Arg(0)
	return locked(path, func() error {
		counter, err := readCounter(path)
		if err != nil {
			return err
		}
		w.Reached("read")
		return errors.Join(writeCounter(path, counter+1), w.Result(counter+1))
	})
}

// H. Berenson et al., "A Critique of ANSI SQL Isolation Levels" (1995), P4 "Lost Update": one transaction reads, another one
// updates the same item, and the first writes what follows from its old read.
func TestLostUpdate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, how string }{
		{"two processes that both read before either writes leave one update of two", "in place"},
		{"replacing the file by a rename loses the update as well", "by a rename"},
		{"a lock around the write alone loses the update as well", "the write locked"},
		{"a lock around the read and another around the write lose the update as well", "each half locked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := counterFile(t, 41)
			alice, bob := lab.Start(t, "update in steps", path, c.how, ".alice"), lab.Start(t, "update in steps", path, c.how, ".bob")
			alice.Reached("read")
			bob.Reached("read")
			requireTold(t, alice, 42)
			requireTold(t, bob, 42)
			requireCounter(t, 42, path)
		})
	}

	t.Run("a lock from before the read until after the write makes the second wait, and both count", func(t *testing.T) {
		t.Parallel()
		path := counterFile(t, 41)
		alice := lab.Start(t, "update under a lock", path)
		alice.Reached("read")
		bob := lab.Start(t, "update under a lock", path)
		bob.WaitBlocked()
		requireTold(t, alice, 42)
		bob.Reached("read")
		requireTold(t, bob, 43)
		requireCounter(t, 43, path)
	})
}

// requireTold lets the worker go on and demands that its call succeeds with that number.
func requireTold(t *testing.T, worker *lab.Process, want int) {
	t.Helper()
	worker.Continue()
	var told int
	worker.Result(&told)
	require.NoError(t, worker.Wait())
	require.Equal(t, want, told)
}

// listInMemory is a program that opens the list PATH, keeps what it read, and writes its own list at every change: WHO and parts,
// "+part" or "-part". It stands at "ready" before each change.
func listInMemory(w *lab.Worker) error {
	file, err := os.OpenFile(w.Arg(0), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	holders := map[string]string{}
	if err := json.NewDecoder(file).Decode(&holders); err != nil {
		return err
	}
	for i := 2; w.Arg(i) != ""; i++ {
		w.Reached("ready")
		part := w.Arg(i)[1:]
		if holder, taken := holders[part]; taken && w.Arg(i)[0] == '+' {
			return fmt.Errorf("%s has %s", holder, part)
		}
		holders[part] = w.Arg(1)
		if w.Arg(i)[0] == '-' {
			delete(holders, part)
		}
		if err := rewrite(file, holders); err != nil {
			return err
		}
	}
	return nil
}

func rewrite(file *os.File, holders map[string]string) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return json.NewEncoder(file).Encode(holders)
}

func TestListInMemory(t *testing.T) {
	t.Parallel()
	t.Run("a program that writes the list it read at its start erases what another one wrote since", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", `{}`)
		alice, bob := lab.Start(t, "list in memory", path, "alice", "+bracket.step"), lab.Start(t, "list in memory", path, "bob", "+hinge.step")
		alice.Reached("ready")
		bob.Reached("ready")
		alice.Continue()
		require.NoError(t, alice.Wait())
		bob.Continue()
		require.NoError(t, bob.Wait())
		lab.RequireFile(t, path, "{\"hinge.step\":\"bob\"}\n", lab.Lesson{Says: "the list"})
	})
	t.Run("in the middle of a rewrite a good list looks damaged", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", `{"lid.step":"bob"}`)
		readList := func() error {
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			return json.Unmarshal(content, &map[string]string{})
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer func() { _ = file.Close() }()
		require.NoError(t, file.Truncate(0)) // the first step of rewrite
		require.Error(t, readList())
		require.NoError(t, rewrite(file, map[string]string{"lid.step": "eve"}))
		require.NoError(t, readList())
	})
	t.Run("a program that looks at the list it read at its start gives one part to two", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", `{}`)
		alice, bob := lab.Start(t, "list in memory", path, "alice", "+lid.step"), lab.Start(t, "list in memory", path, "bob", "+lid.step")
		alice.Reached("ready")
		bob.Reached("ready")
		alice.Continue()
		require.NoError(t, alice.Wait())
		bob.Continue()
		require.NoError(t, bob.Wait())
	})
}
