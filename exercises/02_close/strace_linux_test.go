package close_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"

	close "example/turnstile/exercises/02_close"
)

// No local file system fails in these ways on request, hence strace(1): it refuses the system call in the kernel's place.

var errnos = map[string]syscall.Errno{
	"EINTR": syscall.EINTR, "EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC, "EDQUOT": syscall.EDQUOT, "EACCES": syscall.EACCES,
	"ESTALE": syscall.ESTALE, "EPIPE": syscall.EPIPE,
}

// A failure is what the code under test made of an error of the kernel.
type failure struct {
	Err           string
	Cause, OfUse  bool
	Closed        bool // the error matches fs.ErrClosed
	Total         int
	CompleteAfter bool
	Removed       bool
	Mixed         bool // the file holds neither the old lines nor the first part of the new ones
}

func newFailure(err error, errno string) failure {
	return failure{
		Err: text(err), Cause: errors.Is(err, errnos[errno]), OfUse: errors.Is(err, errTaken), Closed: errors.Is(err, os.ErrClosed),
	}
}

// Source: close(2), "Dealing with error returns from close()".
func TestAnErrorOfTheKernelAtClose(t *testing.T) {
	t.Parallel()
	for _, errno := range []string{"EIO", "EINTR"} {
		t.Run(errno, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "report.txt", "")
			wrap, log := lab.Strace(t, "-P", path, "-e", "trace=close", "-e", "inject=close:error="+errno)
			worker := lab.Launch(t, lab.Options{Wrap: wrap}, "fail to close", path, errno, "With")
			calls := []string{"With(O_RDWR)", "With(O_RDONLY)", "With(O_RDWR), whose use failed too"}
			seen := make([]failure, len(calls))
			for i := range seen {
				worker.Result(&seen[i], broken("With"))
			}
			lab.RequireNoError(t, worker.Wait(), broken("With"))
			closes := injected(t, log)
			for i, call := range calls {
				requireErrorOfClose(t, call, errno, seen[i])
			}
			lab.Require(t, closes <= len(calls), lab.Lesson{
				Says:     "With retried a Close that had failed",
				Did:      fmt.Sprintf("%d calls opened report.txt once each; strace made each close fail and counted the attempts", len(calls)),
				Expected: fmt.Sprintf("at most %d", len(calls)),
				Found:    fmt.Sprint(closes),
				Means:    "the number may belong to another file by then, and the second close hits a stranger",
				Read:     sectionClose,
			})
			requireWriteLinesReportsClose(t, errno)
		})
	}
}

func requireErrorOfClose(t *testing.T, call, errno string, seen failure) {
	t.Helper()
	function, _, _ := strings.Cut(call, "(")
	lesson := lab.Lesson{
		Says:     function + " dropped the error of Close",
		Did:      fmt.Sprintf("the test called %s; every write succeeded; strace made close fail with %q", call, errnos[errno]),
		Expected: "an error in which errors.Is finds that of close",
		Found:    found(seen.Err),
		Means:    "the file system has lost data, and the caller believes that it is safe",
		Read:     sectionClose,
	}
	lab.Require(t, seen.Cause, lesson)
	lesson.Says, lesson.Expected = "With lost the error of use", "errors.Is finds the error of use as well"
	lab.Require(t, seen.OfUse || !strings.Contains(call, "use"), lesson)
	lesson.Says, lesson.Expected = "With closed again after a Close that had failed", "no error that matches fs.ErrClosed"
	lesson.Means = "the message that names the cause is followed by one that misleads"
	lab.Require(t, !seen.Closed || function != "With", lesson)
}

// WriteLines may open the report more often than once, for example to read it first: what it did is in the log of strace.
func requireWriteLinesReportsClose(t *testing.T, errno string) {
	t.Helper()
	path := lab.WriteFile(t, "report.txt", "")
	wrap, log := lab.Strace(t, "-P", path, "-e", "trace=open,openat,close", "-e", "inject=close:error="+errno)
	var seen failure
	receive(t, lab.Launch(t, lab.Options{Wrap: wrap}, "fail to close", path, errno, "WriteLines"), "WriteLines", &seen)
	content, err := os.ReadFile(log)
	requireMachine(t, err)
	if strings.Contains(string(content), "O_WRONLY") || strings.Contains(string(content), "O_RDWR") {
		requireErrorOfClose(t, "WriteLines", errno, seen)
	} // otherwise it wrote another file and renamed that: there is nothing to report
}

func failToClose(w *lab.Worker) error {
	path, errno := w.Arg(0), w.Arg(1)
	if w.Arg(2) == "WriteLines" {
		return w.Result(newFailure(close.WriteLines(path, []string{"bracket.step alice"}), errno))
	}
	fine := func(*os.File) error { return nil }
	for _, err := range []error{
		close.With(path, os.O_RDWR, 0, fine),
		close.With(path, os.O_RDONLY, 0, fine),
		close.With(path, os.O_RDWR, 0, func(*os.File) error { return errTaken }),
	} {
		if err := w.Result(newFailure(err, errno)); err != nil {
			return err
		}
	}
	return nil
}

// Source: write(2), ERRORS. The middle of a report can be refused while the end is accepted.
func TestAnErrorOfTheKernelAtWrite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ errno, when, which string }{
		{"ENOSPC", "1+", "every write"},
		{"EIO", "1", "the first write and no other"},
		{"EDQUOT", "2", "the second write and no other"},
		{"EPIPE", "1", "the first write, as a pipe without a reader does"},
	} {
		t.Run(test.which, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "report.txt", yesterdays)
			calls := "write,pwrite64,writev"
			wrap, _ := lab.Strace(t, "-P", path, "-e", "trace="+calls, "-e", "inject="+calls+":error="+test.errno+":when="+test.when)
			worker := lab.Launch(t, lab.Options{Wrap: wrap}, "fail to write", path, test.errno)
			var seen failure
			receive(t, worker, "WriteLines", &seen)
			lesson := lab.Lesson{
				Says:     "WriteLines returned nil although the kernel refused a write",
				Did:      fmt.Sprintf("WriteLines wrote 10,000 lines; strace refused %s: %q", test.which, errnos[test.errno]),
				Expected: "an error in which errors.Is finds that of the write",
				Found:    found(seen.Err),
				Means:    "the report has a gap, and no caller knows",
				Read:     sectionBuffer,
			}
			lab.Require(t, seen.Err != "" || seen.CompleteAfter, lesson) // a design with one write has no second one that could fail
			lesson.Says = "WriteLines lost the cause of its error"
			lesson.Means = "the caller cannot tell a full disk from a quota or a broken disk"
			lab.Require(t, seen.Cause || seen.CompleteAfter, lesson)
			lesson.Says = "WriteLines removed the report after a refused write"
			lesson.Expected, lesson.Found = "the file exists, with old lines, some of the new ones, or none", "the file is missing"
			lesson.Means = "the file may be a link, or have other names and a mode that a person has given it"
			lab.Require(t, !seen.Removed, lesson)
			lesson.Says = "WriteLines mixed the new lines with something else"
			lesson.Expected = "the old lines, or the first of the new ones, or none"
			lesson.Found = "old lines, or bytes of no report, among the new ones"
			lesson.Means = "the report looks complete, and part of it is yesterday's or not a line at all"
			lab.Require(t, !seen.Mixed, lesson)
		})
	}
}

var yesterdays = strings.Repeat("yesterday's report\n", 1_000) // more than a buffer holds

func failToWrite(w *lab.Worker) error {
	runtime.LockOSThread() // strace counts the calls of each thread by itself
	lines := slices.Repeat([]string{"bracket.step alice"}, 10_000)
	seen := newFailure(close.WriteLines(w.Arg(0), lines), w.Arg(1))
	content, err := os.ReadFile(w.Arg(0))
	seen.Removed = errors.Is(err, os.ErrNotExist)
	all := strings.Join(lines, "\n") + "\n"
	seen.Mixed = string(content) != yesterdays && !strings.HasPrefix(all, string(content))
	seen.CompleteAfter = string(content) == all
	return w.Result(seen)
}

// Source: read(2) and open(2), ERRORS.
func TestAnErrorOfTheKernelAtRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ call, errno, when, which string }{
		{"read", "EIO", "1+", "every read"},
		{"read", "ESTALE", "2+", "every read but the first"},
		{"openat", "EACCES", "1", "the first open and no other"},
	} {
		t.Run(test.which, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "gear.txt")
			write(t, path, strings.Repeat("gear.step bob\n", 20_000))
			calls := map[string]string{"read": "read,pread64", "openat": "open,openat"}[test.call]
			wrap, log := lab.Strace(t, "-P", path, "-e", "trace="+calls, "-e", "inject="+calls+":error="+test.errno+":when="+test.when)
			worker := lab.Launch(t, lab.Options{Wrap: wrap}, "fail to read", path, test.errno)
			var seen failure
			receive(t, worker, "CountLines", &seen)
			if injected(t, log) == 0 {
				t.Skip("this answer makes no such call: there is no error to report")
			}
			lesson := lab.Lesson{
				Says:     "CountLines returned no error although the kernel refused " + test.which,
				Did:      fmt.Sprintf("CountLines was given one file of 20,000 lines; strace refused %s: %q", test.which, errnos[test.errno]),
				Expected: "0 and an error in which errors.Is finds that of the kernel",
				Found:    fmt.Sprintf("%d and %s", seen.Total, found(seen.Err)),
				Means:    "the sum is too small, and no caller knows",
				Read:     sectionTurn,
			}
			lab.Require(t, seen.Err != "", lesson)
			lesson.Says = "CountLines lost the cause of its error"
			lesson.Means = "the caller cannot tell a missing permission from a broken disk"
			lab.Require(t, seen.Cause, lesson)
			lesson.Says = "CountLines returned half a sum beside its error"
			lesson.Means = "half a sum looks like a sum: a caller that prints it before it checks the error misleads the workshop"
			lab.RequireEqual(t, 0, seen.Total, lesson)
		})
	}
}

func failToRead(w *lab.Worker) error {
	runtime.LockOSThread()
	total, err := close.CountLines(slices.Values([]string{w.Arg(0)}))
	seen := newFailure(err, w.Arg(1))
	seen.Total = total
	return w.Result(seen)
}

// injected counts the calls that strace has answered in the kernel's place.
func injected(t *testing.T, log string) int {
	t.Helper()
	content, err := os.ReadFile(log)
	requireMachine(t, err)
	return strings.Count(string(content), "(INJECTED)")
}
