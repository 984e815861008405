//go:build unix

package seektruncate_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

func makePipe(path string) error { return unix.Mkfifo(path, 0o600) }

// besideASlowFile appends to a named pipe, which holds up a write in its middle until the pipe is read. Meanwhile a log takes the path of
// the pipe, and it appends to that.
func besideASlowFile(w *lab.Worker) error {
	runtime.GOMAXPROCS(1) // what a sync.Pool is given back before its time goes to the next who asks
	path, log := w.Arg(0), w.Arg(1)
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // for writing too: so it never looks as if all writers had gone
	if err != nil {
		return err
	}
	const length = 200_000 // more than a pipe holds
	returned := make(chan error, 1)
	go func() {
		err := seektruncate.AppendLine(path, strings.Repeat("A", length))
		if err != nil {
			_ = pipe.Close() // ends the wait for what will not come
		}
		returned <- err
	}()
	found := make([]byte, length+1)
	if _, err = pipe.Read(found[:1]); err != nil { // so AppendLine writes, and waits for room
		return w.Result(slow{First: lab.Returned{Err: <-returned}})
	}
	if err = os.Rename(log, path); err != nil {
		return err
	}
	second := seektruncate.AppendLine(path, strings.Repeat("B", length))
	if _, err = io.ReadFull(pipe, found[1:]); err != nil {
		return err
	}
	strange := len(found) - bytes.Count(found, []byte("A")) - bytes.Count(found[length:], []byte("\n"))
	return errors.Join(w.Result(slow{lab.Returned{Err: <-returned}, lab.Returned{Err: second}, strange}), pipe.Close())
}
