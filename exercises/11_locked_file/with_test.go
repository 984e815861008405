package lockedfile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"testing"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab"
)

// leave calls With and leaves use in the given way. It returns the value of a panic, whether With returned, and its error.
func leave(path, way string) (panicked any, returned bool, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { panicked = recover() }()
		err = lockedfile.With(context.Background(), path, os.O_RDWR, 0, func(file *lockedfile.File) error {
			switch way {
			case "an error":
				return errTest
			case "a panic":
				panic("the test's own panic")
			case "runtime.Goexit":
				runtime.Goexit()
			case "a Close of its own":
				return file.Close()
			case "an error, after a Close of its own":
				return errors.Join(file.Close(), errTest)
			}
			return nil
		})
		returned = true
	}()
	<-ended
	return panicked, returned, err
}

func TestWith(t *testing.T) {
	t.Parallel()
	t.Run("closes the file on every way out", closesOnEveryWayOut)
	t.Run("keeps the lock while use runs", keepsTheLockWhileUseRuns)
	t.Run("does not call use without the lock", doesNotCallUseWithoutTheLock)
	t.Run("returns the error of use and of Close", returnsTheErrorOfUseAndOfClose)
}

func closesOnEveryWayOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		way   string
		want  error
		panic any
	}{
		{"nil", nil, nil},
		{"an error", errTest, nil},
		{"a panic", nil, "the test's own panic"},
		{"runtime.Goexit", nil, nil},
		{"a Close of its own", nil, nil},
		{"an error, after a Close of its own", errTest, nil},
	} {
		t.Run(c.way, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.json", document)
			other := start(t, path)
			l := lab.Lesson{
				Says:  "With kept the file locked when use ended with " + c.way,
				Did:   "With; use ended with " + c.way + "; then another process called TryOpenFile",
				Means: "everyone waits for an owner that is no longer inside", Read: closing,
			}
			panicked, returned, err := leave(path, c.way)
			other.Succeed("TryOpenFile it r+", l)
			other.get("Close it")
			open, failed := lab.IsOpen(path)
			lab.RequireSetUp(t, failed)
			lab.Require(t, !open, l.Say("With left the file open when use ended with %s", c.way))
			l.Says, l.Means = "With did not pass on how use ended", "the caller goes on as if all had been done"
			switch {
			case c.panic != nil || c.way == "runtime.Goexit":
				l.Expected, l.Found = "With does not return", fmt.Sprint("With returned: ", err)
				lab.Require(t, !returned, l)
			case c.want == nil:
				lab.RequireNoError(t, err, l)
			default:
				lab.RequireErrorIs(t, err, c.want, l)
			}
			l.Expected, l.Found = fmt.Sprint("a panic with the value ", c.panic), fmt.Sprint(panicked)
			if c.panic == nil {
				l.Expected = "no panic"
			}
			lab.Require(t, c.panic == panicked, l)
		})
	}
}

func keepsTheLockWhileUseRuns(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "checkouts.json", document)
	other := start(t, path)
	l := lab.Lesson{Did: "With; while use ran, another process called TryOpenFile", Means: "both are inside at once", Read: closing}
	for _, c := range []struct {
		flag       int
		try, again string
	}{{os.O_RDONLY, "r+", "r"}, {os.O_RDWR, "r", ""}, {os.O_WRONLY, "r", ""}} {
		ran := false
		err := lockedfile.With(t.Context(), path, c.flag, 0, func(file *lockedfile.File) error {
			ran = true
			other.refused("TryOpenFile it "+c.try, l.Say("With did not keep another owner out"))
			if c.again != "" {
				other.Succeed("TryOpenFile it "+c.again, l.Say("With kept a reader out, and only reads"))
				other.get("Close it")
				text, err := io.ReadAll(file)
				lab.RequireEqual(t, document, string(text), l.Say("With gave use a file that does not hold what it held"))
				return err
			}
			return nil
		})
		lab.RequireNoError(t, err, l.Say("With failed although nothing stood in its way"))
		lab.Require(t, ran, l.Say("With did not call use"))
	}
}

func doesNotCallUseWithoutTheLock(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	path := lab.WriteFile(t, "checkouts.json", document)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx    context.Context
		path   string
		reason error
	}{
		{ended, path, context.Canceled},
		{ended, path + ".missing", context.Canceled},
		{t.Context(), path + ".missing", fs.ErrNotExist},
	} {
		l := lab.Lesson{
			Says: "With called use although it had no locked file", Did: "With, of a file that could not be opened and locked",
			Means: "use works with a file that is not there, or that others write", Read: closing,
		}
		ran := false
		var err error
		lab.Finishes(t, func() {
			err = lockedfile.With(c.ctx, c.path, os.O_RDWR, 0, func(*lockedfile.File) error { ran = true; return nil })
		}, l)
		lab.Require(t, !ran, l)
		lab.RequireErrorIs(t, err, c.reason, l.Say("With did not report why it failed"))
	}
}

func returnsTheErrorOfUseAndOfClose(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	lab.EachErrno(t, func(t *testing.T, errno error) {
		path, other := lab.WriteFile(t, "checkouts.json", document), lab.WriteFile(t, "other.json", document)
		l := lab.Lesson{
			Says: "With did not return what it had to report", Read: closing,
			Did:   "With; use returned an error, and each close failed with " + errno.Error(),
			Means: "what the kernel could not do is never known, or why use failed",
		}
		var err error
		lab.RequireRefuse(t, lab.Refuse("close", errno, func() {
			err = lockedfile.With(context.Background(), path, os.O_RDWR, 0, func(*lockedfile.File) error { return errTest })
		}))
		lab.RequireErrorIs(t, err, errTest, l)
		lab.RequireErrorIs(t, err, errno, l)
		lab.RequireRefuse(t, lab.Refuse("close", errno, func() {
			err = errNothing
			if file, openErr := lockedfile.TryOpenFile(other, os.O_RDWR, 0); openErr == nil {
				err = file.Close()
			}
		}))
		lab.RequireErrorIs(t, err, errno, l.Say("Close did not report what the kernel had refused"))
		lab.Require(t, !errors.Is(err, fs.ErrClosed), l)
	}, refusedWith...)
}
