package document_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Workers{"agent": agent}) }

// agent obeys orders about files in DIR, and answers with "ok", "locked", or another error.
//
//	Lock FILE       opens the file and waits for an exclusive lock on it
//	Try FILE        does not wait
//	Unlock FILE     gives the lock back, and closes
//	replace FILE    writes a new file, and renames it to FILE
//	remove FILE     takes the name away
//	same FILE       "ok" if the file that is open, and locked, still has the name; otherwise "another file"
//	read FILE       answers with what the file that has the name now holds
func agent(w *lab.Worker) error {
	held := map[string]*taken{}
	w.Reached("ready")
	for {
		var order string
		if err := w.Receive(&order); err != nil {
			return err
		}
		words := strings.Fields(order)
		path := filepath.Join(w.Arg(0), words[1])
		answer := ""
		if words[0] == "read" {
			content, err := os.ReadFile(path)
			answer = string(content)
			if err != nil {
				answer = err.Error()
			}
		} else {
			answer = name(obey(words[0], path, held))
		}
		if err := w.Result(answer); err != nil {
			return err
		}
		w.Reached("ready")
	}
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

func name(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, filelock.ErrLocked):
		return "locked"
	}
	return err.Error()
}

type program struct {
	*lab.Process
	t *testing.T
}

func start(t *testing.T, dir string) program {
	t.Helper()
	p := program{lab.Start(t, "agent", dir), t}
	p.Reached("ready")
	p.Continue()
	return p
}

// ask gives an order and returns the answer.
func (p program) ask(order string) string {
	p.t.Helper()
	p.begin(order)
	return p.end()
}

func (p program) begin(order string) { p.t.Helper(); p.Send(order) }

func (p program) end() (answer string) {
	p.t.Helper()
	p.Result(&answer)
	p.Reached("ready")
	p.Continue()
	return answer
}

// three starts programs, of which the first has a lock on FILE and the second waits for it.
func three(t *testing.T, file string) (dir string, alice, bob, carol program) {
	t.Helper()
	dir = filepath.Dir(lab.WriteFile(t, "locks.json", "old"))
	alice, bob, carol = start(t, dir), start(t, dir), start(t, dir)
	require.Equal(t, "ok", alice.ask("Lock "+file))
	bob.begin("Lock " + file)
	bob.WaitBlocked()
	return dir, alice, bob, carol
}

func skipOnWindows(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows refuses to replace a file that a program has open in Go's way")
	}
}
