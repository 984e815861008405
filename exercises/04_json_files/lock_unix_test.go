//go:build unix && !solaris && !aix

package jsonfiles_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"example/turnstile/internal/lab"
)

// holdLock holds a lock (flock(2)) on the file at path until the test ends, as another program would.
func holdLock(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	must(t, err)
	t.Cleanup(func() { must(t, file.Close()) })
	must(t, syscall.Flock(int(file.Fd()), syscall.LOCK_EX))
}

// pipe returns the path of a pipe into which content is written, as soon as it is opened for reading.
func pipe(t *testing.T, content string) string {
	t.Helper()
	path := newPath(t)
	must(t, syscall.Mkfifo(path, 0o600))
	opened, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		close(opened)
		if err == nil {
			_, _ = file.WriteString(content) // it fails if the reader goes away
			_ = file.Close()
		}
	}()
	t.Cleanup(func() {
		reader, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0) // if no reader has come
		must(t, err)
		<-opened // a reader that left before would have let the writer wait for another one
		must(t, syscall.Close(reader))
		<-done
	})
	return path
}

// stall runs call in a goroutine, with the path of a pipe, and returns when call waits in there, or has returned without a look into it.
func stall(t *testing.T, call func(path string), lesson lab.Lesson) {
	t.Helper()
	// When the pipe is closed, call goes on, and may give a name to a file while the directory is removed: t.TempDir would fail the test.
	dir, err := os.MkdirTemp("", "turnstile-stall-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "locks.json")
	must(t, syscall.Mkfifo(path, 0o600))
	done := make(chan struct{})
	go func() { defer close(done); call(path) }()
	lab.Finishes(t, func() {
		for { // a pipe that no goroutine has opened for reading, or is about to, cannot be opened
			pipe, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
			if err == nil {
				t.Cleanup(func() {
					must(t, syscall.Close(pipe))
					select {
					case <-done:
					case <-time.After(time.Second): // call may have opened the pipe to read and to write: then it waits for itself
					}
				})
				return
			}
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}, lesson.Say("A function neither opens the path that it is given nor returns"))
}
