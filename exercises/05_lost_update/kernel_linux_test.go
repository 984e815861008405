package lostupdate_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/exercises/05_lost_update"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

// What the kernel may refuse: the lock, the write, the close.

func TestWithoutTheLockNothingIsWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		order, name, content string
		errnos               []error
	}{
		{"update 1", "counter.json", `{"counter":41}`, []error{syscall.ENOLCK, syscall.ENOSYS, syscall.EINTR}},
		{"take hinge.step bob", "locks.json", `{"bracket.step":"alice"}`, []error{syscall.ENOLCK, syscall.EPERM}},
		{"return bracket.step alice", "locks.json", `{"bracket.step":"alice"}`, []error{syscall.ENOSYS}},
	} {
		call := callOf(c.order)
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, c.name, c.content)
			lesson := lab.Lesson{
				Says:  call + " went on although the kernel had refused the lock",
				Means: "it changed the file without a lock, beside every other program that does",
				Read:  refusal,
			}
			lab.EachErrno(t, func(t *testing.T, errno error) {
				lesson := lesson
				lesson.Did = "the file held " + c.content + "; " + c.order + "; the lock failed with " + trace.ErrnoName(errno) +
					" (injected by strace)"
				rule := lab.Rule{Calls: "flock", Fail: errno}
				interrupted := errors.Is(errno, syscall.EINTR)
				if interrupted {
					rule.When = 1
				}
				p := lab.Trace(t, rule, lab.Options{Dir: t.TempDir()}, "once", path, c.order)
				err := p.Wait(lesson)
				switch {
				case len(p.Injected()) == 0: // it locks by other means, or not at all, which other tests find
				case interrupted && err == nil: // it has waited on, and then got the lock
					lesson.Expected, lesson.Found = "an error, or another try for the lock", "neither"
					lab.Require(t, slices.ContainsFunc(p.Calls(), gotLock), lesson)
				default:
					lab.RequireFile(t, path, c.content, lesson)
					lab.RequireError(t, err, lesson)
				}
			}, c.errnos[:lab.Rounds(len(c.errnos))]...)
		})
	}
}

func gotLock(call lab.Call) bool {
	return call.Name == "flock" && call.Errno == "" && strings.Contains(call.Args, "LOCK_EX")
}

func TestEveryErrorOfTheWriteIsReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ order, name, content string }{
		{"update 1", "counter.json", `{"counter":41}`},
		{"take hinge.step bob", "locks.json", `{"bracket.step":"alice"}`},
		{"return bracket.step alice", "locks.json", `{"bracket.step":"alice"}`},
	} {
		call := callOf(c.order)
		for _, what := range []string{"write", "truncate", "close"} {
			t.Run(call+"/"+what, func(t *testing.T) {
				t.Parallel()
				lab.EachErrno(t, func(t *testing.T, errno error) {
					lesson := lab.Lesson{
						Says:  reporter(call, what) + " did not report that the kernel had refused the write",
						Did:   fmt.Sprintf("%s; each %s of a file failed with %s", c.order, what, trace.ErrnoName(errno)),
						Means: "the caller goes on with a number, or a part, that the file does not show",
						Read:  refusal,
					}
					err := refused(t, what, errno, lab.WriteFile(t, c.name, c.content), c.order, lesson)
					lab.RequireError(t, err, lesson)
					lesson.Says = reporter(call, what) + " reported the kernel's error in such a way that errors.Is does not find it"
					lesson.Means = "the caller cannot tell a full disk, which a person can clear, from a broken one"
					lesson.Expected = "an error in which errors.Is finds " + trace.ErrnoName(errno) + " (wrap the error with %w)"
					lab.RequireErrorIs(t, err, errno, lesson)
				}, syscall.EIO, syscall.ENOSPC, syscall.EDQUOT)
			})
		}
		t.Run(call+"/unlock", func(t *testing.T) {
			t.Parallel()
			unlockRefused(t, lab.WriteFile(t, c.name, c.content), c.order)
		})
	}
	t.Run("Take/the list cannot grow", listCannotGrow)
}

// reporter names the calls of which one must report a refusal.
func reporter(call, what string) string {
	if what == "close" && call != "Update" {
		return call + ", or the list's Close,"
	}
	return call
}

// unlockRefused demands an error if the kernel refuses LOCK_UN. A caller that gives its lock back by other means is not asked.
func unlockRefused(t *testing.T, path, order string) {
	t.Helper()
	lesson := lab.Lesson{
		Says:  callOf(order) + " did not report that the kernel had refused to give the lock back",
		Did:   order + "; the second flock, which unlocks, failed with EIO (injected by strace)",
		Means: "the lock may be held as long as the program runs: the others wait, and nothing tells why",
		Read:  refusal,
	}
	p := lab.Trace(t, lab.Rule{Calls: "flock", Fail: syscall.EIO, When: 2}, lab.Options{Dir: t.TempDir()}, "once", path, order)
	err := p.Wait(lesson)
	for _, call := range p.Injected() {
		if strings.Contains(call.Args, "LOCK_UN") {
			lab.RequireError(t, err, lesson)
		}
	}
}

// refused obeys one order while the kernel refuses some calls, and closes the list.
func refused(t *testing.T, what string, errno error, path, order string, lesson lab.Lesson) (err error) {
	t.Helper()
	d := &desk{path: path}
	if strings.HasPrefix(filepath.Base(path), "locks") {
		d.list, err = lostupdate.Open(path)
		lab.RequireNoError(t, err, lesson)
	}
	var failed error
	lab.Finishes(t, func() {
		failed = lab.Refuse(what, errno, func() {
			err = d.do(order).Returned.Err
			if d.list != nil {
				err = errors.Join(err, d.list.Close())
			}
		})
	}, lesson)
	if errors.Is(failed, errors.ErrUnsupported) {
		t.Skip(failed)
	}
	lab.RequireNoError(t, failed, lesson)
	return err
}

func listCannotGrow(t *testing.T) {
	t.Helper()
	t.Parallel()
	const content = `{"bracket.step":"alice"}`
	path := listFile(t, content)
	lesson := lab.Lesson{
		Says: "Take did not report that the kernel had refused the write",
		Did: "no file could grow beyond the list's length (a limit of the process); Take of hinge.step; " +
			"another program took it, when the file was right again",
		Means: "Bob works on a part that is free according to the list, or no program gets its turn again",
		Read:  refusal,
	}
	p := start(t, path)
	p.succeed("limit 24", lesson)
	lab.RequireError(t, p.do("take hinge.step bob", lesson).Returned.Err, lesson)
	write(t, path, content)
	start(t, path).succeed("take hinge.step bob", lesson)
}
