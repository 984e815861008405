//go:build unix

package seektruncate_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	seektruncate "example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

// besideASlowFile appends to a named pipe, which holds up a write in its middle until the test reads on. Meanwhile another goroutine
// appends to a log.
func besideASlowFile(t *testing.T) {
	path := lab.Path(t, "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skip("this system has no named pipe here: ", err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // for writing too: so it never looks as if all writers had gone
	lab.RequireSetUp(t, err)
	t.Cleanup(func() { _ = pipe.Close() })
	const length = 200_000 // more than a pipe holds
	lesson := lab.Lesson{
		Says:  "AppendLine wrote another call's bytes",
		Did:   fmt.Sprintf("one goroutine appended %d times A to a slow file; while it waited, another appended as many B to a log", length),
		Means: "two goroutines of one program write each other's lines, and no call returned an error",
		Read:  `lessons/03_seek_truncate, "One write, at the end"`,
	}
	written := make(chan error, 1)
	go func() { written <- seektruncate.AppendLine(path, strings.Repeat("A", length)) }()
	found := make([]byte, length+1)
	lab.Finishes(t, func() { _, err = pipe.Read(found[:1]) }, lesson) // so AppendLine writes, and waits for room
	lab.RequireSetUp(t, err)
	lab.RequireNoError(t, seektruncate.AppendLine(lab.Path(t, "checkouts.log"), strings.Repeat("B", length)), lesson)
	lab.Finishes(t, func() { _, err = io.ReadFull(pipe, found[1:]) }, lesson)
	lab.RequireSetUp(t, err)
	lab.RequireNoError(t, <-written, lesson)
	strange := length - bytes.Count(found, []byte("A"))
	lesson.Expected, lesson.Found = "no other byte in the first line", fmt.Sprintf("%d bytes that are not A", strange)
	lab.Require(t, strange == 0 && found[length] == '\n', lesson)
}
