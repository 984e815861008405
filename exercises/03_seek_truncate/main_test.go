package seektruncate_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"rewrite":       rewrite,
		"append":        appendLine,
		"read record":   readRecord,
		"step":          step,
		"step read":     stepRead,
		"elsewhere":     elsewhere,
		"append many":   appendMany,
		"append failed": appendFailed,
		"read in turns": readInTurns,
		"read one":      readOne,
		"call":          callOnce,
		"slow file":     besideASlowFile,
		"slow rewrite":  besideASlowRewrite,
		"slow sender":   besideASlowSender,
	}, io.EOF, io.ErrUnexpectedEOF, syscall.EFBIG, syscall.EIO)
}

// done is what a call in a worker returned, and what it left behind.
type done struct {
	Returned lab.Returned
	LeftOpen bool // a handle to the file is still open
}

// doneWith reports a call on the file at path that has just returned err.
func doneWith(path string, err error) (any, error) {
	open, failed := lab.IsOpen(path)
	if errors.Is(failed, os.ErrNotExist) {
		open, failed = false, nil
	}
	return done{lab.Returned{Err: err}, open}, failed
}

const (
	unlimited  = "unlimited"
	noTruncate = "no truncate"
)

// limit makes the worker's writes beyond a length fail, unless the argument is unlimited, or each Truncate.
func limit(w *lab.Worker, arg int) error {
	runtime.LockOSThread() // a rule counts the calls of a thread
	if w.Arg(arg) == unlimited || w.Arg(arg) == "" {
		return nil
	}
	if w.Arg(arg) == noTruncate {
		return lab.RefuseAll("truncate", syscall.EFBIG)
	}
	return lab.LimitFileSize(int64(w.Int(arg)))
}

// locksOf is a locks.json in which one person has that many parts.
func locksOf(person string, parts int) string {
	if parts == 1 {
		return `{"bracket.step":"` + person + `"}`
	}
	var b strings.Builder
	for n := range parts {
		fmt.Fprintf(&b, `,"part-%05d.step":"%s"`, n, person)
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// A refusal is a step of a call that the kernel refuses: with the error that the code may expect, and with one that it cannot.
type refusal struct {
	step, calls string
	when        int
	errnos      []error
}

var (
	// Only the first open is refused: a second one, made in another way, would succeed.
	openRefused  = refusal{"open", "openat,?open", 1, []error{syscall.EACCES, syscall.EIO}}
	writeRefused = refusal{"write", trace.Writes, 0, []error{syscall.ENOSPC, syscall.EIO}}
	cutRefused   = refusal{"truncate", "ftruncate,?truncate", 0, []error{syscall.EIO, syscall.EINVAL}}
	closeRefused = refusal{"close", "close", 0, []error{syscall.EDQUOT, syscall.EIO}}
)

// withRefusal runs a worker on the file at path while the kernel refuses a step with errno. It returns what the call in the worker
// returned, and whether the call came to that step at all.
func withRefusal(t *testing.T, r refusal, errno error, lesson lab.Lesson, worker, path string, args ...string) (call done, met bool) {
	t.Helper()
	rule := lab.Rule{Calls: r.calls, Paths: []string{path}, Fail: errno, When: r.when}
	p := lab.Trace(t, rule, lab.Options{}, worker, append([]string{path}, args...)...)
	p.Result(&call, lesson)
	lab.RequireNoError(t, p.Wait(lesson), lesson)
	return call, len(p.Injected()) > 0
}

// step is the body of a worker that is stopped after each of its calls: its order says whether it calls Rewrite or AppendLine.
func step(w *lab.Worker) error {
	path, text := w.Arg(0), w.Arg(1)
	// Another file in the directory for temporary files is another file as well: here the tests see it.
	if err := os.Setenv("TMPDIR", filepath.Dir(path)); err != nil {
		return err
	}
	if w.Arg(3) != "" { // a long line, of which only the first part is given, since an argument cannot be so long
		text += strings.Repeat(text[:1], max(0, w.Int(3)-len(text)))
	}
	if w.Arg(2) != unlimited {
		if err := limitFileSizeSoftly(w.Int(2)); err != nil {
			return err
		}
	}
	return lab.Steps(w, func(order string) any {
		var err error
		switch order {
		case "rewrite":
			err = seektruncate.Rewrite(path, []byte(text))
		case "append":
			err = seektruncate.AppendLine(path, text)
		}
		return lab.Returned{Err: err}
	})
}

// stepRead is the body of a worker that reads record 1 of the table at path and is stopped after each of its calls.
func stepRead(w *lab.Worker) error {
	file, err := os.Open(w.Arg(0))
	if err != nil {
		return err
	}
	err = lab.Steps(w, func(string) any {
		got, err := seektruncate.ReadRecord(file, 1)
		return reading{Returned: lab.Returned{Err: err}, Bytes: string(got)}
	})
	return errors.Join(err, file.Close())
}

type reading struct {
	Returned lab.Returned
	Bytes    string
}

// stops are the calls after which a stepped worker stands still.
const stops = trace.Files + ",read,pread64,lseek,fstat,ftruncate,close," + trace.Writes

func skipOnWindows(t *testing.T, reason string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip(reason)
	}
}

const noLimit = "Windows has no limit of the file size (RLIMIT_FSIZE), by which this test makes a write fail"

// skipUnderWine: Wine asks for the length of the file and then writes there, in two steps, where Windows does both as one.
func skipUnderWine(t *testing.T) {
	t.Helper()
	if lab.Wine() {
		t.Skip("Wine does not append as one step: it finds the end of the file, then writes there")
	}
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	prepared(t, err)
	t.Cleanup(func() {
		if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Errorf("the test cannot close its own file: %v", err)
		}
	})
	return file
}

// symlink makes a symbolic link to an existing file, or skips the test where that cannot be done.
func symlink(t *testing.T, file, link string) {
	t.Helper()
	if err := os.Symlink(file, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if _, err := os.Stat(link); err != nil {
		t.Skipf("a symbolic link leads nowhere here (Wine's does): %v", err)
	}
}

// prepared ends a test that could not prepare its own files.
func prepared(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("the test cannot prepare its own files: %v", err)
	}
}

// content is what the file at path holds, or nothing if there is none: what the code under test may have done.
func content(t *testing.T, path string) string {
	t.Helper()
	bytes, err := os.ReadFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		prepared(t, err)
	}
	return string(bytes)
}

// requireAlone demands that there is no other file in the directory of path.
func requireAlone(t *testing.T, path string, lesson lab.Lesson) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	prepared(t, err)
	var names []string
	for _, entry := range entries {
		if entry.Name() != filepath.Base(path) {
			names = append(names, entry.Name())
		}
	}
	lesson.Expected, lesson.Found = filepath.Base(path)+" alone in its directory", "also "+strings.Join(names, ", ")
	lab.Require(t, len(names) == 0, lesson)
}
