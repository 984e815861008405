package contention_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	contention "example/turnstile/exercises/12_contention"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

// It is not parallel, so all others know what it has seen; see requireNoPolling.
func TestLockWaitsInTheKernel(t *testing.T) {
	for _, c := range []struct{ first, second string }{{"Lock", "Lock"}, {"Lock", "RLock"}, {"RLock", "Lock"}} {
		t.Run(c.second+" for "+c.first, func(t *testing.T) {
			_, p := several(t, 3)
			l := lab.Lesson{
				Says: c.second + " does not wait in the kernel", Did: "a process had a lock from " + c.first + "; another one called " + c.second,
				Means: "it goes in beside the owner, gives up, or asks again and again and comes too late", Read: asking,
			}
			p[0].get(c.first + " it")
			p[1].queue(c.second+" it", l)
			p[0].free("it")
			l.Did += "; then the first one called Unlock"
			p[1].end("it", l.Say("%s did not get the lock after it had waited for it", c.second))
			l.Means = "two programs are inside at once"
			p[2].queue("Lock it", l.Say("%s returned no error, and has no lock: a Lock went in", c.second))
			p[1].free("it")
			p[2].end("it", l)
		})
	}
	t.Run("different files", func(t *testing.T) {
		t.Parallel()
		path, p := several(t, 3)
		l := lab.Lesson{
			Says:  "Lock waits for the lock of another file",
			Did:   "a process had a lock; another one waited for it in Lock; a third called Lock for another file of the directory",
			Means: "one slow owner stops programs that have nothing to do with it", Read: turnstile,
		}
		p[0].get("Lock it")
		p[1].queue("Lock it", l.Say("Lock does not wait in the kernel"))
		other := filepath.Join(filepath.Dir(path), "other.json.lock")
		p[2].Succeed("Lock it "+other, l)
		p[2].free("it")
		l.Did = "a process had a lock; another one waited for it in Lock, and called Lock for another file of the directory as well"
		lab.RequireNoError(t, p[1].tell("start Lock other "+other, l), l)
		p[1].endsWell("other", l)
	})
	t.Run("two goroutines of one process", func(t *testing.T) {
		t.Parallel()
		_, p := several(t, 2)
		l := lab.Lesson{
			Says: "Lock did not keep another goroutine out", Did: "a goroutine had a lock from Lock; another one of the same process called Lock",
			Means: "two goroutines are inside at once", Read: fix,
		}
		p[0].get("Lock it")
		lab.RequireNoError(t, p[0].tell("start Lock other", l), l)
		waits := l.Say("Lock does not wait in the kernel, or went in")
		waits.Did += ", and was next in line, so it had the turnstile; then another process called Lock"
		waits.Means = "it asks for the turnstile again and again, or works beside the owner"
		p[1].queue("Lock it", waits)
		lab.RequireNoError(t, p[0].tell("cancel other", l), l)
		lab.RequireErrorIs(t, p[0].tell("end other", l), context.Canceled, l)
		p[0].free("it")
		p[1].end("it", l)
	})
}

// An owner has its lock for longer than a programmer may think that anyone would wait. A limit that is longer still is seen as a timer.
func TestLockWaitsAsLongAsItTakes(t *testing.T) {
	t.Parallel()
	path, p := several(t, 3)
	l := lab.Lesson{
		Says:  "Lock gave up waiting, or went in without the lock",
		Did:   "a process had a lock from RLock for two seconds, on old files; another one waited in Lock, and a third one in RLock",
		Means: "under load, programs fail or work side by side; without load, nothing is to be seen", Read: giveUp,
	}
	p[0].get("RLock it")
	files, err := filepath.Glob(path + "*")
	lab.RequireSetUp(t, err)
	for _, file := range files {
		lab.Age(t, file, 1000*time.Hour)
	}
	p[1].queue("Lock it", l.Say("Lock does not wait in the kernel"))
	p[2].queue("RLock it", l.Say("RLock overtook a Lock that was next in line"))
	time.Sleep(2 * time.Second) // it decides nothing: a right answer waits for as long as it takes
	p[1].waits("Lock it", l)
	p[2].waits("RLock it", l.Say("RLock gave up waiting, or went in without the lock"))
	p[1].requireNoAlarm("Lock", l)
	p[2].requireNoAlarm("RLock", l)
	for _, p := range p {
		lab.RequireNoError(t, p.tell("collect", l), l)
	}
	l.Did += "; then the garbage collector ran in all three"
	l.Means = "an os.File that nothing refers to is closed, and its lock ends: keep the File, and not the number of its descriptor"
	p[1].waits("Lock it", l.Say("Unlock was not called, and the lock of RLock has ended"))
	p[2].waits("RLock it", l.Say("Lock lost the turnstile while it waited"))
	p[0].free("it")
	p[1].end("it", l.Say("Lock did not get the lock after it had waited for it"))
	p[1].free("it")
	p[2].end("it", l.Say("RLock did not get the lock after it had waited for it"))
}

func TestRLocksShare(t *testing.T) {
	t.Parallel()
	path, p := several(t, 2)
	l := lab.Lesson{
		Says: "RLock kept another RLock out", Did: "a process had a lock from RLock; another one called RLock, and so did the same one",
		Means: "readers wait for one another, although none of them changes anything", Read: readers,
	}
	p[0].get("RLock it")
	p[1].Succeed("RLock it", l)
	p[0].Succeed("RLock other", l)
	l = l.Say("Unlock of one RLock ended another one")
	l.Did += "; then the first one called Unlock, and another process Lock"
	p[0].free("it")
	p[0].free("other")
	start(t, path).queue("Lock it", l)
}

func TestLockIsNotOvertaken(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"Lock", "RLock"} {
		t.Run("by an owner that locks again at once, and the next in line is in "+next, func(t *testing.T) {
			t.Parallel()
			_, p := several(t, 2)
			l := lab.Lesson{
				Says: "Lock overtook the one who was next in line",
				Did: "a process had the lock; another one waited for it in " + next + ", and was slow to wake up (it was stopped); " +
					"the first called Unlock and Lock",
				Expected: "the second Lock waits until the other one has had its turn", Found: "it returned at once",
				Means: "a program that locks again at once takes every turn, and all others starve", Read: barging,
			}
			p[0].get("Lock it")
			p[1].queue(next+" it", l.Say("%s does not wait in the kernel", next))
			p[1].Stop()
			overtook := p[0].Begin("again it") != process.Blocked
			p[1].Resume()
			lab.Require(t, !overtook, l)
			l.Found = ""
			p[1].end("it", l.Say("Lock did not let the next in line have its turn"))
			p[1].free("it")
			lab.RequireNoError(t, p[0].Reply(l).Returned.Err, l.Say("Lock did not get the lock after the other one's turn"))
		})
	}
	t.Run("by one who does not have the turnstile", func(t *testing.T) {
		t.Parallel()
		path, p := several(t, 2)
		for _, lock := range []string{"Lock", "RLock"} {
			l := lab.Lesson{
				Says: lock + " went past a turnstile that was taken", Did: "a program had the lock of stock.json.lock.next; another one called " + lock,
				Means: "programs that agree on the name of the turnstile are overtaken by those that do not use it", Read: turnstile,
			}
			p[0].get("Lock it " + path + ".next")
			p[1].queue(lock+" it", l)
			p[0].free("it")
			p[1].end("it", l.Say("%s did not get the lock after the turnstile was free", lock))
			l.Did = lock + "; then another program called Lock for stock.json.lock.next"
			l.Means = "an owner keeps others away from the turnstile, and readers cannot share"
			p[0].Succeed("Lock it "+path+".next", l.Say("%s has kept the turnstile", lock))
			p[0].free("it")
			p[1].free("it")
		}
	})
	t.Run("by a Transfer", func(t *testing.T) {
		t.Parallel()
		path := shelves(t, 2)
		for _, line := range path {
			owner, p := start(t, line+".lock.next"), start(t, "")
			l := lab.Lesson{
				Says:  "Transfer went past a turnstile that was taken",
				Did:   "a program had the lock of " + filepath.Base(line) + ".lock.next; another one called Transfer",
				Means: "it does not call Lock, and overtakes those that do", Read: turnstile,
			}
			owner.get("Lock it")
			p.queue("Transfer it "+path[0]+" "+path[1], l)
			owner.free("it")
			p.end("it", l.Say("Transfer did not get the locks after the turnstile was free"))
		}
	})
	itself := func(_ *testing.T, path string) string { return path }
	for name, nameOf := range map[string]func(t *testing.T, path string) string{
		"by a reader":                        itself,
		"by a reader of the same process":    itself,
		"by a reader with a symbolic link":   linkTo,
		"by a reader with a link to a link":  func(t *testing.T, path string) string { t.Helper(); return relativeLinkTo(t, linkTo(t, path)) },
		"by a reader with a link before ..":  linkBeforeDots,
		"by a reader with a link to ../FILE": linkToDots,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, p := several(t, 3)
			p[0].get("RLock it")
			other := nameOf(t, path)
			l := lab.Lesson{
				Says:     "RLock overtook a Lock that was next in line",
				Did:      "a process had a lock from RLock; a second waited for it in Lock; a third called RLock",
				Expected: "the third waits until the Lock has had its turn", Read: readers,
				Means: "as long as one reader comes before the last one goes, no writer ever gets in",
			}
			late := p[2]
			if strings.HasSuffix(name, "same process") {
				late = p[0]
				l.Did = "a process had a lock from RLock; a second waited for it in Lock; the first called RLock once more"
			}
			if path != other {
				l.Did += " for " + other + ", which is the same file"
				l.Means, l.Read = "each name has its own line, or its own lock, and no one in it knows of the others", turnstile
			}
			p[1].queue("Lock it", l.Say("Lock does not wait in the kernel"))
			lab.RequireNoError(t, late.tell("start RLock late "+other, l), l)
			late.waits("RLock late", l)
			l.Did += "; the first called Unlock"
			p[0].free("it")
			l.Says, l.Expected, l.Means = "Lock did not get the lock after the readers", "", "it waits for readers that wait for it"
			p[1].end("it", l)
			p[1].free("it")
			late.end("late", l.Say("RLock did not get the lock after the Lock"))
		})
	}
}

// linkTo makes a symbolic link to the file, in another directory.
func linkTo(t *testing.T, path string) string {
	t.Helper()
	link := lab.Path(t, "link.lock")
	requireLink(t, link, os.Symlink(path, link))
	return link
}

// relativeLinkTo is linkTo for a link whose text is a path from its own directory.
func relativeLinkTo(t *testing.T, path string) string {
	t.Helper()
	link := lab.Path(t, "link.lock")
	target, err := filepath.Rel(filepath.Dir(link), path)
	lab.RequireSetUp(t, err)
	requireLink(t, link, os.Symlink(target, link))
	return link
}

// linkBeforeDots returns a name of the file with a link before "..": the kernel goes up from where the link leads to.
func linkBeforeDots(t *testing.T, path string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows makes the directory of the link of link\\..")
	}
	below := filepath.Join(filepath.Dir(path), "below")
	lab.RequireSetUp(t, os.Mkdir(below, 0o700))
	link := lab.Path(t, "link")
	requireLink(t, link, os.Symlink(below, link))
	return link + "/../" + filepath.Base(path)
}

// linkToDots returns a name of the file that goes by a link to a directory, and by a link there whose text begins with "..".
func linkToDots(t *testing.T, path string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows makes the directory of the link of link\\..")
	}
	below := filepath.Join(filepath.Dir(path), "below")
	link, up := lab.Path(t, "link"), filepath.Join(below, "up.lock")
	lab.RequireSetUp(t, errors.Join(os.Mkdir(below, 0o700), os.Symlink(below, link), os.Symlink("../"+filepath.Base(path), up)))
	return filepath.Join(link, "up.lock")
}

// What ends a wait, and where in the line it stood.
func TestLockEndsWithItsContext(t *testing.T) {
	t.Parallel()
	const next, behind = "next in line", "behind the next in line"
	for _, c := range []struct {
		lock, where, name, order string
		want                     error
		same                     bool // process has both that wait
	}{
		{"Lock", next, "cancelled before its time was over", "start-limited ", context.Canceled, false},
		{"RLock", next, "timed out", "start-late ", context.DeadlineExceeded, false},
		{"RLock", behind, "cancelled", "start ", context.Canceled, false},
		{"Lock", behind, "timed out", "start-late ", context.DeadlineExceeded, false},
		{"Lock", behind, "timed out", "start-late ", context.DeadlineExceeded, true},
	} {
		lock, where, name, how := c.lock, c.where, c.lock+" "+c.where+", "+c.name, c.name
		if c.same {
			name += ", in one process"
			how += "; the next in line was a goroutine of the same process"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p := several(t, 4)
			owner, first, late, after := p[0], p[1], p[2], p[3]
			if c.same {
				first = late
			}
			l := lab.Lesson{
				Says: lock + " goes on waiting when its context has ended", Read: giveUp,
				Did:   "a process had the lock; another one waited in " + lock + ", " + where + "; its context was " + how,
				Means: "the caller, who had no more time, waits for as long as others please",
			}
			before := late.Handles()
			owner.get("Lock it")
			if where == behind {
				first.queue("Lock first", l.Say("Lock does not wait in the kernel"))
			}
			requireNoPolling(t)
			lab.RequireNoError(t, late.tell(c.order+lock+" it", l), l)
			if c.order != "start-late " {
				late.waits(lock+" it", l.Say("%s does not wait in the kernel", lock))
				lab.RequireNoError(t, late.tell("cancel it", l), l)
			}
			l.Expected = "an error that matches ctx.Err(), " + c.want.Error()
			lab.RequireErrorIs(t, late.ends("it", l), c.want, l.Say("%s did not report that its context has ended", lock))

			l.Expected, l.Means = "", "a program that has given up keeps all others waiting, and none of them can know whom they wait for"
			l.Says, l.Did = lock+" left something locked when its context ended", l.Did+"; another Lock waited; the owner called Unlock"
			after.queue("Lock it", l.Say("Lock does not wait in the kernel"))
			owner.free("it")
			if where == behind {
				first.endsWell("first", l)
				first.free("first")
			}
			after.endsWell("it", l)
			after.free("it")
			lab.RequireNoError(t, late.tell("Lock again", l), l)
			lab.RequireNoError(t, late.tell("Unlock again", l), l)
			requireHandles(t, before, late.handlesBecome(before), l.Say("%s left a file open when its context ended", lock))
		})
	}
	t.Run("and leaves the turnstile at once", func(t *testing.T) {
		t.Parallel()
		_, p := several(t, 3)
		l := lab.Lesson{
			Says: "Lock kept the turnstile when its context had ended", Read: giveUp,
			Did:   "a process had a lock from RLock; another one waited for it in Lock, and its context was cancelled; a third called RLock",
			Means: "a program that has given up keeps all others waiting until the owner goes, and none of them can know whom they wait for",
		}
		p[0].get("RLock it")
		p[1].queue("Lock it", l.Say("Lock does not wait in the kernel"))
		lab.RequireNoError(t, p[1].tell("cancel it", l), l)
		lab.RequireErrorIs(t, p[1].ends("it", l), context.Canceled, l.Say("Lock goes on waiting when its context has ended"))
		p[2].Succeed("RLock it", l)
	})
	t.Run("and not when it has the lock", func(t *testing.T) {
		t.Parallel()
		_, p := several(t, 2)
		for _, lock := range []string{"Lock", "RLock"} {
			l := lab.Lesson{
				Says: "the lock of " + lock + " ended with the context", Did: lock + "; its context was cancelled; then another process called Lock",
				Means: "the context limits the wait, and not the work: two programs are inside at once", Read: giveUp,
			}
			p[0].get(lock + " it")
			lab.RequireNoError(t, p[0].Do("cancel it", l), l)
			p[1].queue("Lock it", l)
			p[0].free("it")
			p[1].end("it", l.Say("Lock did not get the lock after it had waited for it"))
			p[1].free("it")
		}
	})
	t.Run("that has ended before", func(t *testing.T) {
		t.Parallel()
		_, p := several(t, 2)
		for _, lock := range []string{"Lock", "RLock"} {
			l := lab.Lesson{
				Says: lock + " did not report that its context had ended", Did: lock + " with a context that has ended already; the lock was free",
				Expected: "an error that matches ctx.Err(), " + context.Canceled.Error(), Read: giveUp,
				Means: "the caller goes on with work that was called off",
			}
			before := p[0].Handles()
			lab.RequireNoError(t, p[0].tell("start-ended "+lock+" it", l), l)
			lab.RequireErrorIs(t, p[0].tell("end it", l), context.Canceled, l)
			l.Expected = ""
			p[1].Succeed("Lock it", l.Say("%s locked although its context had ended", lock))
			p[1].free("it")
			requireHandles(t, before, p[0].Handles(), l.Say("%s left a file open when its context ended", lock))
			l.Did = lock + ", in a directory that does not exist, with a context that has ended already"
			l.Expected, l.Means = "an error that matches "+context.Canceled.Error(), "the caller is told of another mistake than that it is over"
			nowhere := filepath.Join(filepath.Dir(lab.Path(t, "x")), "missing", "stock.json.lock")
			lab.RequireNoError(t, p[0].tell("start-ended "+lock+" it "+nowhere, l), l)
			lab.RequireErrorIs(t, p[0].tell("end it", l), context.Canceled, l)
		}
	})
}

func TestLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "everyone who needs the lock waits for a program that is gone", Read: turnstile}
	t.Run("an owner is killed", func(t *testing.T) {
		t.Parallel()
		_, p := several(t, 2)
		l := l.Say("Lock waits for an owner that was killed")
		l.Did = "a process had the lock, started a program that runs on, and was killed; another one waited in Lock"
		p[0].get("Lock it")
		p[0].startsProgram(l)
		p[1].queue("Lock it", l.Say("Lock does not wait in the kernel"))
		p[0].Kill()
		p[1].endsWell("it", l)
	})
	t.Run("the next in line is killed", func(t *testing.T) {
		t.Parallel()
		_, p := several(t, 3)
		l := l.Say("Lock waits for a next in line that was killed")
		l.Did = "a process had the lock; the next in line waited in Lock, started a program that runs on, and was killed; " +
			"another one waited in Lock; the first called Unlock"
		p[0].get("Lock it")
		p[1].queue("Lock it", l.Say("Lock does not wait in the kernel"))
		p[1].startsProgram(l)
		p[2].queue("Lock it", l.Say("Lock does not wait in the kernel"))
		p[1].Kill()
		p[0].free("it")
		p[2].endsWell("it", l)
	})
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	t.Run("called twice", func(t *testing.T) {
		t.Parallel()
		_, p := several(t, 2)
		l := lab.Lesson{
			Says: "Unlock of a lock that was given back reported no error", Did: "Lock; Unlock; the same process called Lock; Unlock again",
			Means: "a mistake in the program stays unknown", Read: fix,
		}
		p[0].get("Lock it")
		p[0].free("it")
		p[0].get("Lock other") // its file may have the number that the first one had
		requireClosed(t, p[0].Do("Unlock it", l), l)
		l.Says, l.Means = "Unlock gave back a lock of another owner", "two programs are inside at once"
		p[1].queue("Lock it", l)
	})
	t.Run("closes the files", func(t *testing.T) {
		t.Parallel()
		_, p := several(t, 1)
		p[0].get("RLock other")
		before := p[0].Handles()
		l := lab.Lesson{
			Says: "Unlock left a file open", Did: "RLock and Unlock, 20 times", Read: turnstile,
		}
		for range 20 {
			p[0].get("RLock it")
			p[0].free("it")
		}
		requireHandles(t, before, p[0].Handles(), l)
	})
}

// becomesFree reports whether the file is free before patience ends: a child that another test is starting has all files of this process
// open for a moment, and their locks with them.
func becomesFree(path string) bool {
	for began, limit := time.Now(), process.Patience(); time.Since(began) < limit; time.Sleep(time.Millisecond) {
		if isFree(path) {
			return true
		}
	}
	return false
}

func TestLockChangesNothingElse(t *testing.T) {
	t.Parallel()
	t.Run("a file that does not exist", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "stock.json.lock")
		l := lab.Lesson{Did: "Lock for a file that does not exist; Unlock", Read: turnstile, Means: "two programs lock two files, and both go in"}
		held, err := contention.Lock(t.Context(), path)
		lab.RequireNoError(t, err, l.Say("Lock did not create its file"))
		lab.RequireNotNil(t, held, "Lock", l)
		lab.RequireNoError(t, held.Unlock(), l.Say("Unlock failed"))
		l.Means = "other programs find no turnstile, or files that no document explains"
		lab.RequireEqual(t, "stock.json.lock stock.json.lock.next", namesBeside(t, path), l.Say("Lock and Unlock left other files than the two"))
		for _, file := range []string{path, path + ".next"} {
			l.Means = "every user who may open the file can keep all others out"
			requireMode(t, []string{file}, 0o600, l)
			lab.RequireFile(t, file, "", l.Say("Lock wrote into %s", filepath.Base(file)))
		}
	})
	t.Run("a link to a file that does not exist", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("under Windows the user may not make a link, and under Wine it leads nowhere")
		}
		path, link := lab.Path(t, "stock.json.lock"), lab.Path(t, "link.lock")
		lab.RequireSetUp(t, os.Symlink(path, link))
		l := lab.Lesson{Did: "Lock and Unlock by a symbolic link to a file that did not exist", Read: turnstile}
		lockAndUnlock(t, link, l)
		l.Means = "those who know the file by its own name stand in another line"
		l.Says = "Lock did not create its files beside the one that the link leads to"
		lab.RequireEqual(t, "link.lock", namesBeside(t, link), l)
		lab.RequireEqual(t, "stock.json.lock stock.json.lock.next", namesBeside(t, path), l)
		l.Says, l.Means = "", "the mode of a link lets everyone in: every user can keep all others out"
		requireMode(t, []string{path, path + ".next"}, 0o600, l)
	})
	t.Run("a name that leaves no room for the line", func(t *testing.T) {
		t.Parallel()
		testLongName(t)
	})
	t.Run("files that another Lock creates first", func(t *testing.T) {
		t.Parallel()
		testOthersCreate(t)
	})
	t.Run("a file that exists", func(t *testing.T) {
		t.Parallel()
		program := lab.WriteFile(t, "stock.py", "")
		lab.RequireSetUp(t, os.Chmod(program, 0o755))
		requireMode(t, linesOf(t, program), 0o644, lab.Lesson{
			Says: "Lock gave the turnstile other permissions than those to read and to write", Did: "Lock and Unlock of a file with mode -rwxr-xr-x",
			Means: "an empty file can be run as a program, or a colleague may not stand in line", Read: turnstile,
		})
		path := lab.WriteFile(t, "stock.json", `{"bracket":1}`)
		lab.RequireSetUp(t, os.Chmod(path, 0o666))
		l := lab.Lesson{Did: "Lock and Unlock of a file with mode -rw-rw-rw-, which holds something", Read: turnstile}
		lockAndUnlock(t, path, l)
		l.Means = "a colleague who may lock the file may not stand in line for it, or is kept out of both"
		requireMode(t, append(linesOf(t, path), path), 0o666, l)
		l.Means = "what the file held is gone"
		lab.RequireFile(t, path, `{"bracket":1}`, l.Say("Lock changed the file"))
		all := append(linesOf(t, path), path)
		for _, file := range all {
			lab.RequireSetUp(t, os.WriteFile(file, []byte("kept"), 0o660))
			lab.Age(t, file, 1000*time.Hour)
		}
		l.Did = "Lock and Unlock, when all files were old and held something"
		l.Means = "a file of the line is another one, or was written, while programs wait there"
		lockAndUnlock(t, path, l)
		for _, file := range all {
			lab.RequireFile(t, file, "kept", l.Say("Lock changed or replaced %s", filepath.Base(file)))
		}
		requireMode(t, all, 0o666, l)
		for _, file := range linesOf(t, path) {
			lab.RequireSetUp(t, os.Chmod(file, 0o640))
		}
		l.Did = "Lock and Unlock, when someone had changed the mode of the files of the line to -rw-r-----"
		l.Means = "what the owner of a file has decided is undone, or a file of another user cannot be locked"
		lockAndUnlock(t, path, l)
		requireMode(t, linesOf(t, path), 0o640, l.Say("Lock changed the mode of a file that existed"))
		requireMode(t, []string{path}, 0o666, l.Say("Lock changed the mode of a file that existed"))
	})
	t.Run("a directory that does not exist", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(filepath.Dir(lab.Path(t, "x")), "missing", "stock.json.lock")
		l := lab.Lesson{
			Says: "Lock did not report that it cannot create its file", Did: "Lock in a directory that does not exist",
			Means: "a mistyped path becomes a lock that no one else has", Read: turnstile,
		}
		_, err := contention.Lock(t.Context(), path)
		lab.RequireErrorIs(t, err, os.ErrNotExist, l)
		lab.RequireNoFile(t, filepath.Dir(path), l.Say("Lock created the directory"))
	})
}

// testLongName asks for a lock on the file with the longest name that the system allows: no other name begins with it.
func testLongName(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the limit there is that of the whole path")
	}
	path := ""
	for length, err := 255, error(syscall.ENAMETOOLONG); err != nil; length-- {
		lab.Require(t, length > 0, lab.Lesson{Says: "The test could not prepare its own files", Found: fmt.Sprint(err)})
		path = lab.Path(t, strings.Repeat("n", length))
		err = os.WriteFile(path, nil, 0o600)
	}
	for _, lock := range []string{"Lock", "RLock"} {
		p := start(t, path)
		l := lab.Lesson{
			Says:  lock + " went on although its line cannot have a file",
			Did:   fmt.Sprintf("%s of a file whose name has %d bytes: no longer one is allowed", lock, len(filepath.Base(path))),
			Means: "all other programs keep to the line, and this one overtakes them", Read: turnstile,
		}
		before := p.Handles()
		err := p.Do(lock+" it", l)
		lab.RequireError(t, err, l)
		lab.RequireErrorIs(t, err, syscall.ENAMETOOLONG, unexplained(lock, "the file of its line", l))
		requireHandles(t, before, p.Handles(), l.Say("%s left a file open when it failed", lock))
		lab.Require(t, becomesFree(path), l.Say("%s left something locked when it failed", lock))
	}
}

const unmatched = "the caller cannot ask with errors.Is what it has to change"

// unexplained is for an error that does not match the system's reason.
func unexplained(lock, name string, l lab.Lesson) lab.Lesson {
	l.Means = unmatched
	return l.Say("%s did not report why it could not open %s", lock, name)
}

// testOthersCreate has other callers create the files between any two system calls of a Lock.
func testOthersCreate(t *testing.T) {
	t.Helper()
	example := lab.Path(t, "stock.json.lock")
	lines := linesOf(t, example)
	for name, lock := range locks {
		for moment, stops := 0, 1; moment < stops; moment++ {
			path := lab.Path(t, "stock.json.lock")
			l := lab.Lesson{
				Says: name + " failed because another caller was quicker to create a file", Read: turnstile,
				Did:   fmt.Sprintf("%s for the first time; before its system call number %d, another caller created the files", name, moment+1),
				Means: "on the first morning one program works, and the others fail",
			}
			var held *contention.Held
			var err, setUp error
			var others []fs.FileInfo
			var chosen []string // files of the line to which the other caller has given a mode of its own
			stops = 0
			watched := lab.Watch(func() { held, err = lock(context.Background(), path) }, func(string) {
				if stops == moment {
					for _, file := range append([]string{example}, lines...) {
						name := path + strings.TrimPrefix(file, example)
						_, missing := os.Stat(name)
						other, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
						if missing != nil && file != example {
							err = errors.Join(err, os.Chmod(name, 0o640))
							chosen = append(chosen, name)
						}
						info, wrong := other.Stat()
						others = append(others, info)
						setUp = errors.Join(setUp, err, wrong, other.Close())
					}
				}
				stops++
			})
			lab.RequireRefuse(t, watched)
			lab.RequireSetUp(t, setUp)
			lab.RequireNoError(t, err, l)
			lab.RequireNotNil(t, held, name, l)
			lab.Require(t, !isFree(path), l.Say("%s has locked another file than the one that the others find", name))
			lab.RequireNoError(t, held.Unlock(), l.Say("Unlock failed"))
			for _, other := range others {
				now, err := os.Stat(filepath.Join(filepath.Dir(path), other.Name()))
				l := l.Say("%s removed or replaced %s, which another caller had created", name, other.Name())
				l.Means = "programs that wait for the old file, and those that come later, each have a line of their own"
				lab.Require(t, err == nil && os.SameFile(now, other), l)
			}
			l.Means = "what the owner of a file has decided is undone"
			requireMode(t, chosen, 0o640, l.Say("%s changed the mode of a file of the line that another caller had created", name))
		}
	}
}

// namesBeside returns the names of all files in the directory of path.
func namesBeside(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	lab.RequireSetUp(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return strings.Join(names, " ")
}

// linesOf locks the file once, and returns the files that Lock keeps for the line.
func linesOf(t *testing.T, path string) (lines []string) {
	t.Helper()
	lockAndUnlock(t, path, lab.Lesson{Did: "Lock and Unlock", Read: turnstile})
	all, err := filepath.Glob(path + "*")
	lab.RequireSetUp(t, err)
	return slices.DeleteFunc(all, func(file string) bool { return file == path })
}

func lockAndUnlock(t *testing.T, path string, l lab.Lesson) {
	t.Helper()
	for _, lock := range locks {
		var held *contention.Held
		var err error
		lab.Finishes(t, func() { held, err = lock(t.Context(), path) }, l.Say("Lock does not get a lock that is free"))
		lab.RequireNoError(t, err, l.Say("Lock failed"))
		lab.RequireNotNil(t, held, "Lock", l)
		lab.RequireNoError(t, held.Unlock(), l.Say("Unlock failed"))
	}
}

func requireMode(t *testing.T, files []string, want fs.FileMode, l lab.Lesson) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return // there are no such modes
	}
	for _, file := range files {
		info, err := os.Stat(file)
		lab.RequireSetUp(t, err)
		l.Expected, l.Found = filepath.Base(file)+" "+want.String(), filepath.Base(file)+" "+info.Mode().String()
		if l.Says == "" {
			l.Says = "Lock gave a file another mode than the lock has"
		}
		lab.Require(t, info.Mode() == want, l)
	}
}

// The line must not be something that a program does without, when it cannot have it.
func TestLockReportsAFileThatItCannotOpen(t *testing.T) {
	t.Parallel()
	path, p := several(t, 2)
	p[0].get("Lock it")
	p[0].free("it")
	files, err := filepath.Glob(path + "*")
	lab.RequireSetUp(t, err)
	places := []string{"a directory", "a link to nothing"}
	if runtime.GOOS == "windows" { // Wine creates a file in the place of a link to nothing
		places = places[:1]
	}
	for i := range len(files) * len(places) {
		file, place := files[i/len(places)], places[i%len(places)]
		name := filepath.Base(file)
		l := lab.Lesson{
			Says: "Lock went on although it could not open " + name, Did: place + " was in the place of " + name + "; Lock and RLock",
			Means: "it works without the lock, or out of turn, or has replaced a file that is not its own", Read: turnstile,
		}
		lab.RequireSetUp(t, os.Remove(file))
		if place == "a directory" {
			lab.RequireSetUp(t, os.Mkdir(file, 0o700))
		} else if err := os.Symlink(filepath.Join("missing", "x"), file); err != nil {
			t.Skip("no links here: " + err.Error())
		}
		before := p[0].Handles()
		for _, lock := range []string{"Lock", "RLock"} {
			lab.RequireNoError(t, p[0].tell("start "+lock+" it", l), l)
			again := l.Say("%s does not return an error when it cannot open %s", lock, name)
			again.Means = "it tries again and again, and the caller does not learn what it has to repair"
			err := p[0].ends("it", again)
			lab.RequireError(t, err, l)
			lab.Require(t, !errors.Is(err, errNothing), l.Say("%s returned neither a lock nor an error", lock))
			if file != path && place == "a directory" && runtime.GOOS != "windows" {
				lab.RequireErrorIs(t, err, syscall.EISDIR, unexplained(lock, name, l))
			}
		}
		requireHandles(t, before, p[0].Handles(), l.Say("Lock left a file open when it failed"))
		lab.RequireSetUp(t, os.Remove(file))
		l.Did += "; then it was removed, and another process called Lock"
		p[1].Succeed("Lock it", l.Say("Lock left something locked when it failed"))
		p[1].free("it")
	}
}

func TestLockMeansThePathOfTheCall(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"the program changes its directory": "", "the link is changed": "link", "the link to the directory is changed": "directory",
		"another file is renamed over the file": "file",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if change == "file" && runtime.GOOS == "windows" {
				t.Skip("a file that is open cannot be replaced there")
			}
			path, p := several(t, 3)
			p[0].get("Lock it")
			used, link, named := "stock.json.lock", "", ""
			switch change {
			case "link":
				link = linkTo(t, path)
				used = link
			case "directory":
				link = linkTo(t, filepath.Dir(path))
				used = filepath.Join(link, "stock.json.lock")
			}
			here := launch(t, lab.Options{Dir: filepath.Dir(path)}, used)
			l := lab.Lesson{
				Says:  "Lock locked another file than the one that was named",
				Did:   "a process waited in Lock for " + used + ", behind the next in line; meanwhile " + name + "; then its turn came",
				Means: "it believes that it has the lock, and another program has it as well", Read: giveUp,
			}
			p[1].queue("Lock it", l)
			here.queue("Lock it", l.Say("Lock does not wait in the kernel"))
			switch {
			case change == "file":
				named = " " + filepath.Join(filepath.Dir(path), "old.lock") // the old file keeps a name
				lab.RequireSetUp(t, errors.Join(os.Link(path, named[1:]), os.Rename(lab.WriteFile(t, "new.lock", ""), path)))
			case link == "":
				lab.RequireNoError(t, here.tell("leave", l), l)
			default:
				other := lab.WriteFile(t, "stock.json.lock", "")
				if change == "directory" {
					other = filepath.Dir(other)
				}
				lab.RequireSetUp(t, errors.Join(os.Remove(link), os.Symlink(other, link)))
			}
			p[0].free("it")
			p[1].end("it", l)
			p[1].free("it")
			here.end("it", l)
			l.Did += "; and a third process called Lock for the file that was named"
			p[2].queue("Lock it"+named, l)
		})
	}
}

// The second Lock of a program must not rely on what the first one has found out.
func TestLockMeansThePathOfEachCall(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"the link was changed", "the program changed its directory", "another file was renamed over the file"} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			path, other := lab.WriteFile(t, "stock.json.lock", ""), lab.WriteFile(t, "stock.json.lock", "")
			var p program
			used := path
			switch change {
			case "the link was changed":
				used = linkTo(t, path)
				p = start(t, used)
			case "the program changed its directory":
				p, used = launch(t, lab.Options{Dir: filepath.Dir(path)}, "stock.json.lock"), "stock.json.lock"
			default:
				p = start(t, path)
			}
			l := lab.Lesson{
				Says:  "Lock locked another file than the one that its path leads to",
				Did:   "Lock and Unlock of " + used + "; then " + change + "; Lock of " + used,
				Means: "it believes that it has the lock, and another program has it as well", Read: turnstile,
			}
			p.get("Lock it")
			p.free("it")
			switch change {
			case "the link was changed":
				lab.RequireSetUp(t, errors.Join(os.Remove(used), os.Symlink(other, used)))
			case "the program changed its directory":
				lab.RequireNoError(t, p.Do("leave "+filepath.Dir(other), l), l)
			default:
				lab.RequireSetUp(t, os.Rename(other, path))
				other = path
			}
			line := start(t, other+".next")
			line.get("Lock it")
			l.Means = "it stands in the line of another file, and overtakes those who wait for this one"
			p.queue("Lock it", l.Say("Lock went past the turnstile of the file that its path leads to"))
			line.free("it")
			p.endsWell("it", l)
			l.Means = "it believes that it has the lock, and another program has it as well"
			start(t, other).queue("Lock it", l)
		})
	}
}
