//go:build unix

package fcntl_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func init() { workers["agent"] = agent }

// agent obeys orders about the file at PATH, and answers with "ok", with the name of the error, or with what ask found.
//
//	open NAME, read NAME, write NAME   opens the file for both, for reading, or for writing
//	link NAME                          opens it by another name, a hard link
//	duplicate NAME AS                  dup(2)
//	close NAME, seek NAME OFFSET
//	KIND TYPE NAME START LENGTH        locks these bytes, with KIND posix, ofd or flock and TYPE shared, exclusive or none
//	KIND-wait …                        the same, and waits
//	ask-KIND TYPE NAME START LENGTH    F_GETLK: which lock is in the way
//	thread ORDER                       obeys the order in a thread of its own
func agent(w *lab.Worker) error {
	files := map[string]*os.File{}
	w.Reached("ready")
	for {
		var order string
		if err := w.Receive(&order); err != nil {
			return err
		}
		if err := w.Result(obey(strings.Fields(order), w.Arg(0), files)); err != nil {
			return err
		}
		w.Reached("ready")
	}
}

var types = map[string]int16{"shared": unix.F_RDLCK, "exclusive": unix.F_WRLCK, "none": unix.F_UNLCK}

// commands are those of fcntl(2); kernel_linux_test.go adds what Linux has besides.
var commands = map[string]int{"posix": unix.F_SETLK, "posix-wait": unix.F_SETLKW, "ask-posix": unix.F_GETLK}

// others are orders that are not fcntl(2).
var others = map[string]func(file *os.File, kind string) error{}

func obey(words []string, path string, files map[string]*os.File) string {
	name := func(err error) string {
		if err == nil {
			return "ok"
		}
		if errno, ok := err.(unix.Errno); ok { //nolint:errorlint // as fcntl(2) returned it
			return unix.ErrnoName(errno)
		}
		return err.Error()
	}
	open := func(path string, flags int) string {
		file, err := os.OpenFile(path, flags, 0)
		files[words[1]] = file
		return name(err)
	}
	switch words[0] {
	case "open":
		return open(path, os.O_RDWR)
	case "read":
		return open(path, os.O_RDONLY)
	case "write":
		return open(path, os.O_WRONLY)
	case "link":
		if err := os.Link(path, path+".link"); err != nil {
			return err.Error()
		}
		return open(path+".link", os.O_RDWR)
	case "duplicate":
		descriptor, err := unix.Dup(int(files[words[1]].Fd()))
		files[words[2]] = os.NewFile(uintptr(descriptor), path)
		return name(err)
	case "close":
		return name(files[words[1]].Close())
	case "seek":
		_, err := files[words[1]].Seek(number(words[2]), io.SeekStart)
		return name(err)
	case "thread":
		result := make(chan string)
		go func() {
			runtime.LockOSThread()
			result <- obey(words[1:], path, files)
		}()
		return <-result
	}
	if other, ok := others[words[0]]; ok {
		return name(other(files[words[2]], words[1]))
	}
	lock := unix.Flock_t{Type: types[words[1]], Start: number(words[3]), Len: number(words[4])}
	if len(words) > 5 {
		lock.Whence = map[string]int16{"set": io.SeekStart, "current": io.SeekCurrent, "end": io.SeekEnd}[words[5]]
	}
	err := unix.FcntlFlock(files[words[2]].Fd(), commands[words[0]], &lock)
	if !strings.HasPrefix(words[0], "ask") || err != nil {
		return name(err)
	}
	if lock.Type == unix.F_UNLCK {
		return "free"
	}
	by := "process"
	if lock.Pid == -1 {
		by = "no process"
	}
	kind := map[int16]string{unix.F_RDLCK: "shared", unix.F_WRLCK: "exclusive"}[lock.Type]
	return fmt.Sprintf("%s %d+%d by %s", kind, lock.Start, lock.Len, by)
}

func number(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		panic(err) // the test is wrong
	}
	return n
}

// A program runs agent in a process of its own.
type program struct {
	*lab.Process
	t *testing.T
}

// programs starts some that work with one file of 64 bytes, which each has opened as f.
func programs(t *testing.T, n int) (path string, all []program) {
	t.Helper()
	path = lab.WriteFile(t, "parts.table", strings.Repeat(".", 64))
	for range n {
		p := program{lab.Start(t, "agent", path), t}
		p.Reached("ready")
		p.Continue()
		p.must("open f")
		all = append(all, p)
	}
	return path, all
}

func (p program) do(order string) (result string) {
	p.t.Helper()
	p.Send(order)
	return p.end()
}

func (p program) end() (result string) {
	p.t.Helper()
	p.Reached("ready")
	p.Result(&result)
	p.Continue()
	return result
}

func (p program) must(orders ...string) {
	p.t.Helper()
	for _, order := range orders {
		require.Equal(p.t, "ok", p.do(order), order)
	}
}

// busy demands that another owner is in the way. POSIX allows both errors (fcntl(2), F_SETLK).
func (p program) busy(order string) {
	p.t.Helper()
	require.Contains(p.t, []string{"EAGAIN", "EACCES"}, p.do(order), order)
}

// waits demands that the order waits for a lock.
func (p program) waits(order string) {
	p.t.Helper()
	p.Send(order)
	require.NotEqual(p.t, process.AtStep, p.Settle(), order)
}
