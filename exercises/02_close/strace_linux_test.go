package close_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"

	close "example/turnstile/exercises/02_close"
)

// No local file system fails in these ways on request, hence strace(1): it shows the system calls, or refuses one in the kernel's place.

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

// An asking is one call of a function by a worker, in a directory of its own. The paths are relative to it.
type asking struct {
	Function, Dir string
	Paths         []string
	Flag, Lines   int  // of With and of WriteLines
	Fails         bool // With's use returns an error
}

func TestOneOpenOneCloseAndNothingElse(t *testing.T) {
	t.Parallel()
	root, err := filepath.EvalSymlinks(t.TempDir()) // as strace shows it
	requireMachine(t, err)
	askings := []asking{
		{Function: "With", Flag: os.O_RDWR, Paths: []string{"old.txt"}},
		{Function: "With", Flag: os.O_RDONLY, Paths: []string{"link.txt"}},
		{Function: "With", Flag: os.O_RDONLY, Paths: []string{"far"}},
		{Function: "With", Flag: os.O_RDWR | os.O_CREATE, Paths: []string{"new.txt"}},
		{Function: "With", Flag: os.O_WRONLY | os.O_CREATE | os.O_TRUNC, Paths: []string{"old.txt"}},
		{Function: "With", Flag: os.O_WRONLY | os.O_APPEND | os.O_CREATE | os.O_EXCL, Paths: []string{"away/../new.txt"}, Fails: true},
		{Function: "With", Flag: os.O_RDWR, Paths: []string{"missing.txt"}},
		{Function: "With", Flag: os.O_RDWR | os.O_CREATE, Paths: []string{"missing/new.txt"}},
		{Function: "With", Flag: os.O_RDWR | os.O_CREATE | os.O_SYNC, Paths: []string{"$HOME"}},
		{Function: "WriteLines", Paths: []string{"old.txt"}, Lines: 1},
		{Function: "WriteLines", Paths: []string{"old.txt"}},
		{Function: "WriteLines", Paths: []string{"link.txt"}, Lines: 1_000},
		{Function: "WriteLines", Paths: []string{"away/../new.txt"}, Lines: 1_000},
		{Function: "WriteLines", Paths: []string{"missing/new.txt"}, Lines: 1},
		{Function: "WriteLines", Paths: []string{"-"}, Lines: 1}, // to other programs a name for their output or input
		{Function: "CountLines", Paths: []string{"old.txt", "link.txt", "away/../far.txt", "old.txt"}},
		{Function: "CountLines", Paths: []string{"far"}},
		{Function: "CountLines", Paths: []string{"missing.txt"}},
		{Function: "CountLines", Paths: []string{"-"}},
	}
	for i := range askings {
		dir := filepath.Join(root, fmt.Sprint(i))
		askings[i].Dir = dir
		requireMachine(t, errors.Join(os.MkdirAll(filepath.Join(dir, "far", "away"), 0o700), os.Symlink("far/away", filepath.Join(dir, "away")),
			os.Symlink("old.txt", filepath.Join(dir, "link.txt"))))
		write(t, filepath.Join(dir, "old.txt"), yesterdays)
		write(t, filepath.Join(dir, "far", "far.txt"), yesterdays)
	}
	text, err := json.Marshal(askings)
	requireMachine(t, err)
	worker := lab.Trace(t, lab.Rule{Calls: "%file,%desc,umask,sync"}, lab.Options{}, "ask between marks", string(text))
	for _, a := range askings {
		var done string
		worker.Result(&done, broken(a.Function))
	}
	lab.RequireNoError(t, worker.Wait(), broken("One of the functions"))
	marked := worker.Marked()
	for i, a := range askings {
		requireOneOpen(t, a, slices.DeleteFunc(marked[fmt.Sprint(i)], func(call lab.Call) bool {
			byName := strings.Contains(call.Args, `"`) && !handleFirst.MatchString(call.Args) || call.Name == "umask" || call.Name == "sync"
			return call.Interrupted() || call.Errno == "EINTR" || !byName && !call.Within(root) // such as the runtime's own pipes
		}))
	}
}

var handleFirst = regexp.MustCompile(`^\d+<`)

func requireOneOpen(t *testing.T, a asking, calls []lab.Call) {
	t.Helper()
	lesson := lab.Lesson{
		Did:      fmt.Sprintf("the test called %s for %q and looked at its system calls", a.Function, a.Paths),
		Expected: map[string]string{"With": "one open, one close", "WriteLines": "one open, writes, one close"}[a.Function],
		Means:    "no caller asked for it: such a call can wait, fail, follow another path, take a lock, or change what others find",
		Read:     sectionTurn,
	}
	if a.Function == "CountLines" {
		lesson.Expected = "of each path, in this order: one open, reads, one close"
	}
	var opened []string
	handles := 0
	for _, call := range calls {
		text, _, cut := strings.Cut(call.Short(a.Dir), ", {") // without what a stat has found
		if lesson.Found = text; cut {
			lesson.Found += ", …)"
		}
		switch {
		case strings.HasPrefix(call.Name, "open"):
			_, path, _ := strings.Cut(call.Args, `"`)
			path, _, _ = strings.Cut(path, `"`)
			if opened = append(opened, path); call.Errno == "" {
				handles++
			}
			further := len(opened) > len(a.Paths) || path != a.Paths[len(opened)-1]
			lab.Require(t, !further, lesson.Say("%s did not open each path once, as it is given", a.Function))
			for _, flag := range flagName.FindAllString(strings.SplitAfterN(call.Args, `"`, 3)[2], -1) {
				lab.Require(t, mayHave(a, flag), lesson.Say("%s opened the file with a flag that its comment does not name, %s", a.Function, flag))
			}
			lab.Require(t, strings.Contains(call.Args, "O_CLOEXEC"), lesson.Say("%s lets child processes inherit the file", a.Function))
		case call.Name == "close" && call.Within(a.Dir):
			handles--
		default:
			allowed := call.Within(a.Dir) && mayCall(a.Function, call)
			lab.Require(t, allowed, lesson.Say("%s did more than its comment says", a.Function))
		}
	}
	lesson.Expected, lesson.Found = fmt.Sprintf("%q", a.Paths), fmt.Sprintf("%q", opened)
	lab.Require(t, len(opened) == len(a.Paths), lesson.Say("%s did not open each path once, as it is given", a.Function))
	lesson.Expected, lesson.Found = "as many closes as opens", fmt.Sprintf("%d handles more than before", handles)
	lab.Require(t, handles == 0, lesson.Say("%s did not close each file once", a.Function))
}

var flagName = regexp.MustCompile(`\bO_[A-Z]+`)

func mayHave(a asking, flag string) bool {
	switch flag {
	case "O_CLOEXEC", "O_LARGEFILE":
		return true
	case "O_RDONLY":
		return a.Function != "WriteLines"
	case "O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_EXCL":
		return a.Function == "With" || a.Function == "WriteLines" && flag != "O_EXCL"
	}
	return a.Flag&os.O_SYNC != 0 && (flag == "O_SYNC" || flag == "O_DSYNC")
}

// mayCall also lets pass what Go does for each os.File.
func mayCall(function string, call lab.Call) bool {
	switch strings.TrimSuffix(call.Name, "64") {
	case "epoll_ctl":
		return true
	case "fcntl":
		return strings.Contains(call.Args, "F_GETF") || strings.Contains(call.Args, "F_SETF") // and no lock
	case "fstat":
		return function != "With"
	case "ftruncate", "write", "pwrite", "writev":
		return function == "WriteLines"
	case "read", "pread", "readv":
		return function == "CountLines"
	}
	return false
}

func askBetweenMarks(w *lab.Worker) error {
	withoutCollector()
	var askings []asking
	if err := json.Unmarshal([]byte(w.Arg(0)), &askings); err != nil {
		return err
	}
	for i, a := range askings {
		if err := os.Chdir(a.Dir); err != nil {
			return err
		}
		lines := slices.Repeat([]string{"bracket.step alice"}, a.Lines)
		use := func(*os.File) error { return nil }
		if a.Fails {
			use = func(*os.File) error { return errTaken }
		}
		lab.Mark(fmt.Sprint(i))
		switch a.Function { // what they return is judged elsewhere
		case "With":
			_ = close.With(a.Paths[0], a.Flag, 0o666, use)
		case "WriteLines":
			_ = close.WriteLines(a.Paths[0], lines)
		case "CountLines":
			_, _ = close.CountLines(slices.Values(a.Paths))
		}
		lab.Mark("")
		if err := w.Result(a.Function); err != nil {
			return err
		}
	}
	return nil
}

// Source: close(2), "Dealing with error returns from close()".
func TestAnErrorOfTheKernelAtClose(t *testing.T) {
	t.Parallel()
	t.Run("after 2.5 s", requireSlowCloseAwaited)
	for _, errno := range []string{"EIO", "EINTR", "EDQUOT"} {
		t.Run(errno, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "report.txt", "")
			wrap, log := lab.Strace(t, "-P", path, "-e", "trace=close", "-e", "inject=close:error="+errno)
			worker := lab.Launch(t, lab.Options{Wrap: wrap}, "fail to close", path, errno)
			calls := []string{"With(O_RDWR)", "With(O_RDONLY)", "With(O_RDWR), whose use failed too", "WriteLines"}
			seen := make([]failure, len(calls))
			for i := range seen {
				worker.Result(&seen[i], broken("With"))
			}
			lab.RequireNoError(t, worker.Wait(), broken("With"))
			closes := injected(t, log)
			for i, call := range calls {
				if call == "WriteLines" && closes < len(calls) {
					continue // it closed another file, which is another test's question
				}
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

func failToClose(w *lab.Worker) error {
	path, errno := w.Arg(0), w.Arg(1)
	fine := func(*os.File) error { return nil }
	for _, err := range []error{
		close.With(path, os.O_RDWR, 0, fine),
		close.With(path, os.O_RDONLY, 0, fine),
		close.With(path, os.O_RDWR, 0, func(*os.File) error { return errTaken }),
		close.WriteLines(path, []string{"bracket.step alice"}),
	} {
		if err := w.Result(newFailure(err, errno)); err != nil {
			return err
		}
	}
	return nil
}

// strace lets the close take its time, as a file server does that is slow.
func requireSlowCloseAwaited(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "report.txt", "")
	wrap, _ := lab.Strace(t, "-P", path, "-e", "trace=close", "-e", "inject=close:error=ENOSPC:delay_enter=2500000")
	var seen failure
	receive(t, lab.Launch(t, lab.Options{Wrap: wrap}, "wait in close", path), "With", &seen)
	lab.Require(t, seen.Cause, lab.Lesson{
		Says:     "With did not wait for Close, or dropped its error",
		Did:      fmt.Sprintf("the test called With; strace let close take 2.5 seconds, and then fail with %q", syscall.ENOSPC),
		Expected: "an error in which errors.Is finds that of close",
		Found:    found(seen.Err),
		Means:    "the file may still be open, and the error that tells of lost data reaches no caller",
		Read:     sectionClose,
	})
}

// The kernel has copied the lines of one file into the buffer, and strace holds up the goroutine that will count them.
func requireNoBufferShared(t *testing.T) {
	t.Parallel()
	pipe, file := lab.Path(t, "returned"), lab.WriteFile(t, "gear.txt", strings.Repeat("a", 10_000))
	requireMachine(t, syscall.Mkfifo(pipe, 0o600))
	wrap, _ := lab.Strace(t, "-P", pipe, "-e", "trace=read,readv", "-e", "inject=read,readv:delay_exit=1000000:when=1")
	var sums [2]int
	receive(t, lab.Launch(t, lab.Options{Wrap: wrap}, "read and wait", pipe, file), "CountLines", &sums)
	lab.RequireEqual(t, [2]int{3, 1}, sums, lab.Lesson{
		Says:  "CountLines counted wrong while another call was at work",
		Did:   "one goroutine read three lines, and strace held it up there; meanwhile another one counted a file of one line",
		Means: "two calls share a buffer: the sums are right until two people ask at the same time",
		Read:  sectionTurn,
	})
}

func waitInClose(w *lab.Worker) error {
	return w.Result(newFailure(close.With(w.Arg(0), os.O_RDWR, 0, func(*os.File) error { return nil }), "ENOSPC"))
}

func readAndWait(w *lab.Worker) error {
	pipe, err := os.OpenFile(w.Arg(0), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = pipe.WriteString("1\n2\n3\n")
	var sums [2]int
	done := make(chan error, 1)
	go func() {
		var err error
		sums[0], err = close.CountLines(slices.Values([]string{w.Arg(0)}))
		done <- err
	}()
	for left := 1; left > 0 && len(done) == 0; { // until the kernel has copied the lines to the other goroutine
		var ioctl error
		if left, ioctl = unix.IoctlGetInt(int(pipe.Fd()), unix.TIOCINQ); ioctl != nil {
			return ioctl
		}
		runtime.Gosched()
	}
	total, countError := close.CountLines(slices.Values([]string{w.Arg(1)}))
	sums[1] = total
	return errors.Join(err, countError, pipe.Close(), <-done, w.Result(sums))
}

// Source: write(2), ERRORS. The middle of a report can be refused while the end is accepted.
func TestAnErrorOfTheKernelAtWrite(t *testing.T) {
	t.Parallel()
	t.Run("or at another call", requireReportAtEachStep)
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
			lesson.Says = "WriteLines left a report that is not the beginning of the new one"
			lesson.Expected = "the old lines, or the first of the new ones, or none"
			lesson.Found = "a gap, old lines, or bytes of no report among the new lines"
			lesson.Means = "the report looks complete, and a part of it is missing or yesterday's"
			lab.Require(t, !seen.Mixed, lesson)
		})
	}
}

// In turn, the kernel refuses each call with which WriteLines opens, empties or closes the file, or does what it should not.
func requireReportAtEachStep(t *testing.T) {
	t.Parallel()
	const yesterday, today = "yesterday's report of what is out\n", "gear.step bob\nhinge.step carol\n"
	for made := 0; ; made++ {
		path := lab.WriteFile(t, "report.txt", yesterday)
		var calls []string
		var machine error
		result := leave(t, "WriteLines", func() (err error) {
			calls, machine = lab.RefuseOne(made, syscall.EIO, func() {
				err = close.WriteLines(path, strings.Split(strings.TrimSpace(today), "\n"))
			})
			return err
		})
		requireReturned(t, "WriteLines", result)
		lab.RequireRefuse(t, machine)
		if made >= len(calls) {
			return
		}
		lesson := lab.Lesson{
			Says:     "WriteLines removed the report",
			Did:      fmt.Sprintf("WriteLines wrote two lines over yesterday's; its call %d, %s, was refused: %q", made+1, calls[made], syscall.EIO),
			Expected: "the file exists, with the old lines, some of the new ones, or none",
			Found:    "the file is missing, and WriteLines: " + result.String(),
			Means:    "today's report could not be written, and yesterday's is gone as well",
			Read:     sectionTurn,
		}
		content, err := os.ReadFile(path)
		lab.Require(t, !errors.Is(err, fs.ErrNotExist), lesson)
		requireMachine(t, err)
		lesson.Found = fmt.Sprintf("the file holds %q, and WriteLines: %s", content, result)
		if result.err != nil {
			lesson.Says, lesson.Means = "WriteLines lost the cause of its error", "the caller cannot tell a full disk from a limit or a broken disk"
			lesson.Expected = fmt.Sprintf("an error in which errors.Is finds %q", syscall.EIO)
			lab.Require(t, errors.Is(result.err, syscall.EIO), lesson)
			lesson.Expected = "the old lines, or the first of the new ones, or none"
		}
		lesson.Says, lesson.Means = "WriteLines mixed old and new lines", "the report looks complete, and half of it is yesterday's"
		lab.Require(t, string(content) == yesterday || strings.HasPrefix(today, string(content)), lesson)
		lesson.Says, lesson.Means = "WriteLines returned nil and left lines out of the file", "the report is incomplete, and no caller knows"
		lesson.Expected = "all lines, or an error"
		lab.Require(t, result.err != nil || string(content) == today, lesson)
		lesson.Says = "WriteLines dropped the error of Close"
		lesson.Means = "the file system has lost data, and the caller believes that it is safe"
		lesson.Expected = "an error"
		lab.Require(t, result.err != nil || calls[made] != "close", lesson)
	}
}

var yesterdays = strings.Repeat("yesterday's report\n", 1_000) // more than a buffer holds

func failToWrite(w *lab.Worker) error {
	runtime.LockOSThread() // strace counts the calls of each thread by itself
	var lines []string
	for i := range 10_000 {
		lines = append(lines, fmt.Sprintf("bracket%05d.step alice", i)) // among equal lines a gap would not show
	}
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
