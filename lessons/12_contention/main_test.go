package contention_test

import (
	"context"
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

func TestMain(m *testing.M) { lab.Main(m, workers) }

// workers of files with build tags are added in their init.
var workers = lab.Workers{"agent": agent}

// agent obeys orders about files in DIR, and answers with "ok", "locked", or another error.
//
//	Lock FILE, RLock FILE    waits; each opens the file anew, and so is an owner of its own
//	Try FILE                 does not wait
//	late FILE                Lock with a context that ends soon
//	Unlock FILE              gives back what it has
//	again FILE               Unlock, and Try at once
//	other FILE               Lock, while it has another lock of the file
func agent(w *lab.Worker) error {
	held := map[string]*filelock.Handle{}
	w.Reached("ready")
	for {
		var order string
		if err := w.Receive(&order); err != nil {
			return err
		}
		words := strings.Fields(order)
		if err := w.Result(name(obey(words[0], filepath.Join(w.Arg(0), words[1]), held))); err != nil {
			return err
		}
		w.Reached("ready")
	}
}

func obey(order, path string, held map[string]*filelock.Handle) error {
	if order == "Unlock" {
		return held[path].Unlock()
	}
	if order == "again" {
		if err := held[path].Unlock(); err != nil {
			return err
		}
		return obey("Try", path, held)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	handle, err := filelock.New(file)
	if err != nil {
		return err
	}
	ctx := context.Background()
	mode := filelock.Exclusive
	switch order {
	case "Try":
		err = handle.TryLock(mode)
	case "late":
		ctx, stop := context.WithTimeout(ctx, 20*time.Millisecond)
		defer stop()
		err = handle.Lock(ctx, mode)
	case "RLock":
		err = handle.Lock(ctx, filelock.Shared)
	default:
		err = handle.Lock(ctx, mode)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if order != "other" {
		held[path] = handle
	}
	open = append(open, file)
	return nil
}

// open keeps the files from the garbage collector.
var open []*os.File

func name(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, filelock.ErrLocked):
		return "locked"
	case errors.Is(err, context.DeadlineExceeded):
		return "late"
	default:
		return err.Error()
	}
}

// A program runs agent in a process of its own.
type program struct {
	*lab.Process
	t *testing.T
}

// programs starts some that work in one directory.
func programs(t *testing.T, n int) (all []program) {
	t.Helper()
	directory := filepath.Dir(lab.WriteFile(t, "lock", ""))
	for range n {
		p := program{lab.Start(t, "agent", directory), t}
		p.Reached("ready")
		p.Continue()
		all = append(all, p)
	}
	return all
}

// do sends an order that need not wait.
func (p program) do(order string) string {
	p.t.Helper()
	p.Send(order)
	return p.end()
}

func (p program) must(orders ...string) {
	p.t.Helper()
	for _, order := range orders {
		require.Equal(p.t, "ok", p.do(order), order)
	}
}

// end waits until the order has been obeyed.
func (p program) end() (result string) {
	p.t.Helper()
	p.Reached("ready")
	p.Result(&result)
	p.Continue()
	return result
}

// waits demands that the order waits in the kernel.
func (p program) waits(order string) {
	p.t.Helper()
	p.Send(order)
	p.WaitBlocked()
}

// stillWaits demands that it has not got what it waits for.
func (p program) stillWaits() {
	p.t.Helper()
	require.NotEqual(p.t, process.AtStep, p.Settle())
}
