//go:build unix

package close_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	workers["open until refused"] = openUntilRefused
	workers["leak until refused, then until not"] = leakUntilWell
	workers["is it open here"] = isOpenHere
	workers["close a number twice"] = closeNumberTwice
	workers["flush under a size limit"] = flushUnderALimit
	workers["hold a pipe"] = holdPipe
}

// A refusal is what a process met that opened one file after another and closed none.
type refusal struct {
	Opened                                       int
	TooManyFiles, PipeToo, CollectorRan, ThenOne bool
}

// Source: open(2), EMFILE; getrlimit(2), RLIMIT_NOFILE.
func TestHandlesRunOut(t *testing.T) {
	t.Parallel()
	worker := lab.Start(t, "open until refused", lab.WriteFile(t, "locks.json", "{}"))
	var seen refusal
	worker.Result(&seen)
	require.NoError(t, worker.Wait())

	t.Run("a process may hold only so many handles", func(t *testing.T) {
		require.True(t, seen.TooManyFiles)
		require.Less(t, seen.Opened, 64)
	})
	// Source: pipe(2), EMFILE.
	t.Run("what fails is whatever asks next, a pipe too", func(t *testing.T) {
		require.True(t, seen.PipeToo)
	})
	t.Run("one Close makes room for one open", func(t *testing.T) {
		require.True(t, seen.ThenOne)
	})
	// Source: runtime, GOGC: a collection is due when the heap has grown, by 4 MB at the least. Open files count for nothing.
	t.Run("the garbage collector does not run because handles are short", func(t *testing.T) {
		require.False(t, seen.CollectorRan)
	})
}

func openUntilRefused(w *lab.Worker) error {
	if err := lab.LimitHandles(64); err != nil {
		return err
	}
	runtime.GC() // garbage from the start of the program must not be the reason for a collection
	before := collections()
	var seen refusal
	var last *os.File
	for {
		f, err := os.Open(w.Arg(0))
		if err != nil {
			seen.TooManyFiles = errors.Is(err, syscall.EMFILE)
			break
		}
		last = f
		seen.Opened++
	}
	seen.CollectorRan = collections() != before
	_, _, err := os.Pipe()
	seen.PipeToo = errors.Is(err, syscall.EMFILE)
	if err := last.Close(); err != nil {
		return err
	}
	_, err = os.Open(w.Arg(0))
	seen.ThenOne = err == nil
	return w.Result(seen)
}

func collections() uint32 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.NumGC
}

// Source: runtime, GOGC (the collector is paced by the heap) and os.File (a file that is no longer referenced may be closed). No
// clock decides: the worker goes on until a call succeeds, and the garbage of its refused calls brings the collector.
func TestHandlesComeBack(t *testing.T) {
	t.Parallel()
	worker := lab.Start(t, "leak until refused, then until not", lab.WriteFile(t, "locks.json", "{}"))
	var seen comeback
	worker.Result(&seen)
	require.NoError(t, worker.Wait())
	t.Logf("refused at call %d, opened again at call %d, %d collections", seen.Refused, seen.Again, seen.Collections)

	t.Run("after a collection a process that has closed nothing can open files again", func(t *testing.T) {
		require.Less(t, seen.Refused, 65)
		require.Greater(t, seen.Again, seen.Refused)
		require.Positive(t, seen.Collections)
	})
}

type comeback struct {
	Refused, Again int
	Collections    uint32
}

func leakUntilWell(w *lab.Worker) error {
	if err := lab.LimitHandles(64); err != nil {
		return err
	}
	debug.SetGCPercent(100) // the default, whatever GOGC says
	runtime.GC()
	before := collections()
	var seen comeback
	for call := 1; seen.Again == 0 && call < 10_000_000; call++ {
		_, err := os.Open(w.Arg(0)) // the mistake: the file is opened and forgotten
		switch {
		case err != nil && seen.Refused == 0:
			seen.Refused = call
		case err == nil && seen.Refused > 0:
			seen.Again = call
		}
	}
	seen.Collections = collections() - before
	return w.Result(seen)
}

// Source: fcntl(2), FD_CLOEXEC; open(2), O_CLOEXEC; os.OpenFile adds it (os/file_unix.go).
func TestChildren(t *testing.T) {
	t.Parallel()

	t.Run("a child does not inherit a file that os.OpenFile opened", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "{}")
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer f.Close()
		require.False(t, openInAChild(t, path))
	})

	t.Run("a child inherits a file that was opened without O_CLOEXEC", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", "{}")
		fd, err := syscall.Open(path, syscall.O_RDWR, 0)
		require.NoError(t, err)
		defer syscall.Close(fd)
		require.True(t, openInAChild(t, path))
	})
}

func openInAChild(t *testing.T, path string) (open bool) {
	t.Helper()
	worker := lab.Start(t, "is it open here", path)
	worker.Result(&open)
	require.NoError(t, worker.Wait())
	return open
}

func isOpenHere(w *lab.Worker) error {
	open, err := lab.IsOpen(w.Arg(0))
	if err != nil {
		return err
	}
	return w.Result(open)
}

// Source: open(2): the descriptor returned is the lowest-numbered one not currently open. close(2), NOTES: a close that is
// retried may close a descriptor that another thread has just been given.
func TestDescriptorNumbers(t *testing.T) {
	t.Parallel()
	worker := lab.Start(t, "close a number twice", lab.WriteFile(t, "first", ""), lab.WriteFile(t, "locks.json", "{}"))
	var seen reuse
	worker.Result(&seen)
	require.NoError(t, worker.Wait())

	t.Run("the number of a closed file goes to the next one", func(t *testing.T) {
		require.Equal(t, seen.First, seen.Second)
	})
	t.Run("closing a number twice closes another file", func(t *testing.T) {
		require.True(t, seen.SecondIsGone)
	})
}

type reuse struct {
	First, Second int
	SecondIsGone  bool
}

func closeNumberTwice(w *lab.Worker) error {
	first, err := syscall.Open(w.Arg(0), syscall.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := syscall.Close(first); err != nil {
		return err
	}
	second, err := syscall.Open(w.Arg(1), syscall.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := syscall.Close(first); err != nil { // the mistake: the number is no longer that of the first file
		return err
	}
	_, err = syscall.Read(second, make([]byte, 2))
	return w.Result(reuse{first, second, errors.Is(err, syscall.EBADF)})
}

// Source: getrlimit(2), RLIMIT_FSIZE: here a limit on the size of files makes the kernel refuse the write.
func TestBufferAndARefusedWrite(t *testing.T) {
	t.Parallel()
	worker := lab.Start(t, "flush under a size limit", lab.Path(t, "report.txt"))
	var seen flushed
	worker.Result(&seen)
	require.NoError(t, worker.Wait())

	t.Run("a write into a buffer that is not full succeeds although the kernel will refuse it", func(t *testing.T) {
		require.Empty(t, seen.WriteError)
	})
	t.Run("Flush fails", func(t *testing.T) {
		require.NotEmpty(t, seen.FlushError)
	})
	t.Run("Close after that returns nil", func(t *testing.T) {
		require.Empty(t, seen.CloseError)
	})
}

type flushed struct{ WriteError, FlushError, CloseError string }

func flushUnderALimit(w *lab.Worker) error {
	if err := lab.LimitFileSize(8); err != nil {
		return err
	}
	f, err := os.Create(w.Arg(0))
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(f)
	_, writeError := fmt.Fprintln(buffer, "bracket.step alice")
	return w.Result(flushed{text(writeError), text(buffer.Flush()), text(f.Close())})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRemoveAnOpenFile(t *testing.T) {
	t.Parallel()

	// Source: unlink(2): if any process still has the file open, it remains in existence until the last descriptor is closed.
	t.Run("an open file can be removed, and its bytes stay until it is closed", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", strings.Repeat("a", 4096))
		f, err := os.Open(path)
		require.NoError(t, err)
		defer f.Close()
		require.NoError(t, os.Remove(path))
		require.NoFileExists(t, path)
		content, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Len(t, content, 4096)
	})
}

func TestDeadProcess(t *testing.T) {
	t.Parallel()

	// Source: _exit(2): any open file descriptors belonging to the process are closed. pipe(7): a reader sees the end of
	// file once all writers have closed.
	t.Run("the kernel closes what a dead process had open", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "pipe")
		require.NoError(t, unix.Mkfifo(path, 0o600))
		worker := lab.Start(t, "hold a pipe", path)
		reader, err := os.Open(path) // waits until the worker has opened its end
		require.NoError(t, err)
		defer reader.Close()
		worker.Reached("the pipe is open")
		worker.Kill()
		lab.Finishes(t, func() { _, err = reader.Read(make([]byte, 1)) }, lab.Lesson{Says: "The pipe of a dead process is still open"})
		require.ErrorIs(t, err, io.EOF)
	})
}

func holdPipe(w *lab.Worker) error {
	f, err := os.OpenFile(w.Arg(0), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	w.Reached("the pipe is open")
	return f.Close()
}
