//go:build unix

package seektruncate_test

import (
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
)

func makePipe(path string) error { return unix.Mkfifo(path, 0o600) }

// besideASlowFile makes a call on a named pipe, which holds up a write in its middle until somebody reads on. Meanwhile it makes another
// on a file.
func besideASlowFile(w *lab.Worker) error {
	function, path, other := w.Arg(0), w.Arg(1), w.Arg(2)
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // for writing too: so it never looks as if all writers had gone
	if err != nil {
		return err
	}
	const length = 200_000 // more than a pipe holds
	text := strings.Repeat("A", length)
	returned, begun := make(chan error, 1), make(chan error, 1)
	go func() { returned <- callWith(function, path, text) }()
	want := text
	if function == "AppendLine" {
		want += "\n"
	}
	found := make([]byte, len(want))
	go func() { _, err := pipe.Read(found[:1]); begun <- err }()
	select {
	case err := <-returned: // another design does not write to a pipe
		return w.Result(slow{First: lab.Returned{Err: err}})
	case err := <-begun:
		if err != nil {
			return err
		}
	}
	second := callWith(function, other, strings.Repeat("B", length)) // the first one has written, and waits for room
	_, err = io.ReadFull(pipe, found[1:])
	if err != nil {
		return err
	}
	result := slow{lab.Returned{Err: <-returned}, lab.Returned{Err: second}, len(want)}
	for i := range found {
		if found[i] == want[i] {
			result.Strange--
		}
	}
	return errors.Join(w.Result(result), pipe.Close())
}
