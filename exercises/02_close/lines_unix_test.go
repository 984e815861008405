//go:build unix

package close_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"

	close "example/turnstile/exercises/02_close"
)

// Windows has no such limits for a process (see lab.LimitFileSize and lab.LimitHandles), hence the build tag.

// Two lines fit into any usual buffer, so that nothing reaches the kernel before the buffer is flushed; 10,000 lines do not.
func TestWriteLinesReportsARefusedWrite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		lines int
		limit int
	}{{"of the only bytes", 2, 8}, {"in the middle of a long report", 10_000, 50_000}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "report.txt", "")
			worker := lab.Start(t, "write lines under a size limit", path, fmt.Sprint(test.lines), fmt.Sprint(test.limit))
			var seen refused
			receive(t, worker, "WriteLines", &seen)
			lesson := lab.Lesson{
				Says:     "WriteLines returned nil although the kernel refused a write",
				Did:      fmt.Sprintf("in a process that may not make a file larger than %d bytes, WriteLines wrote %d", test.limit, 20*test.lines),
				Expected: fmt.Sprintf("an error in which errors.Is finds %q", syscall.EFBIG),
				Found:    found(seen.Err),
				Means:    "a refused write looks like a finished report: the list of who has what is incomplete, and no caller knows",
				Read:     sectionBuffer,
			}
			lab.Require(t, seen.Err != "", lesson)
			lesson.Says = "WriteLines lost the cause of its error"
			lesson.Means = "the caller cannot tell a full disk from a limit or a broken disk"
			lab.Require(t, seen.Cause, lesson)
			lesson.Says = "WriteLines left another file behind after a refused write"
			lesson.Expected, lesson.Found = "report.txt alone", strings.Join(seen.Names, ", ")
			lesson.Means = "each refused report leaves one more file on a disk that is full"
			lab.Require(t, lesson.Found == "report.txt", lesson)
		})
	}
}

type refused struct {
	Err   string
	Cause bool
	Names []string // in the report's directory
}

func found(err string) string {
	if err == "" {
		return "no error"
	}
	return shorten(err)
}

func writeLinesUnderALimit(w *lab.Worker) error {
	if err := lab.LimitFileSize(int64(w.Int(2))); err != nil {
		return err
	}
	err := close.WriteLines(w.Arg(0), slices.Repeat([]string{strings.Repeat("a", 19)}, w.Int(1)))
	names, globErr := filepath.Glob(filepath.Join(filepath.Dir(w.Arg(0)), "*"))
	return errors.Join(globErr, w.Result(refused{text(err), errors.Is(err, syscall.EFBIG), baseNames(names)}))
}

func TestCountLinesNeedsFewHandles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range files {
		write(t, filepath.Join(dir, fmt.Sprintf("part%03d.txt", i)), "one line\n")
	}
	worker := lab.Start(t, "count lines with few handles", dir)
	var seen fewHandles
	receive(t, worker, "CountLines", &seen)
	lesson := lab.Lesson{
		Says:     "CountLines ran out of handles",
		Did:      fmt.Sprintf("in a process that may have %d files open, CountLines went through %d files of one line", handles, files),
		Expected: fmt.Sprintf("the sum %d", files),
		Found:    fmt.Sprintf("the sum %d and %s", seen.Total, found(seen.Err)),
		Means:    "the count works for the ten files of a test and fails for the thousand of the workshop",
		Read:     sectionLoop,
	}
	lab.Require(t, !strings.Contains(seen.Err, syscall.EMFILE.Error()), lesson)
	lesson.Says = "CountLines counted wrong"
	lab.Require(t, seen.Err == "" && seen.Total == files, lesson)
}

const files, handles = 100, 40

type fewHandles struct {
	Total int
	Err   string
}

// The kernel makes this file while it is read, and says before that it has no bytes. So it is with a pipe, or a log that grows.
func TestCountLinesReadsToTheEnd(t *testing.T) {
	t.Parallel()
	requireAPipeCounted(t)
	const path = "/proc/version"
	content, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(string(content), "\n") {
		t.Skipf("this system has no %s of whole lines (%v)", path, err)
	}
	total, err := countLines(t, path)
	lesson := lab.Lesson{
		Says:  "CountLines did not read the file to its end",
		Did:   "CountLines was given " + path + ", whose size is 0 for Stat although it has content",
		Means: "what is in a pipe, or was appended since the size was asked for, is not counted",
		Read:  sectionTurn,
	}
	lab.RequireNoError(t, err, lesson)
	lab.RequireEqual(t, strings.Count(string(content), "\n"), total, lesson)
}

// requireAPipeCounted writes more into a named pipe than a usual buffer, or the pipe itself, holds.
func requireAPipeCounted(t *testing.T) {
	t.Helper()
	const lines = 20_000
	pipe := lab.Path(t, "returned")
	requireMachine(t, unix.Mkfifo(pipe, 0o600))
	go func() {
		if w, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil { // waits for CountLines to open the pipe
			w.WriteString(strings.Repeat("gear.step\n", lines)) // fails if CountLines stops reading, which its sum then shows
			w.Close()
		}
	}()
	total, err := countLines(t, pipe)
	lesson := lab.Lesson{
		Says:  "CountLines did not read the file to its end",
		Did:   fmt.Sprintf("CountLines was given a named pipe, into which the test wrote %d lines", lines),
		Means: "the sum depends on how much arrives at once, and no caller knows",
		Read:  sectionTurn,
	}
	lab.RequireNoError(t, err, lesson)
	lab.RequireEqual(t, lines, total, lesson)
}

// Files that other code has leaked fill the table. A collection would close them and hide the leak until the next time.
func TestWithReportsThatNoHandleIsLeft(t *testing.T) {
	t.Parallel()
	worker := lab.Start(t, "open with no handle left", lab.WriteFile(t, "locks.json", "{}"))
	var seen noHandle
	receive(t, worker, "With", &seen)
	lesson := lab.Lesson{
		Says:     "With did not return the error of os.OpenFile at the limit",
		Did:      "in a process in which leaked files had taken every handle, the test called With(locks.json)",
		Expected: fmt.Sprintf("an error in which errors.Is finds %q; use is not called", syscall.EMFILE),
		Found:    fmt.Sprintf("%s; use was called: %t", found(seen.Err), seen.Called),
		Means:    "a leak elsewhere in the program stays hidden, and each call may pay for it with a collection or a wait",
		Read:     sectionWhy,
	}
	lab.Require(t, seen.Cause && !seen.Called, lesson)
}

type noHandle struct {
	Err           string
	Cause, Called bool
}

func openWithNoHandleLeft(w *lab.Worker) error {
	withoutCollector()
	if err := lab.LimitHandles(handles); err != nil {
		return err
	}
	for {
		if _, err := os.Open(w.Arg(0)); err != nil {
			break // the files before it are not referenced any more
		}
	}
	var seen noHandle
	err := close.With(w.Arg(0), os.O_RDONLY, 0, func(*os.File) error { seen.Called = true; return nil })
	seen.Err, seen.Cause = text(err), errors.Is(err, syscall.EMFILE)
	return w.Result(seen)
}

func countLinesWithFewHandles(w *lab.Worker) error {
	withoutCollector()
	paths, err := filepath.Glob(filepath.Join(w.Arg(0), "*.txt"))
	if err != nil {
		return err
	}
	if err := lab.LimitHandles(handles); err != nil {
		return err
	}
	total, err := close.CountLines(slices.Values(paths))
	return w.Result(fewHandles{total, text(err)})
}

// A pipe or a device is opened, written and closed like any file. What only a file on a disk can do, such as fsync(2), it refuses.
func TestWithOpensAPipeAndADevice(t *testing.T) {
	t.Parallel()
	pipe := lab.Path(t, "answers")
	requireMachine(t, unix.Mkfifo(pipe, 0o600))
	for _, test := range []struct{ name, path string }{{"a named pipe", pipe}, {"the null device", os.DevNull}} {
		result := leave(t, "With", func() error {
			return close.With(test.path, os.O_RDWR, 0, func(f *os.File) error { _, err := f.WriteString("free\n"); return err })
		})
		requireReturned(t, "With", result)
		lab.RequireNoError(t, result.err, lab.Lesson{
			Says:  "With returned an error for " + test.name,
			Did:   "With opened " + test.name + ", as os.OpenFile can; use wrote a line and returned nil",
			Means: "an answer that has arrived is reported as failed: With did something that its caller had not asked for",
			Read:  sectionTurn,
		})
	}
}

// A child that inherits the handle keeps the file open after With has closed it, and in lesson 08 its lock.
func TestWithKeepsTheFlagsOfTheFile(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "{}")
	inherited, synchronous := false, false
	result := leave(t, "With", func() error {
		return close.With(path, os.O_RDWR|os.O_SYNC, 0, func(f *os.File) error {
			raw, err := f.SyscallConn()
			if err != nil {
				return err
			}
			return raw.Control(func(fd uintptr) {
				flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0)
				inherited = err == nil && flags&unix.FD_CLOEXEC == 0
				flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0)
				synchronous = err != nil || flags&os.O_SYNC != 0
			})
		})
	})
	requireReturned(t, "With", result)
	requireMachine(t, result.err)
	lab.Require(t, !inherited, lab.Lesson{
		Says:     "With lets child processes inherit the file",
		Did:      "inside use, the test asked the kernel whether the descriptor is closed when a program is started (FD_CLOEXEC)",
		Expected: "close-on-exec, as os.OpenFile sets it",
		Found:    "a child would inherit the open file",
		Means:    "With closes the file, and it stays open in every program that was started meanwhile",
		Read:     sectionChildren,
	})
	lab.Require(t, synchronous, lab.Lesson{
		Says:     "With dropped a flag of its caller",
		Did:      "With was called with O_RDWR|O_SYNC; inside use, the test asked the kernel for the flags of the open file (F_GETFL)",
		Expected: "O_SYNC, as os.OpenFile sets it",
		Found:    "the file was opened without O_SYNC",
		Means:    "the caller believes that every write is on the disk when it returns",
		Read:     sectionTurn,
	})
}

// A process of its own, since the umask belongs to the process. Under the usual umask 022 a hard-coded 0644 would go unnoticed.
func TestTheModeIsLeftToTheUmask(t *testing.T) {
	t.Parallel()
	for _, umask := range []int{0, 0o027} {
		t.Run(fmt.Sprintf("umask %03o", umask), func(t *testing.T) {
			t.Parallel()
			worker := lab.Start(t, "make files under a umask", t.TempDir(), fmt.Sprint(umask))
			var seen map[string]os.FileMode
			receive(t, worker, "With", &seen)
			for _, want := range []struct {
				file, function, asked string
				mode                  os.FileMode
			}{
				{"with.txt", "With", "With was asked for mode 0666", 0o666},
				{"private.txt", "With", "With was asked for mode 0640", 0o640},
				{"closed.txt", "With", "With was asked for mode 0", 0},
				{"report.txt", "WriteLines", "WriteLines made a new report", 0o666},
			} {
				mode := want.mode &^ os.FileMode(umask)
				lab.RequireEqual(t, mode, seen[want.file], lab.Lesson{
					Says:  want.function + " gave the new file another mode",
					Did:   fmt.Sprintf("in a process with umask %03o, after an open that had failed, %s", umask, want.asked),
					Means: "people of the workshop cannot read the file, or people outside can",
					Read:  sectionTurn,
				})
			}
		})
	}
}

func makeFilesUnderAUmask(w *lab.Worker) error {
	unix.Umask(w.Int(1))
	path := func(name string) string { return filepath.Join(w.Arg(0), name) }
	fine := func(*os.File) error { return nil }
	_ = close.With(path("missing/with.txt"), os.O_WRONLY|os.O_CREATE, 0o666, fine) // its error is another test's question
	err := errors.Join(
		close.With(path("with.txt"), os.O_WRONLY|os.O_CREATE, 0o666, fine),
		close.With(path("private.txt"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640, fine),
		close.With(path("closed.txt"), os.O_WRONLY|os.O_CREATE, 0, fine),
		close.WriteLines(path("report.txt"), nil),
	)
	modes := make(map[string]os.FileMode)
	for _, name := range []string{"with.txt", "private.txt", "closed.txt", "report.txt"} {
		if info, err := os.Stat(path(name)); err == nil {
			modes[name] = info.Mode()
		}
	}
	return errors.Join(err, w.Result(modes))
}
