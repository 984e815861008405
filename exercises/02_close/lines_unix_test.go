//go:build unix

package close_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"

	close "example/turnstile/exercises/02_close"
)

// Windows has no such limits for a process (see lab.LimitFileSize and lab.LimitHandles), hence the build tag.

// Two lines fit into any usual buffer, so that nothing reaches the kernel before the buffer is flushed; 10,000 lines do not.
func TestWriteLinesReportsARefusedWrite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                 string
		lines, length, limit int
	}{
		{"of the only bytes", 2, 19, 8},
		{"in the middle of a long report", 10_000, 19, 50_000},
		{"of a line that is longer than a usual buffer", 1, 199_999, 50_000}, // a bufio.Writer writes it past its buffer
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "report.txt", "")
			worker := lab.Start(t, "write lines under a size limit", path, fmt.Sprint(test.lines), fmt.Sprint(test.length), fmt.Sprint(test.limit))
			var seen refused
			receive(t, worker, "WriteLines", &seen)
			lesson := lab.Lesson{
				Says: "WriteLines returned nil although the kernel refused a write",
				Did: fmt.Sprintf("in a process that may not make a file larger than %d bytes, WriteLines wrote %d",
					test.limit, test.lines*(test.length+1)),
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
			lesson = lesson.Say("WriteLines left a file open after a refused write")
			lesson.Expected, lesson.Found = "as many open files as before", fmt.Sprintf("%d more", seen.Left)
			lesson.Means = "each refused report costs a handle until the process can open nothing more"
			lesson.Read = sectionWhy
			lab.Require(t, seen.Left == 0, lesson)
		})
	}
}

type refused struct {
	Err   string
	Cause bool
	Names []string // in the report's directory
	Left  int      // open handles
}

func found(err string) string {
	if err == "" {
		return "no error"
	}
	return shorten(err)
}

func writeLinesUnderALimit(w *lab.Worker) error {
	withoutCollector()
	_, err := os.ReadFile(w.Arg(0)) // the first open of a process costs more handles than one
	before, countErr := lab.OpenHandles()
	if err := errors.Join(err, countErr, lab.LimitFileSize(int64(w.Int(3)))); err != nil {
		return err
	}
	err = close.WriteLines(w.Arg(0), slices.Repeat([]string{strings.Repeat("a", w.Int(2))}, w.Int(1)))
	after, countErr := lab.OpenHandles()
	names, globErr := filepath.Glob(filepath.Join(filepath.Dir(w.Arg(0)), "*"))
	return errors.Join(countErr, globErr, w.Result(refused{text(err), errors.Is(err, syscall.EFBIG), baseNames(names), after - before}))
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
		Says:  "CountLines did not read the pipe to its end",
		Did:   fmt.Sprintf("CountLines was given a named pipe, into which another goroutine then wrote %d lines", lines),
		Means: "it did not wait for the writer, or left before the writer did: the sum depends on how much arrives at once",
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

func TestCallsDoNotHinderEachOther(t *testing.T) {
	t.Parallel()
	t.Run("while one waits for a pipe", requireNothingShared)
	t.Run("while one is held up after a read", requireNoBufferShared)
	t.Run("while one stands still", requireConcurrentCalls)
	t.Run("while other code holds a lock", requireNoLock)
}

// A call that waits for a pipe has done half of its work. What it shares with others, such as a buffer from a pool, they now have too.
func requireNothingShared(t *testing.T) {
	t.Parallel()
	report, parts := lab.Path(t, "report"), lab.Path(t, "parts")
	requireMachine(t, errors.Join(unix.Mkfifo(report, 0o600), unix.Mkfifo(parts, 0o600)))
	worker := lab.Start(t, "wait for a pipe", report, parts, t.TempDir())
	var seen waited
	hangs := broken("WriteLines")
	hangs.Did = "one goroutine waited in WriteLines, since a pipe was full; meanwhile another one called WriteLines for three files"
	worker.Result(&seen, hangs)
	lesson := lab.Lesson{
		Says:     "WriteLines wrote a wrong report while another call waited",
		Did:      "one goroutine waited in WriteLines, since a pipe was full; meanwhile another one wrote three files; then the pipe was read",
		Expected: "each report is where its call had to write it",
		Found:    shorten(seen.String()),
		Means:    "one person gets the lines of another, and both calls return nil",
		Read:     sectionTurn,
	}
	lab.Require(t, seen.String() == "", lesson)
	seen = waited{}
	hangs = broken("CountLines")
	hangs.Did = "one goroutine waited in CountLines for the rest of a line in a pipe; meanwhile another one called CountLines for a file"
	worker.Result(&seen, hangs)
	lesson.Says = "CountLines counted wrong while another call waited"
	lesson.Did = "one goroutine waited in CountLines for the rest of a line in a pipe; meanwhile another one counted a file"
	lesson.Expected, lesson.Found = "each call counts its own lines", shorten(seen.String())
	lesson.Means = "the sums are right until two people ask at the same time"
	lab.Require(t, seen.String() == "", lesson)
	lab.RequireNoError(t, worker.Wait(), hangs)
}

type waited struct {
	Wrong []string
	Err   string
}

func (w waited) String() string {
	if w.Err != "" {
		return strings.Join(append(w.Wrong, w.Err), "; ")
	}
	return strings.Join(w.Wrong, "; ")
}

func waitForAPipe(w *lab.Worker) error {
	runtime.GOMAXPROCS(1) // what one call puts into a sync.Pool the next one gets
	for _, step := range []func(w *lab.Worker) (wrong []string, err error){waitInWriteLines, waitInCountLines} {
		wrong, err := step(w)
		if err := w.Result(waited{wrong, text(err)}); err != nil {
			return err
		}
	}
	return nil
}

func waitInWriteLines(w *lab.Worker) (wrong []string, err error) {
	pipe, err := os.OpenFile(w.Arg(0), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer pipe.Close()
	before, err := fillUp(pipe)
	if err != nil {
		return nil, err
	}
	lines := func(name string) []string { return slices.Repeat([]string{"the report of " + name}, 20) }
	content := func(name string) string { return strings.Join(lines(name), "\n") + "\n" }
	done := make(chan error, 1)
	go func() { done <- close.WriteLines(w.Arg(0), lines("alice")) }()
	waits := untilItWaits("WriteLines", "Write", done)
	for _, name := range []string{"bob", "carol", "dave"} {
		path := filepath.Join(w.Arg(2), name)
		err = errors.Join(err, close.WriteLines(path, lines(name)))
		if got, readError := os.ReadFile(path); readError != nil || string(got) != content(name) {
			wrong = append(wrong, fmt.Sprintf("the file of %s holds %d bytes, and not its %d", name, len(got), len(content(name))))
		}
	}
	if !waits {
		return wrong, err // it puts a file in the place of the pipe, or reads what is in it first: WriteLines need not know pipes
	}
	_, readError := io.ReadFull(pipe, make([]byte, before))
	err = errors.Join(err, readError, <-done)
	_, writeError := pipe.WriteString("\x00")
	got, endError := bufio.NewReader(pipe).ReadString(0)
	if got != content("alice")+"\x00" {
		wrong = append(wrong, fmt.Sprintf("the pipe got %q", shorten(got)))
	}
	return wrong, errors.Join(err, writeError, endError)
}

func waitInCountLines(w *lab.Worker) (wrong []string, err error) {
	pipe, err := os.OpenFile(w.Arg(1), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	other := filepath.Join(w.Arg(2), "other")
	_, err = pipe.WriteString("bracket\nge")
	err = errors.Join(err, os.WriteFile(other, []byte("a\nb\nc\n"), 0o600))
	sum, done := 0, make(chan error, 1)
	go func() {
		total, err := close.CountLines(slices.Values([]string{w.Arg(1)}))
		sum = total
		done <- err
	}()
	untilItWaits("CountLines", "Read", done)
	total, countError := close.CountLines(slices.Values([]string{other, other}))
	_, writeError := pipe.WriteString("ar\n")
	err = errors.Join(err, countError, writeError, pipe.Close(), <-done)
	if total != 6 || sum != 2 {
		wrong = []string{fmt.Sprintf("the file of 3 lines, twice, gave %d, the pipe of 2 lines gave %d", total, sum)}
	}
	return wrong, err
}

// In turn, one call stands still before each of its calls to the kernel, while another goroutine writes two reports to their end.
func requireConcurrentCalls(t *testing.T) {
	t.Parallel()
	lines := []string{"gear.step bob"}
	for stop, stops := 0, 1; stop < stops; stop++ {
		for _, kind := range []string{"a missing report", "an existing one"} {
			path := lab.Path(t, "report.txt")
			if kind == "an existing one" {
				write(t, path, "yesterday's report\n")
			}
			var first, second, machine error
			var calls []string
			result := leave(t, "WriteLines", func() error {
				machine = lab.Watch(func() { first = close.WriteLines(path, lines) }, func(name string) {
					if calls = append(calls, name); len(calls) == stop+1 {
						second = errors.Join(close.WriteLines(path, lines), close.WriteLines(path+".2", lines))
					}
				})
				return nil
			})
			requireReturned(t, "WriteLines", result)
			lab.RequireRefuse(t, machine)
			stops = max(stops, len(calls))
			if stop >= len(calls) {
				continue
			}
			lab.RequireNoError(t, errors.Join(first, second), lab.Lesson{
				Says: "WriteLines failed because another call was at work",
				Did: fmt.Sprintf("WriteLines stood still before its call %d, %s, for %s; meanwhile another goroutine wrote it and one beside it",
					stop+1, calls[stop], kind),
				Means: "reports are written as long as one person asks, and fail when two do",
				Read:  sectionTurn,
			})
		}
	}
}

// fillUp writes as much into the pipe as it takes, and says how much that was.
func fillUp(pipe *os.File) (written int, err error) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(descriptor uintptr) {
		for size := 4096; size > 0; {
			n, err := unix.Write(int(descriptor), make([]byte, size))
			if err != nil {
				size /= 2
				continue
			}
			written += n
		}
	})
	return written, err
}

// untilItWaits reports whether a goroutine waits for a pipe inside the named function, in os.File's method. It returns when one does, when
// the call is done, or after a while: a call that waits in another way is not judged.
func untilItWaits(function, method string, done chan error) bool {
	stacks := make([]byte, 1<<20)
	for began := time.Now(); len(done) == 0 && time.Since(began) < 2*time.Second; runtime.Gosched() {
		for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(stack, "[IO wait") && strings.Contains(stack, "."+function+"(") {
				return strings.Contains(stack, "os.(*File)."+method+"(")
			}
		}
	}
	return false
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

func TestWithOpensWhateverOpenFileOpens(t *testing.T) {
	t.Parallel()
	t.Run("a pipe, a device and a directory", requireAnyKindOfFile)
	for _, kind := range []string{"a file", "a pipe"} {
		t.Run(kind+", with every flag", func(t *testing.T) { requireFlags(t, kind) })
	}
	t.Run("while programs start", requireNoMomentToInherit)
}

// A pipe or a device is opened, written and closed like any file. What only a file on a disk can do, such as fsync(2), it refuses.
func requireAnyKindOfFile(t *testing.T) {
	t.Parallel()
	pipe := lab.Path(t, "answers")
	requireMachine(t, unix.Mkfifo(pipe, 0o600))
	write := func(f *os.File) error { _, err := f.WriteString("free\n"); return err }
	list := func(f *os.File) error { _, err := f.Readdirnames(-1); return err }
	for _, test := range []struct {
		name, path, did string
		flag            int
		use             func(f *os.File) error
	}{
		{"a named pipe", pipe, "wrote a line", os.O_RDWR, write},
		{"the null device", os.DevNull, "wrote a line", os.O_RDWR, write},
		{"a directory", t.TempDir(), "listed its names", os.O_RDONLY, list},
	} {
		result := leave(t, "With", func() error { return close.With(test.path, test.flag, 0, test.use) })
		requireReturned(t, "With", result)
		lab.RequireNoError(t, result.err, lab.Lesson{
			Says:  "With returned an error for " + test.name,
			Did:   "With opened " + test.name + ", as os.OpenFile can; use " + test.did + " and returned nil",
			Means: "an answer that has arrived is reported as failed: With did something that its caller had not asked for",
			Read:  sectionTurn,
		})
	}
}

// The functions hold no lock, and none that other code holds is a reason to wait or to fail.
func requireNoLock(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "{}\n")
	f, err := os.Open(path)
	requireMachine(t, err)
	t.Cleanup(func() { f.Close() })
	requireMachine(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	for _, test := range []struct {
		function string
		call     func() error
	}{
		{"With", func() error { return close.With(path, os.O_RDWR, 0, func(*os.File) error { return nil }) }},
		{"CountLines", func() error { _, err := close.CountLines(slices.Values([]string{path})); return err }},
		{"WriteLines", func() error { return close.WriteLines(path, nil) }},
	} {
		did := "other code held a lock on the file (flock(2), LOCK_EX); the test called " + test.function
		result := leaveAfter(t, test.function, did, test.call)
		requireReturned(t, test.function, result)
		lab.RequireNoError(t, result.err, lab.Lesson{
			Says:  test.function + " failed because of a lock",
			Did:   did,
			Means: "two calls for one file refuse each other, although the contract says that they hold no lock",
			Read:  sectionTurn,
		})
	}
}

// A child that inherits the handle keeps the file open after With has closed it, and in lesson 08 its lock.
func requireFlags(t *testing.T, kind string) {
	t.Parallel()
	path := lab.Path(t, "locks.json")
	if kind == "a pipe" {
		requireMachine(t, unix.Mkfifo(path, 0o600))
	} else {
		write(t, path, "{}")
	}
	inherited, flags := false, 0
	look := func(f *os.File) error {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(func(fd uintptr) {
			ofDescriptor, err := unix.FcntlInt(fd, unix.F_GETFD, 0)
			inherited = err == nil && ofDescriptor&unix.FD_CLOEXEC == 0
			flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0)
		})
	}
	result := leave(t, "With", func() error { return close.With(path, os.O_RDWR|os.O_SYNC, 0, look) })
	requireReturned(t, "With", result)
	lab.RequireNoError(t, result.err, lab.Lesson{
		Says:  "With returned an error for " + kind,
		Did:   "With opened " + kind + " (O_RDWR|O_SYNC), as os.OpenFile can; use looked at it and returned nil",
		Means: "work that is done is reported as failed: With did something that its caller had not asked for",
		Read:  sectionTurn,
	})
	lab.Require(t, !inherited, lab.Lesson{
		Says:     "With lets child processes inherit the file",
		Did:      "inside use, the test asked the kernel whether the descriptor is closed when a program is started (FD_CLOEXEC)",
		Expected: "close-on-exec, as os.OpenFile sets it",
		Found:    "a child would inherit the open file",
		Means:    "With closes the file, and it stays open in every program that was started meanwhile",
		Read:     sectionChildren,
	})
	f, err := os.OpenFile(path, os.O_RDWR|os.O_SYNC, 0)
	requireMachine(t, err)
	got := flags
	requireMachine(t, errors.Join(look(f), f.Close()))
	means := "without O_NONBLOCK, which Fd takes away, a deadline of a pipe has no effect"
	if (got^flags)&os.O_SYNC != 0 {
		means = "a write returns before its bytes are on the disk, although the caller asked for O_SYNC"
	}
	says := func(flags int) string {
		return fmt.Sprintf("%#x (O_SYNC: %t, O_NONBLOCK: %t)", flags, flags&os.O_SYNC == os.O_SYNC, flags&unix.O_NONBLOCK != 0)
	}
	lab.Require(t, got == flags, lab.Lesson{
		Says:     "With gave the open file other flags than os.OpenFile",
		Did:      "With opened " + kind + " (O_RDWR|O_SYNC); inside use, the test asked the kernel for the flags of the open file (F_GETFL)",
		Expected: says(flags),
		Found:    says(got),
		Means:    means,
		Read:     sectionTurn,
	})
}

func requireNoMomentToInherit(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", "{}")
	lab.RequireNotInherited(t, path, func() {
		_ = close.With(path, os.O_RDWR, 0, func(*os.File) error { return nil }) // its result is judged elsewhere
	}, lab.Lesson{
		Says:     "With lets child processes inherit the file",
		Did:      "two goroutines called With again and again; a third one started programs that listed the files they had open",
		Expected: "no program has the file of With open",
		Means:    "With closes the file, and it stays open in every program that was started at the wrong moment",
		Read:     sectionChildren,
	})
}

// A process of its own, since the umask belongs to the process. Under the usual umask 022 a hard-coded 0644 would go unnoticed.
func TestTheModeIsLeftToTheUmask(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"000", "027"} {
		t.Run("umask "+umask, func(t *testing.T) {
			t.Parallel()
			worker := lab.Launch(t, lab.Options{Dir: t.TempDir(), Umask: umask}, "make files under a umask")
			var seen map[string]madeFile
			receive(t, worker, "With", &seen)
			for _, want := range []struct {
				file, function, asked string
				mode                  os.FileMode
			}{
				{"with.txt", "With", "With was asked for mode 0666", 0o666},
				{"private.txt", "With", "With was asked for mode 0640", 0o640},
				{"closed.txt", "With", "With was asked for mode 0", 0},
				{"report.txt", "WriteLines", "WriteLines made a new report", 0o666},
				{"dangling.txt", "WriteLines", "WriteLines was given a link to a file that does not exist", 0o666},
				{"old.txt", "WriteLines", "WriteLines wrote over a report of mode 0646", 0},
				{"link.txt", "WriteLines", "WriteLines was given a link to a report of mode 0646", 0},
			} {
				mask, err := strconv.ParseUint(umask, 8, 32)
				requireMachine(t, err)
				mode := want.mode &^ os.FileMode(mask)
				if want.file == "old.txt" || want.file == "link.txt" {
					mode = 0o646 // the umask takes nothing from a file that exists
				}
				lesson := lab.Lesson{
					Says:  want.function + " returned an error although nothing failed",
					Did:   "in a process with umask " + umask + ", " + want.asked,
					Means: "the file can be written on one machine and not on the next",
					Read:  sectionTurn,
				}
				got := seen[want.file]
				lab.Require(t, got.Err == "", withExpected(lesson, "no error", shorten(got.Err)))
				lesson = lesson.Say("%s returned nil and made no file", want.function)
				lab.Require(t, got.Missing == "", withExpected(lesson, "the file exists, even if there was nothing to write", got.Missing))
				lesson = lesson.Say("%s gave the file another mode", want.function)
				lesson.Means = "people of the workshop cannot read the file, or people outside can"
				lab.RequireEqual(t, mode, got.Mode, lesson)
			}
		})
	}
}

type madeFile struct {
	Mode         os.FileMode
	Err, Missing string // of the call, and of a look at the file when it had returned nil
}

func makeFilesUnderAUmask(w *lab.Worker) error {
	fine := func(*os.File) error { return nil }
	_ = close.With("missing/with.txt", os.O_WRONLY|os.O_CREATE, 0o666, fine) // its error is another test's question
	files := make(map[string]madeFile)
	var problem error
	for _, name := range []string{"old.txt", "target.txt"} {
		problem = errors.Join(problem, os.WriteFile(name, nil, 0o600), os.Chmod(name, 0o646))
	}
	problem = errors.Join(problem, os.Symlink("target.txt", "link.txt"), os.Symlink("new.txt", "dangling.txt"))
	for name, err := range map[string]error{
		"old.txt":      close.WriteLines("old.txt", nil),
		"with.txt":     close.With("with.txt", os.O_WRONLY|os.O_CREATE, 0o666, fine),
		"private.txt":  close.With("private.txt", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640, fine),
		"closed.txt":   close.With("closed.txt", os.O_WRONLY|os.O_CREATE, 0, fine),
		"report.txt":   close.WriteLines("report.txt", nil),
		"link.txt":     close.WriteLines("link.txt", nil),
		"dangling.txt": close.WriteLines("dangling.txt", nil),
	} {
		info, missing := os.Stat(name)
		switch {
		case err != nil:
			files[name] = madeFile{Err: text(err)}
		case missing != nil:
			files[name] = madeFile{Missing: text(missing)}
		default:
			files[name] = madeFile{Mode: info.Mode()}
		}
	}
	return errors.Join(problem, w.Result(files))
}
