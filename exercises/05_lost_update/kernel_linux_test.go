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
		{"update 1", "counter.json", `{"counter":41}`, []error{syscall.ENOLCK, syscall.EINTR}},
		{"take hinge.step bob", "locks.json", `{"bracket.step":"alice"}`, []error{syscall.ENOLCK}},
		{"return bracket.step alice", "locks.json", `{"bracket.step":"alice"}`, []error{syscall.ENOLCK}},
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
			t.Run("for whatever reason", func(t *testing.T) { noReasonIsGoodEnough(t, path, c.order, c.content, lesson) })
		})
	}
}

// noReasonIsGoodEnough asks a caller of flock with every error number but two: a signal ends a wait with EINTR, and to a caller that polls
// EAGAIN means that another one has the lock.
func noReasonIsGoodEnough(t *testing.T, path, order, content string, lesson lab.Lesson) {
	t.Helper()
	const unheardOf = syscall.EDOM // which no one handles in a way of its own
	lesson.Did = "the file held " + content + "; " + order + "; the lock failed"
	write(t, path, content) // a call that locks by other means has changed it
	if refused(t, "flock", unheardOf, path, order, lesson).Returned.Err == nil {
		t.Skip("it locks by other means, or not at all, which other tests find")
	}
	for errno := syscall.Errno(1); errno <= syscall.ERFKILL; errno++ {
		if errno == syscall.EINTR || errno == syscall.EAGAIN {
			continue
		}
		lesson.Did = "the file held " + content + "; " + order + "; the lock failed with " + trace.ErrnoName(errno)
		write(t, path, content)
		got := refused(t, "flock", errno, path, order, lesson)
		lab.RequireFile(t, path, content, lesson)
		lab.RequireError(t, got.Returned.Err, lesson)
		early := lesson.Say("Update called change without the lock")
		early.Expected, early.Found = "no call of change", fmt.Sprintf("%d calls", got.Changes)
		lab.Require(t, got.Changes == 0, early)
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
					path := lab.WriteFile(t, c.name, c.content)
					got := refused(t, what, errno, path, c.order, lesson)
					err := got.Returned.Err
					lab.RequireError(t, err, lesson)
					if call == "Update" {
						requireOneChange(t, got, lesson)
					}
					lesson.Says = reporter(call, what) + " reported the kernel's error in such a way that errors.Is does not find it"
					lesson.Means = "the caller cannot tell a full disk, which a person can clear, from a broken one"
					lesson.Expected = "an error in which errors.Is finds " + trace.ErrnoName(errno) + " (wrap the error with %w)"
					lab.RequireErrorIs(t, err, errno, lesson)
					if errors.Is(errno, syscall.EIO) && (what != "close" || unlocks(t, c.name, c.content, c.order, lesson)) {
						requireNextTurn(t, what, c.name, c.content, c.order)
					}
				}, syscall.EIO, syscall.ENOSPC, syscall.EDQUOT)
			})
		}
		t.Run(call+"/unlock", func(t *testing.T) {
			t.Parallel()
			unlockRefused(t, lab.WriteFile(t, c.name, c.content), c.order)
		})
	}
	t.Run("Take/the list cannot grow", listCannotGrow)
	t.Run("with another error", oneErrorOfTwo)
	t.Run("after a signal, once", interruptedOnce)
}

// unlocks reports whether the call gives its lock back by LOCK_UN. If it does so by a close that the kernel refuses, it keeps the lock.
func unlocks(t *testing.T, name, content, order string, lesson lab.Lesson) bool {
	t.Helper()
	return refused(t, "unlock", syscall.EIO, lab.WriteFile(t, name, content), order, lesson).Returned.Err != nil
}

// requireNextTurn demands that a call succeeds after the kernel has refused something in another call of the same program.
func requireNextTurn(t *testing.T, what, name, content, order string) {
	t.Helper()
	lesson := keptOut.Say("%s kept its lock after the kernel had refused a %s", callOf(order), what)
	lesson.Did = fmt.Sprintf("%s; each %s of a file failed with EIO; the file was put right; then the program did it again", order, what)
	path := lab.WriteFile(t, name, content)
	p := start(t, path)
	p.do("refusing "+what+" "+order, lesson)
	write(t, path, content)
	p.succeed(order, lesson)
}

// interruptedOnce lets a signal interrupt one call after the other. That is no reason to do again what was written before it.
func interruptedOnce(t *testing.T) {
	t.Helper()
	t.Parallel()
	for _, c := range []struct{ order, name, content, twice string }{
		{"update 1", "counter.json", `{"counter":41}`, ""},
		{"take lid.step bob", "locks.json", `{}`, "ErrTaken"},
		{"return lid.step bob", "locks.json", `{"lid.step":"bob"}`, "ErrNotHolder"},
	} {
		for made := range mostStops {
			lesson := lab.Lesson{
				Says:     callOf(c.order) + " did its work twice because a signal had interrupted it",
				Did:      fmt.Sprintf("the file held %s; %s; its system call %d, such as a close, failed with EINTR", c.content, c.order, made+1),
				Expected: "the work is done once, with or without an error that matches EINTR",
				Means:    "two numbers are gone for one job card, or a person who has just got a part gets an error that it is taken",
				Read:     refusal,
			}
			d := sitHere(t, lab.WriteFile(t, c.name, c.content))
			var got reply
			names, err := lab.RefuseOne(made, syscall.EINTR, func() { got = d.do(c.order) })
			lab.RequireRefuse(t, err)
			lesson.Found = fmt.Sprintf("%d calls of change, and %s", got.Changes, got)
			lab.Require(t, got.Changes <= 1 && got.String() != c.twice, lesson)
			if len(names) <= made {
				break
			}
		}
	}
}

// oneErrorOfTwo lets a call fail, and the kernel refuse to close the file or to give the lock back at the end of it.
func oneErrorOfTwo(t *testing.T) {
	t.Helper()
	t.Parallel()
	lesson := lab.Lesson{
		Means: "the lock may be held as long as the program runs: the others wait, and nothing tells why",
		Read:  refusal,
	}
	const eves = `{"lid.step":"eve"}`
	for _, c := range []struct {
		name, rightContent, rightOrder string
		content, order                 string
		want                           error
	}{
		{"counter.json", `{"counter":41}`, "update 1", "", "update 1", nil},
		{"locks.json", eves, "take hinge.step bob", eves, "take lid.step bob", lostupdate.ErrTaken},
		{"locks.json", eves, "return lid.step eve", eves, "return lid.step bob", lostupdate.ErrNotHolder},
		{"locks.json", eves, "take hinge.step bob", "", "take lid.step bob", nil},
		{"locks.json", eves, "return lid.step eve", "", "return lid.step bob", nil},
	} {
		lesson := lesson.Say("%s did not report a refused unlock, because there was another error", callOf(c.order))
		lesson.Did = fmt.Sprintf("the file held %s; %s; LOCK_UN failed with EIO", lab.Show([]byte(c.content)), c.order)
		if !unlocks(t, c.name, c.rightContent, c.rightOrder, lesson) {
			break
		}
		err := refused(t, "unlock", syscall.EIO, lab.WriteFile(t, c.name, c.content), c.order, lesson).Returned.Err
		lesson.Expected = "an error in which errors.Is finds EIO"
		lab.RequireErrorIs(t, err, syscall.EIO, lesson)
		if c.want != nil {
			lesson = lesson.Say("%s did not report why it had refused, because the kernel refused to give the lock back", callOf(c.order))
			lesson.Means = "the caller cannot tell what to do: another person has the part"
			lesson.Expected = fmt.Sprintf("an error in which errors.Is finds EIO and %q", c.want)
			lab.RequireErrorIs(t, err, c.want, lesson)
		}
	}

	path := counterFile(t, 99)
	lesson = lesson.Say("Update did not report that the kernel had refused to close the file, because there was another error")
	lesson.Did = "Update(+1) of the counter 99 in a program that may write 14 bytes (a limit); each close of a file failed with EIO"
	lesson.Means = "the caller thinks that the disk is full, which a person can clear, and does not learn that it is broken"
	p := start(t, path)
	p.succeed("limit 14", lesson)
	got := p.do("refusing close update 1", lesson)
	if errors.Is(got.Returned.Err, errors.ErrUnsupported) {
		t.Skip(got.Returned.Err)
	}
	lesson.Expected, lesson.Found = "an error in which errors.Is finds EIO", fmt.Sprint(got.Returned.Err)
	lab.Require(t, got.Found, lesson)
}

// A lock file that is elsewhere is another one for a program in a container, and a file among other programs' files.
func TestFilesAreMadeBesideTheDocumentOnly(t *testing.T) {
	t.Parallel()
	path := listFile(t, `{}`)
	const calls = "open,openat,creat,mkdir,mkdirat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,unlink,unlinkat"
	lesson := lab.Lesson{
		Says:     "Update or Take made or changed a file in another directory",
		Did:      "a program took a part, and called Update(+1) of a counter beside the list",
		Expected: "it makes files in the directory of the document, and nowhere else",
		Means:    "a program that has another view of that directory, such as one in a container or of another user, has another lock",
		Read:     lives,
	}
	p := lab.Trace(t, lab.Rule{Calls: calls}, lab.Options{Dir: t.TempDir()}, "once", path, "take hinge.step bob;fresh")
	lab.RequireNoError(t, p.Wait(lesson), lesson)
	for _, call := range p.Calls() {
		makes := !strings.HasPrefix(call.Name, "open") || strings.Contains(call.Args, "O_CREAT") || strings.Contains(call.Args, "O_TMPFILE")
		lesson.Found = call.String()
		lab.Require(t, !makes || call.Within(filepath.Dir(path)), lesson)
	}
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
			lesson = lesson.Say("%s reported the kernel's error in such a way that errors.Is does not find it", callOf(order))
			lesson.Expected = "an error in which errors.Is finds EIO (wrap the error with %w)"
			lab.RequireErrorIs(t, err, syscall.EIO, lesson)
		}
	}
}

// refused obeys one order while the kernel refuses some calls, and closes the list.
func refused(t *testing.T, what string, errno error, path, order string, lesson lab.Lesson) (r reply) {
	t.Helper()
	d := &desk{path: path}
	if strings.HasPrefix(filepath.Base(path), "locks") {
		list, err := lostupdate.Open(path)
		lab.RequireNoError(t, err, judged(lesson))
		d.list = list
	}
	var failed error
	lab.Finishes(t, func() {
		failed = lab.Refuse(what, errno, func() {
			r = d.do(order)
			if d.list != nil {
				r.Returned.Err = errors.Join(r.Returned.Err, d.list.Close())
			}
		})
	}, lesson)
	lab.RequireRefuse(t, failed)
	return r
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
