package close_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

var exits = map[string]func(){
	"return":    func() {},
	"os.Exit":   func() { os.Exit(3) },
	"log.Fatal": func() { log.Fatal("no such part") },
}

// Source: os.File.Close: "Close will return an error if it has already been called." close(2), NOTES, on why a close is
// never to be retried.
func TestClose(t *testing.T) {
	t.Parallel()

	t.Run("a second Close returns fs.ErrClosed", func(t *testing.T) {
		t.Parallel()
		f, err := os.Create(lab.Path(t, "locks.json"))
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.ErrorIs(t, f.Close(), fs.ErrClosed)
	})

	t.Run("a second Close leaves a file alone that was opened in between", func(t *testing.T) {
		t.Parallel()
		first, err := os.Create(lab.Path(t, "first"))
		require.NoError(t, err)
		require.NoError(t, first.Close())
		second, err := os.Create(lab.Path(t, "second"))
		require.NoError(t, err)
		require.Error(t, first.Close())
		_, err = second.WriteString("still mine")
		require.NoError(t, err)
		require.NoError(t, second.Close())
	})

	// Source: errors.Join.
	t.Run("a joined error matches each of its parts", func(t *testing.T) {
		t.Parallel()
		taken := errors.New("bracket.step is taken by alice")
		err := errors.Join(taken, fs.ErrClosed)
		require.ErrorIs(t, err, taken)
		require.ErrorIs(t, err, fs.ErrClosed)
	})

	t.Run("joining only nils gives nil", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, errors.Join(nil, nil))
	})
}

// Source for all: bufio.Writer: "After all data has been written, the client should call the Writer.Flush method to
// guarantee all data has been forwarded to the underlying io.Writer. If an error occurs writing to a Writer, no more
// data will be accepted and all subsequent writes, and Flush, will return the error."
func TestBuffer(t *testing.T) {
	t.Parallel()

	t.Run("a long report loses only its end", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "report.txt")
		f, err := os.Create(path)
		require.NoError(t, err)
		w := bufio.NewWriter(f)
		for range 300 {
			fmt.Fprintln(w, "bracket.step alice")
		}
		require.NoError(t, f.Close())
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, 4096, info.Size(), "300 lines of 19 bytes are 5700")
	})

	t.Run("Flush after Close is too late", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "report.txt")
		f, err := os.Create(path)
		require.NoError(t, err)
		w := bufio.NewWriter(f)
		fmt.Fprintln(w, "bracket.step alice")
		require.NoError(t, f.Close())
		require.ErrorIs(t, w.Flush(), fs.ErrClosed)
		requireContent(t, path, "")
	})

	t.Run("the first error stays with the buffer until Flush", func(t *testing.T) {
		t.Parallel()
		f, err := os.Create(lab.Path(t, "report.txt"))
		require.NoError(t, err)
		require.NoError(t, f.Close())
		w := bufio.NewWriter(f)
		_, err = w.WriteString(strings.Repeat("a", w.Size()+1)) // does not fit: the file is tried
		require.ErrorIs(t, err, fs.ErrClosed)
		_, err = w.WriteString("b")
		require.ErrorIs(t, err, fs.ErrClosed)
		require.ErrorIs(t, w.Flush(), fs.ErrClosed)
	})

	// Source: os.File has no buffer: Write is one write(2), WriteFile on Windows.
	t.Run("os.File has no buffer", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "report.txt")
		f, err := os.Create(path)
		require.NoError(t, err)
		defer f.Close()
		_, err = f.WriteString("bracket.step alice\n")
		require.NoError(t, err)
		requireContent(t, path, "bracket.step alice\n")
	})

	t.Run("what is in a buffer is lost with the process", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "report.txt")
		require.Error(t, lab.Run(t, "buffer and then die", path))
		requireContent(t, path, "")
	})

	t.Run("what the kernel has accepted survives the kill of the process", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "report.txt")
		worker := lab.Start(t, "write and wait", path)
		worker.Reached("written")
		worker.Kill()
		requireContent(t, path, "bracket.step alice\n")
	})

	// Source: bufio.Scanner: "Scanning stops unrecoverably at EOF, the first I/O error, or a token too large to fit in the
	// Scanner.Buffer"; bufio.MaxScanTokenSize.
	t.Run("a Scanner stops at a line of 64 KiB, and only Err reports it", func(t *testing.T) {
		t.Parallel()
		scanner, lines := bufio.NewScanner(strings.NewReader("first\n"+strings.Repeat("a", 64*1024)+"\nlast\n")), 0
		for scanner.Scan() {
			lines++
		}
		require.Equal(t, 1, lines)
		require.ErrorIs(t, scanner.Err(), bufio.ErrTooLong)
	})
}

// A writeAndWait worker stands at a step after its Write, without Sync and Close, until the test kills it.
func writeAndWait(w *lab.Worker) error {
	f, err := os.Create(w.Arg(0))
	if err != nil {
		return err
	}
	if _, err := f.WriteString("bracket.step alice\n"); err != nil {
		return err
	}
	w.Reached("written")
	return f.Close()
}

func requireContent(t *testing.T, path, want string) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(content))
}

func bufferAndDie(w *lab.Worker) error {
	f, err := os.Create(w.Arg(0))
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(f)
	defer buffer.Flush()
	fmt.Fprintln(buffer, "bracket.step alice")
	os.Exit(3)
	return nil
}

// Source: os.File.Fd: "If f is garbage collected, a finalizer may close the descriptor, making it invalid; see
// runtime.SetFinalizer for more information on when a finalizer might be run." The documentation promises no time for that.
func TestCollector(t *testing.T) {
	t.Parallel()

	t.Run("the garbage collector closes a file that is no longer referenced", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, lab.Run(t, "keep only the path", lab.WriteFile(t, "locks.json", "{}")))
	})

	t.Run("a file that is still referenced stays open", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, lab.Run(t, "keep the file", lab.WriteFile(t, "locks.json", "{}")))
	})
}

// keepNothing keeps the number that Fd gave and drops the file, as many a lock library did.
func keepNothing(w *lab.Worker) error {
	number, err := openAndForget(w.Arg(0))
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		runtime.GC() // the finalizer runs in a goroutine of its own, some time after
		if open, err := lab.IsOpen(w.Arg(0)); err != nil || !open {
			return err
		}
	}
	return fmt.Errorf("handle %d is still open", number)
}

//go:noinline
func openAndForget(path string) (uintptr, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	return f.Fd(), nil
}

func keepFile(w *lab.Worker) error {
	f, err := os.Open(w.Arg(0))
	if err != nil {
		return err
	}
	for range 5 {
		runtime.GC()
		runtime.Gosched()
	}
	open, err := lab.IsOpen(w.Arg(0))
	if err == nil && !open {
		err = errors.New("the file was closed although it is still referenced")
	}
	return errors.Join(err, f.Close())
}
