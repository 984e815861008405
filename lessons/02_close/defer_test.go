package close_test

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// workers run in processes of their own; files for one system add theirs.
var workers = lab.Workers{
	"leave":               leave,
	"keep only the path":  keepNothing,
	"keep the file":       keepFile,
	"panic elsewhere":     panicElsewhere,
	"stand with a defer":  standWithADefer,
	"buffer and then die": bufferAndDie,
	"write and wait":      writeAndWait,
}

func TestMain(m *testing.M) { lab.Main(m, workers) }

// Source for all: Go specification, "Defer statements", "Return statements" and "Handling panics"; runtime.Goexit.
func TestDefer(t *testing.T) {
	t.Parallel()

	t.Run("a deferred call runs when the function ends, not when the loop goes on", func(t *testing.T) {
		t.Parallel()
		var log []string
		func() {
			for _, part := range []string{"bracket", "gear"} {
				log = append(log, "open "+part)
				defer func() { log = append(log, "close "+part) }()
			}
			log = append(log, "after the loop")
		}()
		require.Equal(t, []string{"open bracket", "open gear", "after the loop", "close gear", "close bracket"}, log)
	})

	t.Run("return, break, continue and a panic skip a call at the end of the loop's body", func(t *testing.T) {
		t.Parallel()
		for _, leave := range []string{"return", "break", "continue", "panic", "nothing"} {
			closed := false
			func() {
				defer func() { _ = recover() }()
				for range 1 {
					switch leave {
					case "return":
						return
					case "continue":
						continue
					case "panic":
						panic("no such part")
					}
					if leave == "break" {
						break
					}
					closed = true
				}
			}()
			require.Equal(t, leave == "nothing", closed, leave)
		}
	})

	t.Run("the last deferred call runs first", func(t *testing.T) {
		t.Parallel()
		var log []string
		func() {
			defer func() { log = append(log, "close locks.json") }()
			defer func() { log = append(log, "close history.log") }()
		}()
		require.Equal(t, []string{"close history.log", "close locks.json"}, log)
	})

	// Source: Go specification, "For statements with range clause", and the doc of package iter: a defer in the loop's body
	// belongs to the function around the loop, although the body is called by the iterator.
	t.Run("a defer in a range over a function waits for the function around it too", func(t *testing.T) {
		t.Parallel()
		parts := func(yield func(string) bool) { _ = yield("bracket") && yield("gear") }
		var log []string
		func() {
			for part := range parts {
				defer func() { log = append(log, "close "+part) }()
			}
			log = append(log, "after the loop")
		}()
		require.Equal(t, []string{"after the loop", "close gear", "close bracket"}, log)
	})

	t.Run("defer remembers the file that the variable held at that line", func(t *testing.T) {
		t.Parallel()
		first, second := lab.WriteFile(t, "first", ""), lab.WriteFile(t, "second", "")
		var left *os.File
		func() {
			f, err := os.Open(first)
			require.NoError(t, err)
			defer f.Close()
			f, err = os.Open(second)
			require.NoError(t, err)
			left = f
		}()
		requireOpen(t, false, first)
		requireOpen(t, true, second)
		require.NoError(t, left.Close())
	})

	t.Run("a deferred function can change a result that has a name", func(t *testing.T) {
		t.Parallel()
		named := func() (err error) {
			defer func() { err = fs.ErrClosed }()
			return nil
		}
		require.Equal(t, fs.ErrClosed, named())
	})

	t.Run("a result without a name is copied before the deferred function runs", func(t *testing.T) { //nolint:ineffassign // the mistake
		t.Parallel()
		unnamed := func() error {
			var err error
			defer func() { err = fs.ErrClosed }()
			return err
		}
		require.NoError(t, unnamed())
	})

	t.Run("deferred calls run on a panic, and the panic goes on", func(t *testing.T) {
		t.Parallel()
		closed := false
		require.PanicsWithValue(t, "no such part", func() {
			defer func() { closed = true }()
			panic("no such part")
		})
		require.True(t, closed)
	})

	t.Run("deferred calls run when the goroutine ends itself", func(t *testing.T) {
		t.Parallel()
		closed := make(chan bool, 1)
		go func() {
			defer func() { closed <- recover() == nil }() // Goexit is not a panic: recover returns nil
			runtime.Goexit()
		}()
		require.True(t, <-closed)
	})

	// Source: os.File methods return ErrInvalid for a nil receiver (os/file_posix.go, checkValid; os.File.Close).
	t.Run("Close without a file is an error, not a panic", func(t *testing.T) {
		t.Parallel()
		f, err := os.Open(lab.Path(t, "missing.json"))
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Nil(t, f)
		require.ErrorIs(t, f.Close(), fs.ErrInvalid)
	})
}

// Deferred calls are the program's own promise: what ends the process as a whole runs none of them.
func TestDeferAndTheEndOfTheProcess(t *testing.T) {
	t.Parallel()
	ends := func(t *testing.T, how string) (marker string) {
		t.Helper()
		marker = lab.Path(t, "deferred")
		_ = lab.Run(t, "leave", how, marker) // the way the process ended is not the question
		return marker
	}

	// The counter-check: without it the facts below would also hold for a worker that never defers.
	t.Run("a function that returns runs them", func(t *testing.T) {
		t.Parallel()
		require.FileExists(t, ends(t, "return"))
	})

	// Source: os.Exit: "The program terminates immediately; deferred functions are not run."
	t.Run("os.Exit runs no deferred call", func(t *testing.T) {
		t.Parallel()
		require.NoFileExists(t, ends(t, "os.Exit"))
	})

	// Source: log.Fatal is equivalent to Print followed by a call to os.Exit(1).
	t.Run("log.Fatal runs no deferred call", func(t *testing.T) {
		t.Parallel()
		require.NoFileExists(t, ends(t, "log.Fatal"))
	})

	// Source: Go specification, "Handling panics": the program ends when the panicking goroutine's own deferred functions have run.
	t.Run("a panic in another goroutine runs none of yours", func(t *testing.T) {
		t.Parallel()
		marker := lab.Path(t, "deferred")
		require.Error(t, lab.Run(t, "panic elsewhere", marker))
		require.NoFileExists(t, marker)
	})

	t.Run("a process that is killed runs none", func(t *testing.T) {
		t.Parallel()
		marker := lab.Path(t, "deferred")
		worker := lab.Start(t, "stand with a defer", marker)
		worker.Reached("the call is deferred")
		worker.Kill()
		require.NoFileExists(t, marker)
	})
}

func leaveMarker(path string) { _ = os.WriteFile(path, nil, 0o600) }

func leave(w *lab.Worker) error {
	defer leaveMarker(w.Arg(1))
	exits[w.Arg(0)]()
	return nil
}

func panicElsewhere(w *lab.Worker) error {
	defer leaveMarker(w.Arg(0))
	go panic(errors.New("in a goroutine without a recover"))
	select {}
}

func standWithADefer(w *lab.Worker) error {
	defer leaveMarker(w.Arg(0))
	w.Reached("the call is deferred")
	return nil
}

func requireOpen(t *testing.T, want bool, path string) {
	t.Helper()
	open, err := lab.IsOpen(path)
	require.NoError(t, err)
	require.Equal(t, want, open, "is %s open?", path)
}
