package document_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Workers{"agent": agent}, filelock.ErrLocked, errOther) }

// agent obeys orders about files in DIR.
//
//	Lock FILE       opens the file and waits for an exclusive lock on it
//	Try FILE        does not wait
//	Unlock FILE     gives the lock back, and closes
//	replace FILE    writes a new file, and renames it to FILE
//	remove FILE     takes the name away
//	same FILE       fails with errOther if the file that is open, and locked, does not have the name any more
//	read FILE       answers with what the file that has the name now holds
func agent(w *lab.Worker) error {
	held := map[string]*taken{}
	return lab.Obey(w, func(words []string) (r lab.Reply) {
		path := filepath.Join(w.Arg(0), words[1])
		if words[0] == "read" {
			content, err := os.ReadFile(path)
			return lab.Reply{Text: string(content), Returned: lab.Returned{Err: err}}
		}
		r.Returned.Err = obey(words[0], path, held)
		return r
	})
}

type taken struct {
	file   *os.File
	handle *filelock.Handle
}

var errOther = errors.New("another file")

func obey(order, path string, held map[string]*taken) (err error) {
	switch order {
	case "replace":
		if err := os.WriteFile(path+".new", []byte("new"), 0o600); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	case "remove":
		return os.Remove(path)
	case "same":
		mine, err := held[path].file.Stat()
		if err != nil {
			return err
		}
		named, err := os.Stat(path)
		if err != nil || !os.SameFile(mine, named) {
			return errOther
		}
		return nil
	case "Unlock":
		return errors.Join(held[path].handle.Unlock(), held[path].file.Close())
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	handle, err := filelock.New(file)
	if err != nil {
		return err
	}
	held[path] = &taken{file, handle}
	if order == "Try" {
		return handle.TryLock(filelock.Exclusive)
	}
	return handle.Lock(context.Background(), filelock.Exclusive)
}

// start starts an agent for DIR. None of its orders may wait, unless it is sent with Send.
func start(t *testing.T, dir string) lab.Program {
	t.Helper()
	waits := func(order string, l lab.Lesson) lab.Lesson { l.Found = order + " waits for a file lock"; return l }
	return lab.StartProgram(t, lab.Options{}, waits, "agent", dir)
}

// three starts programs of which the first had a lock on FILE, while the second waited for it. Then the first did what the orders say, and
// the second has the lock.
func three(t *testing.T, file string, orders ...string) (bob, carol lab.Program) {
	t.Helper()
	dir := filepath.Dir(lab.WriteFile(t, "locks.json", "old"))
	alice, bob, carol := start(t, dir), start(t, dir), start(t, dir)
	alice.Succeed("Lock "+file, lab.Lesson{})
	bob.Send("Lock " + file)
	bob.WaitBlocked()
	for _, order := range append(orders, "Unlock "+file) {
		alice.Succeed(order, lab.Lesson{})
	}
	require.NoError(t, bob.Reply(lab.Lesson{}).Returned.Err)
	return bob, carol
}

func skipOnWindows(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows refuses to replace a file that a program has open in Go's way")
	}
}
