package close_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example/turnstile/internal/lab"

	close "example/turnstile/exercises/02_close"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"write lines under a size limit": writeLinesUnderALimit,
		"count lines with few handles":   countLinesWithFewHandles,
		"count lines and stop":           countLinesAndStop,
		"open with no handle left":       openWithNoHandleLeft,
		"recover from use":               recoverFromUse,
		"make files under a umask":       makeFilesUnderAUmask,
		"fail to close":                  failToClose,
		"fail to write":                  failToWrite,
		"fail to read":                   failToRead,
		"wait for a pipe":                waitForAPipe,
		"ask between marks":              askBetweenMarks,
		"nest":                           nest,
		"wait in close":                  waitInClose,
		"read and wait":                  readAndWait,
	})
}

var errTaken = errors.New("bracket.step is taken by alice")

const (
	sectionWhy      = `lessons/02_close, "Why it happens"`
	sectionFix      = `lessons/02_close, "The fix"`
	sectionLoop     = `lessons/02_close, "A loop needs a function for each turn"`
	sectionBuffer   = `lessons/02_close, "Where the bytes are"`
	sectionClose    = `lessons/02_close, "When Close fails"`
	sectionChildren = `lessons/02_close, "What a child process inherits"`
	sectionTurn     = `lessons/02_close, "Your turn"`
)

// The tests of this file are quick and run one after another, so that the first to fail is the first to read.

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
			if test.came == "panicked" {
				requireRecoverable(t)
			}
			path := lab.WriteFile(t, "locks.json", "{}")
			calls, opened := 0, ""
			result := leave(t, "With", func() error {
				return close.With(path, os.O_RDWR, 0, func(f *os.File) error {
					keep(t, f)
					calls++
					if f != nil {
						opened = f.Name()
					}
					return test.use(f)
				})
			})
			lab.Require(t, calls == 1, lab.Lesson{
				Says:     "With did not call use exactly once",
				Did:      "the test called With(locks.json) with a use that " + test.came + " and counted the calls of use",
				Expected: "use is called once",
				Found:    fmt.Sprintf("use was called %d times; With: %s", calls, result),
				Means:    "a checkout is recorded twice, or not at all",
				Read:     sectionFix,
			})
			lab.RequireEqual(t, path, opened, lab.Lesson{
				Says:  "With did not give use the open file",
				Did:   "the test called With(locks.json) and looked at the name of the file that use got",
				Means: "the program reads and writes another file, or none",
				Read:  sectionFix,
			})
			requireClosed(t, path, lab.Lesson{
				Says:  "With left the file open after use " + test.came,
				Did:   "With opened locks.json; use " + test.came + "; then the test asked the kernel which files are open",
				Means: "each such call costs a handle until the process can open nothing more; on Windows the file cannot be deleted",
				Read:  sectionWhy,
			})
			if test.came == "returned nil" {
				lab.RequireNoError(t, result.err, lab.Lesson{
					Says:  "With returned an error although nothing failed",
					Did:   "With opened locks.json; use returned nil",
					Means: "a checkout that is in the file is reported as failed, and a person repeats it",
					Read:  sectionFix,
				})
			}
		})
	}
}

func TestWithLetsAPanicGoOn(t *testing.T) {
	requireRecoverable(t)
	panics := []struct {
		name string
		use  func(f *os.File) error
		same func(value any) bool
	}{
		{`panic("no such part")`, func(*os.File) error { panic("no such part") }, func(value any) bool { return value == "no such part" }},
		{"panic(errTaken), with an error value", func(*os.File) error { panic(errTaken) }, func(value any) bool { return value == errTaken }},
		{"panic(404), with a number", func(*os.File) error { panic(404) }, func(value any) bool { return value == 404 }},
		{`panic("no such part"), after use had closed the file`, func(f *os.File) error {
			f.Close() // so that With's Close fails
			panic("no such part")
		}, func(value any) bool { return value == "no such part" }},
		{"panic(errTaken), after use had closed the file", func(f *os.File) error {
			f.Close()
			panic(errTaken)
		}, func(value any) bool { return value == errTaken }},
		{"an index out of range", func(*os.File) error { var none []error; return none[len(errTaken.Error())] }, func(value any) bool {
			_, isRuntimeError := value.(runtime.Error)
			return isRuntimeError
		}},
	}
	for _, p := range panics {
		t.Run(p.name, func(t *testing.T) {
			path := lab.Path(t, "locks.json")
			result := leave(t, "With", func() error {
				return close.With(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600, func(f *os.File) error { keepAndWrite(t, f); return p.use(f) })
			})
			lesson := lab.Lesson{
				Says:     "With stopped the panic of use",
				Did:      "use panicked: " + p.name,
				Expected: "With closes the file and the panic goes on",
				Found:    result.String(),
				Means:    "a bug in the program looks like an ordinary result, and the program goes on with data that it did not understand",
				Read:     sectionFix,
			}
			lab.Require(t, result.panicked != nil, lesson)
			lesson.Says = "With replaced the value of the panic"
			lesson.Expected = "the panic goes on with the same value"
			lesson.Found = fmt.Sprintf("a panic with another value, of type %T: %s", result.panicked, shorten(fmt.Sprint(result.panicked)))
			lesson.Means = "a caller that recovers and looks for its own error value no longer finds it"
			lab.Require(t, p.same(result.panicked), lesson)
			requireContent(t, path, lesson.Did)
			lesson.Says = "With left the file open after one kind of panic"
			lesson.Means = "each such call costs a handle until the process can open nothing more"
			requireClosed(t, path, lesson)
		})
	}
	t.Run("runtime.Goexit", func(t *testing.T) {
		path := lab.Path(t, "locks.json")
		result := leave(t, "With", func() error {
			return close.With(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600, func(f *os.File) error {
				keepAndWrite(t, f)
				runtime.Goexit()
				return nil
			})
		})
		lab.RequireEqual(t, "it ended the goroutine", result.String(), lab.Lesson{
			Says:  "With went on after use had ended its goroutine",
			Did:   "use called runtime.Goexit, as t.FailNow does",
			Means: "code runs that should not run any more: a failed test goes on, and reports success",
			Read:  sectionFix,
		})
		requireContent(t, path, "use called runtime.Goexit")
	})
}

func requireContent(t *testing.T, path, did string) {
	t.Helper()
	lab.RequireFile(t, path, "{}", lab.Lesson{
		Says:  "With changed or removed the file",
		Did:   "With made locks.json and use wrote {}; then " + did,
		Means: "what use had written is gone, and neither use nor the caller of With had asked for that",
		Read:  sectionFix,
	})
}

func keepAndWrite(t *testing.T, f *os.File) {
	keep(t, f)
	f.WriteString("{}") // where it cannot, the content of the file shows it
}

func TestWithReportsTheErrorOfClose(t *testing.T) {
	for _, open := range []struct {
		how  string
		flag int
	}{{"for reading and writing", os.O_RDWR}, {"for reading", os.O_RDONLY}, {"for appending", os.O_WRONLY | os.O_APPEND}} {
		t.Run("of a file opened "+open.how, func(t *testing.T) {
			path := lab.WriteFile(t, "locks.json", "{}")
			result := leave(t, "With", func() error {
				return close.With(path, open.flag, 0, func(f *os.File) error { return f.Close() })
			})
			requireReturned(t, "With", result)
			lab.RequireErrorIs(t, result.err, fs.ErrClosed, lab.Lesson{
				Says:  "With dropped the error of Close",
				Did:   "With opened locks.json " + open.how + "; use closed the file itself and returned nil, so With's own Close had to fail",
				Means: "on a network file system Close can be the first call to report that data is lost: With would return nil",
				Read:  sectionFix,
			})
		})
	}
}

// Other code treats most of these errors as none, or as a reason to try again; With knows nothing about what they mean to use.
func TestWithReturnsTheErrorOfUse(t *testing.T) {
	interrupted := &fs.PathError{Op: "read", Path: "parts.json", Err: syscall.EINTR}
	for _, want := range []error{errTaken, io.EOF, fs.ErrNotExist, fs.ErrClosed, fs.SkipAll, context.Canceled, interrupted} {
		t.Run(want.Error(), func(t *testing.T) {
			path, calls := lab.Path(t, "locks.json"), 0
			result := leave(t, "With", func() error {
				return close.With(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600, func(f *os.File) error {
					keepAndWrite(t, f)
					if calls++; calls > 1 {
						return nil
					}
					return want
				})
			})
			requireReturned(t, "With", result)
			lesson := lab.Lesson{
				Says:     "With called use again after an error",
				Did:      fmt.Sprintf("With made locks.json; use returned %q; Close had no error", want),
				Expected: "use is called once",
				Found:    fmt.Sprintf("use was called %d times", calls),
				Means:    "what use had done before its error is done twice",
				Read:     sectionFix,
			}
			lab.Require(t, calls == 1, lesson)
			lesson.Says, lesson.Expected, lesson.Found = "With dropped the error of use", "", ""
			lesson.Means = "the caller believes that use has done its work: a checkout that was refused counts as granted"
			lab.RequireErrorIs(t, result.err, want, lesson)
			requireContent(t, path, fmt.Sprintf("use returned %q", want))
			lesson.Says = "With left the file open after one kind of error"
			lesson.Means = "the error is about another file or connection: each such call costs a handle until the process can open nothing more"
			requireClosed(t, path, lesson)
			if want == fs.ErrClosed {
				return
			}
			lesson.Says = "With closed the file a second time after an error of use"
			lesson.Expected, lesson.Found = "the error of use alone", shorten(result.err.Error())
			lesson.Means = "the message that names the cause is followed by one that misleads"
			lab.Require(t, !errors.Is(result.err, fs.ErrClosed), lesson)
			result = leave(t, "With", func() error {
				return close.With(path, os.O_RDWR, 0, func(f *os.File) error { f.Close(); return want })
			})
			requireReturned(t, "With", result)
			lesson = lab.Lesson{
				Says:  "With lost one of two errors",
				Did:   fmt.Sprintf("use closed the file itself, so that With's Close failed, and returned %q", want),
				Means: "a caller that looks for lost data finds half of the story",
				Read:  sectionFix,
			}
			lab.RequireErrorIs(t, result.err, want, lesson)
			lab.RequireErrorIs(t, result.err, fs.ErrClosed, lesson)
		})
	}
}

// A takenError is found by errors.As alone: no two of them are equal.
type takenError struct{ by []string }

func (e *takenError) Error() string { return "taken by " + strings.Join(e.by, ", ") }

func TestWithReportsBothErrors(t *testing.T) {
	for _, test := range []struct {
		name           string
		closes, failed bool // what use does: it closes the file, so that With's Close fails, or returns an error
	}{
		{"use returned an error of its own, and Close had none", false, true},
		{"use closed the file itself and returned nil", true, false},
		{"use closed the file itself and returned an error of its own, about another file that was closed: With had two to report", true, true},
	} {
		path := lab.WriteFile(t, "locks.json", "{}")
		result := leave(t, "With", func() error {
			return close.With(path, os.O_RDWR, 0, func(f *os.File) error {
				keep(t, f)
				if test.closes {
					f.Close()
				}
				if test.failed {
					return fmt.Errorf("check out: %w: the list: %w", &takenError{by: []string{"alice"}}, fs.ErrClosed)
				}
				return nil
			})
		})
		requireReturned(t, "With", result)
		_, found := errors.AsType[*takenError](result.err)
		lesson := lab.Lesson{
			Says:     "With lost the error of use",
			Did:      test.name,
			Expected: "errors.As finds the error of use",
			Found:    shorten(fmt.Sprintf("%T: %v", result.err, result.err)),
			Means:    "the caller learns that a file could not be closed, and not that alice has the part",
			Read:     sectionFix,
		}
		lab.Require(t, found || !test.failed, lesson)
		ofClose, found := errors.AsType[*fs.PathError](result.err)
		lesson = lesson.Say("With lost the error of Close")
		if test.failed {
			lesson = lesson.Say("With lost the error of Close when use failed too")
		}
		lesson.Means = "a caller that looks for lost data finds half of the story"
		lesson.Expected = "errors.Is finds fs.ErrClosed"
		lab.Require(t, errors.Is(result.err, fs.ErrClosed) || !test.closes, lesson)
		lesson.Expected = "errors.As finds the *fs.PathError of Close"
		lab.Require(t, found && ofClose.Op == "close" || !test.closes, lesson)
	}
}

func TestWithReturnsTheErrorOfOpen(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken.json")
	write(t, taken, "{}")
	for _, test := range []struct {
		name, path string
		flag       int
	}{
		{"a missing file", filepath.Join(dir, "missing.json"), os.O_RDWR},
		{"a file that exists, opened with O_EXCL", taken, os.O_RDWR | os.O_CREATE | os.O_EXCL},
		{"a missing directory", filepath.Join(dir, "missing", "locks.json"), os.O_RDWR | os.O_CREATE},
		{"a directory opened for writing", dir, os.O_RDWR},
		{"an empty path", "", os.O_RDWR | os.O_CREATE},
		{"a name of 300 letters", filepath.Join(dir, strings.Repeat("a", 300)), os.O_RDWR | os.O_CREATE},
		{"a name with a NUL byte", filepath.Join(dir, "a\x00b"), os.O_RDWR | os.O_CREATE},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, wanted := os.OpenFile(test.path, test.flag, 0o666)
			want, ok := errors.AsType[*fs.PathError](wanted)
			if !ok {
				t.Skipf("this system opens %s (%v)", test.name, wanted)
			}
			called := false
			result := leave(t, "With", func() error {
				return close.With(test.path, test.flag, 0o666, func(*os.File) error { called = true; return nil })
			})
			requireOpenError(t, test.name, called, want, result)
		})
	}
	for _, errno := range []error{
		syscall.ENFILE, syscall.EMFILE, syscall.ETXTBSY, syscall.EAGAIN, syscall.EACCES, syscall.EROFS, syscall.ENOENT,
	} {
		t.Run("a file that the kernel refuses once, "+errno.Error(), func(t *testing.T) {
			called := false
			var names []string
			var refused error
			result := leave(t, "With", func() (err error) {
				names, refused = lab.RefuseOne(0, errno, func() {
					err = close.With(taken, os.O_RDWR, 0, func(*os.File) error { called = true; return nil })
				})
				return err
			})
			requireReturned(t, "With", result)
			lab.RequireRefuse(t, refused)
			if len(names) == 0 || names[0] != "openat" {
				t.Skip("the call that was refused is not the open")
			}
			what := fmt.Sprintf("a file for which the kernel had once %q", errno)
			requireOpenError(t, what, called, &fs.PathError{Op: "open", Path: taken, Err: errno}, result)
		})
	}
}

func requireOpenError(t *testing.T, what string, called bool, want *fs.PathError, result outcome) {
	t.Helper()
	lesson := lab.Lesson{
		Says:     "With called use where os.OpenFile fails",
		Did:      "With was told to open " + what + ", which os.OpenFile refuses",
		Expected: "use is not called",
		Found:    "use was called",
		Means:    "the program works on a file that was not opened, that should not exist, or that a second try has opened unasked",
		Read:     sectionFix,
	}
	lab.Require(t, !called, lesson)
	requireReturned(t, "With", result)
	got, isPathError := errors.AsType[*fs.PathError](result.err)
	lesson.Says = "With did not return the error of os.OpenFile"
	lesson.Expected = fmt.Sprintf("an *fs.PathError with the operation, the path and %q", want.Err)
	lesson.Found = shorten(fmt.Sprintf("%T: %v", result.err, result.err))
	lesson.Means = "the caller cannot tell what was refused, for which path and why"
	lab.Require(t, isPathError && got.Op == want.Op && got.Path == want.Path && errors.Is(got.Err, want.Err), lesson)
	lesson.Says = "With closed a file that it never opened"
	lesson.Expected = "the error of os.OpenFile alone"
	lesson.Means = "the message that names the cause is followed by one that misleads"
	lab.Require(t, errors.Is(want, fs.ErrInvalid) || !errors.Is(result.err, fs.ErrInvalid), lesson)
}

// os.OpenFile itself says what is right: the test makes the same call in another directory. The paths are relative to that directory.
func TestWithOpensAsOpenFileDoes(t *testing.T) {
	for _, test := range []struct {
		name, path string
		flag       int
		perm       fs.FileMode
	}{
		{"O_APPEND", "locks.json", os.O_WRONLY | os.O_APPEND, 0},
		{"O_RDWR and O_APPEND", "locks.json", os.O_RDWR | os.O_APPEND, 0},
		{"O_TRUNC", "locks.json", os.O_WRONLY | os.O_TRUNC, 0},
		{"neither, over a longer document", "locks.json", os.O_RDWR, 0},
		{"O_RDONLY", "locks.json", os.O_RDONLY, 0},
		{"O_CREATE and mode 0600", "new.json", os.O_WRONLY | os.O_CREATE, 0o600},
		{"O_CREATE and mode 0666", "new.json", os.O_WRONLY | os.O_CREATE | os.O_EXCL, 0o666},
		{"O_CREATE, mode 0600 and the sticky bit", "new.json", os.O_WRONLY | os.O_CREATE, 0o600 | fs.ModeSticky},
		{"O_CREATE, through a link to a missing file", "dangling.json", os.O_WRONLY | os.O_CREATE, 0o600},
		{"O_RDWR, above a linked directory", "link/../locks.json", os.O_RDWR, 0},
	} {
		if !t.Run(test.name, func(t *testing.T) {
			want, err := openInNewDirectory(t, test.path, func(use func(*os.File) error) error {
				f, err := os.OpenFile(test.path, test.flag, test.perm)
				if err != nil {
					return err
				}
				return errors.Join(use(f), f.Close())
			})
			requireMachine(t, err)
			got, err := openInNewDirectory(t, test.path, func(use func(*os.File) error) error {
				result := leave(t, "With", func() error {
					return close.With(test.path, test.flag, test.perm, func(f *os.File) error { keep(t, f); return use(f) })
				})
				requireReturned(t, "With", result)
				return result.err
			})
			lesson := lab.Lesson{
				Says:  "With did not open the file as os.OpenFile does",
				Did:   fmt.Sprintf("after os.Chdir to a new directory, With(%q) was called (%s); use read a byte, then wrote []", test.path, test.name),
				Means: "the caller's path, flags and mode decide which file it is, who can read it and what becomes of the old content",
				Read:  sectionTurn,
			}
			lab.RequireNoError(t, err, lesson)
			lab.Require(t, got == want, withExpected(lesson, want.unlike(got), got.unlike(want)))
			lesson.Says = "With left a file open that was opened with other flags"
			requireClosed(t, test.path, lesson)
		}) {
			return // where With opens another path, the rows that create a file would leave it there
		}
	}
}

// An opened is what came of opening a file, reading a byte and writing [].
type opened struct {
	access, content string
	mode            fs.FileMode
}

// unlike names what differs, and no more: one letter of a mode is easily missed in a long line.
func (o opened) unlike(other opened) string {
	var parts []string
	if o.access != other.access {
		parts = append(parts, o.access)
	}
	if o.content != other.content {
		parts = append(parts, fmt.Sprintf("afterwards the file holds %q", o.content))
	}
	if o.mode != other.mode {
		parts = append(parts, fmt.Sprintf("the mode of the file is %v", o.mode))
	}
	return strings.Join(parts, "; ")
}

func openInNewDirectory(t *testing.T, path string, open func(use func(*os.File) error) error) (seen opened, err error) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "locks.json", "{       }")
	requireMachine(t, os.MkdirAll(filepath.Join("elsewhere", "inner"), 0o700))
	write(t, filepath.Join("elsewhere", "locks.json"), "{ }")
	if err := errors.Join(os.Symlink("missing.json", "dangling.json"), os.Symlink(filepath.Join("elsewhere", "inner"), "link")); err != nil &&
		path != "locks.json" && path != "new.json" {
		t.Skipf("this system makes no link here: %v", err)
	}
	if err := open(func(f *os.File) error {
		first := make([]byte, 1)
		n, readError := f.Read(first)
		_, writeError := f.WriteString("[]")
		seen.access = fmt.Sprintf("reading possible: %t, and gives %q, writing possible: %t",
			readError == nil || readError == io.EOF, first[:n], writeError == nil)
		return nil
	}); err != nil {
		return seen, err
	}
	content, err := os.ReadFile(path)
	requireMachine(t, err)
	seen.content, seen.mode = string(content), mode(t, path)
	return seen, nil
}

// Close is called on a file that is closed already, while its number (on Unix) belongs to the next file.
func TestWithClosesNoOtherFile(t *testing.T) {
	path, other := lab.WriteFile(t, "locks.json", "{}"), lab.Path(t, "history.log")
	var log *os.File
	result := leave(t, "With", func() error {
		return close.With(path, os.O_RDWR, 0, func(f *os.File) error {
			err := f.Close()
			log, _ = os.Create(other)
			return err
		})
	})
	requireReturned(t, "With", result)
	if log == nil {
		t.Fatal("the test could not create history.log: this is a matter of the machine, not of your code")
	}
	_, err := log.WriteString("still open\n")
	lab.RequireNoError(t, errors.Join(err, log.Close()), lab.Lesson{
		Says:  "With closed a file that is not its own",
		Did:   "use closed locks.json itself and opened history.log, which got the same number; after With the test wrote to history.log",
		Means: "another part of the program loses its file, or writes into a stranger's",
		Read:  sectionClose,
	})
}

// In a process of its own: calls that wait for each other would hold up the other tests too.
func TestWithInsideWith(t *testing.T) {
	const deep = 50
	worker := lab.Start(t, "nest", lab.WriteFile(t, "locks.json", "{}"), lab.WriteFile(t, "parts.json", "[]"), fmt.Sprint(deep))
	lesson := lab.Lesson{
		Says:  "With inside With disturbed the outer file",
		Did:   fmt.Sprintf("use called With for another file, whose use called it for the same one, %d deep; then each read its own file", deep),
		Means: "two parts of a program that use With at the same time get in each other's way",
		Read:  sectionTurn,
	}
	var seen nested
	worker.Result(&seen, lesson)
	lab.RequireNoError(t, worker.Wait(lesson), lesson)
	lab.RequireEqual(t, nested{Read: strings.Repeat("{}", deep)}, seen, lesson)
}

type nested struct{ Read, Err string }

func nest(w *lab.Worker) error {
	var seen nested
	var call func(left int) error
	call = func(left int) error {
		if left == 0 {
			return nil
		}
		return close.With(w.Arg(0), os.O_RDWR, 0, func(f *os.File) error {
			err := close.With(w.Arg(1), os.O_RDONLY, 0, func(*os.File) error { return call(left - 1) })
			buffer := make([]byte, 8)
			n, readError := f.Read(buffer)
			seen.Read += string(buffer[:n])
			return errors.Join(err, readError)
		})
	}
	seen.Err = text(call(w.Int(2)))
	return w.Result(seen)
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
		return shorten(fmt.Sprintf("it returned %v", o.err))
	case o.panicked != nil:
		return shorten(fmt.Sprintf("it panicked: %v", o.panicked))
	}
	return "it ended the goroutine"
}

// leave runs a call of the named function in a goroutine of its own and says how it was left.
func leave(t *testing.T, function string, call func() error) outcome {
	t.Helper()
	return leaveAfter(t, function, "the test called "+function+" and waited", call)
}

func leaveAfter(t *testing.T, function, did string, call func() error) outcome {
	t.Helper()
	var o outcome
	lab.Finishes(t, func() {
		defer func() { o.panicked = recover() }()
		o.err = call()
		o.returned = true
	}, lab.Lesson{
		Says:  function + " did not return",
		Did:   did,
		Means: "the program stands still; this is the test's time limit, and nothing is known about the file",
		Read:  sectionTurn,
	})
	return o
}

func requireReturned(t *testing.T, function string, o outcome) {
	t.Helper()
	lab.Require(t, o.returned, lab.Lesson{
		Says:     function + " did not return to its caller",
		Did:      "the test called " + function + " with a callback and files that give no reason to panic",
		Expected: "it returns",
		Found:    o.String(),
		Means:    "the caller never gets a result; without a recover the whole program ends",
		Read:     sectionTurn,
	})
}

// requireRecoverable lets another process try first what would end this one: a panic that the caller of With cannot recover.
func requireRecoverable(t *testing.T) {
	t.Helper()
	recoverable.Do(func() {
		worker := lab.Start(t, "recover from use", lab.WriteFile(t, "locks.json", "{}"))
		recoverable.problem = worker.Wait(broken("With"))
	})
	lab.RequireNoError(t, recoverable.problem, lab.Lesson{
		Says:     "With turned a panic of use into the end of the process",
		Did:      "in a process of its own, use panicked, and the caller of With recovered, as net/http does for each request",
		Expected: "the panic reaches the caller of With",
		Means:    "use runs in a goroutine in which its caller cannot recover: one bad request ends the whole server",
		Read:     sectionFix,
	})
}

var recoverable struct {
	sync.Once
	problem error
}

func recoverFromUse(w *lab.Worker) error {
	defer func() { _ = recover() }()
	_ = close.With(w.Arg(0), os.O_RDWR, 0, func(*os.File) error { panic("no such part") }) // whether it returns is another test's question
	return nil
}

// receive takes the one result of a worker that runs the named function.
func receive(t *testing.T, worker *lab.Process, function string, result any) {
	t.Helper()
	worker.Result(result, broken(function))
	lab.RequireNoError(t, worker.Wait(), broken(function))
}

func broken(function string) lab.Lesson {
	return lab.Lesson{
		Says:  function + " did not come to a result in another process",
		Did:   "the test called " + function + " in a process of its own, which then had to report what it saw",
		Means: "the call hangs, panics or ends the process; nothing is known about the file",
		Read:  sectionTurn,
	}
}

// keep keeps the garbage collector from closing a file that With has left open.
func keep(t *testing.T, f *os.File) { t.Cleanup(func() { f.Close() }) }

// requireClosed fails the test if this process has the file open.
func requireClosed(t *testing.T, path string, l lab.Lesson) {
	t.Helper()
	open, err := isOpen(path)
	requireMachine(t, err)
	l.Expected, l.Found = "the file is closed", "the file is still open"
	lab.Require(t, !open, l)
}

// isOpen asks again for a while on Windows: there a virus scanner may hold a file for a moment after it was written, and
// the kernel does not say whose handle it is. A leaked handle does not go away by waiting.
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

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	requireMachine(t, err)
	return info.Mode()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	requireMachine(t, os.WriteFile(path, []byte(content), 0o600))
}

// requireMachine is for what the test itself does, without the learner's code.
func requireMachine(t *testing.T, err error) {
	t.Helper()
	lab.RequireNoError(t, err, lab.Lesson{
		Says:  "The test could not make or read its own files",
		Means: "this is a matter of the machine, not of your code",
	})
}

// shorten keeps a message readable: the paths of tests are long.
func shorten(text string) string {
	runes := []rune(strings.ReplaceAll(text, "\n", "; "))
	if len(runes) <= 160 {
		return string(runes)
	}
	return string(runes[:60]) + " … " + string(runes[len(runes)-90:])
}
