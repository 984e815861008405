package close_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	close "example/turnstile/exercises/02_close"
	"example/turnstile/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"write lines under a size limit":     writeLinesUnderALimit,
		"count lines with few handles":       countLinesWithFewHandles,
		"count lines of a file and a folder": countLinesOfAFolder,
	})
}

var errTaken = errors.New("bracket.step is taken by alice")

// The tests of this file take no time and run one after another, so that the first to fail is the first to read.

// Four ways out of use; on each the file must be closed when With is left.
func TestWithClosesTheFile(t *testing.T) {
	tests := []struct {
		name string
		use  func(f *os.File) error
		came string // what use did, as the message tells it
	}{
		{"when use returns nil", func(*os.File) error { return nil }, "returned nil"},
		{"when use returns an error", func(*os.File) error { return errTaken }, "returned an error"},
		{"when use panics", func(*os.File) error { panic("no such part") }, "panicked"},
		{"when use ends its goroutine", func(*os.File) error { runtime.Goexit(); return nil }, "ended its goroutine (runtime.Goexit)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := lab.WriteFile(t, "locks.json", "{}")
			calls := 0
			result := leave(t, func() error {
				return close.With(path, os.O_RDWR, 0, func(f *os.File) error {
					t.Cleanup(func() { f.Close() }) // keeps the garbage collector from closing it for the learner
					calls++
					return test.use(f)
				})
			})
			lab.RequireEqual(t, 1, calls, lab.Lesson{
				Says:  "With did not call use exactly once",
				Did:   "With opened locks.json for one use that " + test.came,
				Means: "a check-out is done twice, or not at all",
				Read:  `lessons/02_close, "The way out"`,
			})
			requireClosed(t, path, lab.Lesson{
				Says:  "With left the file open after use " + test.came,
				Did:   "With opened locks.json; use " + test.came + "; then the test asked the system who has the file open",
				Means: "every such call costs a handle until the process can open nothing any more, and Windows does not delete the file",
				Read:  `lessons/02_close, "defer runs when the function ends"`,
			})
			if test.came == "returned nil" {
				lab.RequireNoError(t, result.err, lab.Lesson{
					Says:  "With returned an error although nothing failed",
					Did:   "With opened locks.json; use returned nil",
					Means: "a check-out that is in the file is reported as failed, and done again",
					Read:  `lessons/02_close, "The way out"`,
				})
			}
		})
	}
}

func TestWithLetsAPanicGoOn(t *testing.T) {
	path := lab.WriteFile(t, "locks.json", "{}")
	result := leave(t, func() error {
		return close.With(path, os.O_RDWR, 0, func(*os.File) error { panic("no such part") })
	})
	lab.RequireEqual(t, `it panicked with "no such part"`, result.String(), lab.Lesson{
		Says:  "With stopped the panic of use",
		Did:   `use called panic("no such part"); With had to close the file and let the panic go on`,
		Means: "a bug in the program is taken for an ordinary result, and the program goes on with data it did not understand",
		Read:  `lessons/02_close, "defer runs when the function ends"`,
	})

	result = leave(t, func() error {
		return close.With(path, os.O_RDWR, 0, func(*os.File) error { runtime.Goexit(); return nil })
	})
	lab.RequireEqual(t, "it ended the goroutine", result.String(), lab.Lesson{
		Says:  "With came back although use had ended its goroutine",
		Did:   "use called runtime.Goexit, which is how t.FailNow leaves; With had to close the file and nothing else",
		Means: "code runs on that was told to stop",
		Read:  `lessons/02_close, "defer runs when the function ends"`,
	})
}

func TestWithReportsTheErrorOfClose(t *testing.T) {
	path := lab.WriteFile(t, "locks.json", "{}")
	err := close.With(path, os.O_RDWR, 0, func(f *os.File) error { return f.Close() })
	lab.RequireErrorIs(t, err, fs.ErrClosed, lab.Lesson{
		Says:  "With dropped the error of Close",
		Did:   "use closed the file by itself and returned nil, so that With's own Close had to fail",
		Means: "on a network disk or over a quota, Close is the call that says the data is lost: With answers that all is well",
		Read:  `lessons/02_close, "Close has something to say"`,
	})
}

func TestWithReportsBothErrors(t *testing.T) {
	path := lab.WriteFile(t, "locks.json", "{}")
	err := close.With(path, os.O_RDWR, 0, func(f *os.File) error {
		return errors.Join(errTaken, f.Close()) // the Close that fails is With's
	})
	did := "use closed the file by itself and returned its own error: With had two errors to report"
	lab.RequireErrorIs(t, err, errTaken, lab.Lesson{
		Says:  "With lost the error of use",
		Did:   did,
		Means: "the caller hears that a file could not be closed, and never that alice has the part",
		Read:  `lessons/02_close, "Close has something to say"`,
	})
	lab.RequireErrorIs(t, err, fs.ErrClosed, lab.Lesson{
		Says:  "With lost the error of Close when use failed too",
		Did:   did,
		Means: "whoever looks for the lost data gets half of the story",
		Read:  `lessons/02_close, "Close has something to say"`,
	})
}

func TestWithoutAFileUseIsNotCalled(t *testing.T) {
	path := lab.Path(t, "missing.json")
	called := false
	result := leave(t, func() error {
		return close.With(path, os.O_RDWR, 0, func(*os.File) error { called = true; return nil })
	})
	lab.Require(t, !called, lab.Lesson{
		Says:     "With called use without a file",
		Did:      "there is no missing.json, and With was not asked to create it",
		Expected: "use is not called",
		Found:    "use was called",
		Means:    "the program works on a file that was never opened",
		Read:     `lessons/02_close, "The way out"`,
	})
	lab.RequireErrorIs(t, result.err, fs.ErrNotExist, lab.Lesson{
		Says:  "With did not report why the file could not be opened",
		Did:   "there is no missing.json, and With was not asked to create it",
		Means: "the caller cannot tell a missing file from a broken disk",
		Read:  `lessons/02_close, "The way out"`,
	})
	lab.Require(t, !errors.Is(result.err, fs.ErrInvalid), lab.Lesson{
		Says:     "With closed a file that it never opened",
		Did:      "there is no missing.json: os.OpenFile returned no file, so nothing was there to close",
		Expected: "the error of os.OpenFile alone",
		Found:    fmt.Sprintf("%q", fmt.Sprint(result.err)),
		Means:    "the message that says what is wrong is followed by one that says nothing",
		Read:     `lessons/02_close, "defer runs when the function ends"`,
	})
}

// An outcome is how a call was left: by a return, by a panic, or not at all because its goroutine ended.
type outcome struct {
	returned bool
	err      error
	panicked any
}

func (o outcome) String() string {
	switch {
	case o.returned:
		return fmt.Sprintf("it returned %v", o.err)
	case o.panicked != nil:
		return fmt.Sprintf("it panicked with %q", fmt.Sprint(o.panicked))
	}
	return "it ended the goroutine"
}

// leave runs call in a goroutine of its own and says how it was left.
func leave(t *testing.T, call func() error) outcome {
	t.Helper()
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panicked = recover()
			done <- o
		}()
		o.err = call()
		o.returned = true
	}()
	return <-done
}

// requireClosed fails the test if this process has the file open.
func requireClosed(t *testing.T, path string, l lab.Lesson) {
	t.Helper()
	open, err := isOpen(path)
	lab.RequireNoError(t, err, lab.Lesson{
		Says:  "The system does not tell whether the file is open",
		Did:   "the test asked for the open handles of its own process",
		Means: "this is a matter of the machine, not of your code",
	})
	l.Expected, l.Found = "the file is closed", "the file is still open"
	lab.Require(t, !open, l)
}

// isOpen asks again for a while on Windows: there a virus scanner may hold a file for a moment after it was written, and
// the system does not tell whose handle it is. A leaked handle does not go away by waiting.
func isOpen(path string) (bool, error) {
	open, err := lab.IsOpen(path)
	for deadline := time.Now().Add(time.Second); open && err == nil && runtime.GOOS == "windows" && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		open, err = lab.IsOpen(path)
	}
	return open, err
}

// withoutCollector keeps the garbage collector from closing files that a wrong answer has left open.
func withoutCollector() { debug.SetGCPercent(-1) }
