//go:build linux

package fcntl_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	fcntl "example/turnstile/exercises/09_fcntl"
	"example/turnstile/exercises/09_fcntl/rows"
	"example/turnstile/internal/lab"
)

func TestLockLastsUntilUnlock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, did, section string
		orders             []string
	}{
		{
			"while the program reads the table",
			"the program read another row with rows.Read, which opens and closes the file",
			why,
			[]string{"read"},
		},
		{"while it asks who has a row", "the program called Locked for another row", asking, []string{"Locked 2 1"}},
		{
			"while it locks and unlocks another row",
			"the program called Lock and Unlock for another row",
			ends,
			[]string{"Lock other 2 1", "Unlock other"},
		},
		{"while it changes another row", "the program called Update for another row", ends, []string{"update 2"}},
		{"while it writes the table", "the program wrote another row with rows.Write", why, []string{"write"}},
		{"while it opens the file by another name", "the program read the file by a hard link", ends, []string{"link"}},
		{"while it collects garbage", "the program kept the Held, and collected garbage", ends, []string{"collect"}},
		{
			"while it asks again for the same row",
			"the program called TryLock and TryRLock for the same row, and was refused",
			ends,
			[]string{"TryLock it 0 1", "TryRLock it 0 1"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := tableFile(t)
			a := start(t, path)
			for _, call := range []string{"Lock", "RLock"} {
				if call == "RLock" && strings.Contains(c.name, "same row") {
					continue // which share
				}
				l := lab.Lesson{
					Says:  "The Held from " + call + " lost its lock before Unlock",
					Did:   call + " of row 0; then " + c.did + "; then another process asked for row 0",
					Means: "another program goes in, and neither is told", Read: c.section,
				}
				a.get(call + " it 0 1")
				for _, order := range c.orders {
					if err := a.Do(order, l); order != "TryLock it 0 1" && order != "TryRLock it 0 1" { // whether these are refused is another test's
						lab.RequireNoError(t, err, l.Say("%s failed beside a lock on another row", callOf(order)))
					}
				}
				l.Expected, l.Found = "the row is locked", "it is free"
				lab.Require(t, lockedRow(t, path, 0, 1), l)
				a.Do("Unlock it", l) //nolint:errcheck // of a Try that was not refused
			}
		})
	}
	t.Run("while other owners come and go", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says:  "RLock lost its lock when another owner gave its own back",
			Read:  ends,
			Means: "another program goes in, and neither is told",
			Did:   "RLock of row 0 twice in one program; a TryLock there failed; Unlock of the second; then another process called TryLock",
		}
		a.get("RLock it 0 1")
		a.get("RLock other 0 1")
		a.refused("TryLock third 0 1", l.Say("RLock did not keep TryLock out"))
		a.Succeed("Unlock other", l)
		b.refused("TryLock second 0 1", l)
	})
}

func TestLockKeepsOthersOut(t *testing.T) {
	t.Parallel()
	t.Run("in another process", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		tryPairs(t, start(t, path), start(t, path), "", "in another process")
	})
	t.Run("in the same process", func(t *testing.T) {
		t.Parallel()
		p := start(t, tableFile(t))
		tryPairs(t, p, p, "", "in the same process")
	})
	t.Run("under another name of the file", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		dir := filepath.Dir(path)
		p := start(t, path)
		lab.RequireSetUp(t, os.Symlink("parts.table", filepath.Join(dir, "link")))
		lab.RequireSetUp(t, os.Link(path, filepath.Join(dir, "hard")))
		// The kernel follows a link before it goes up: another directory has a table at the path that is left without "directory/..".
		lab.RequireSetUp(t, os.MkdirAll(filepath.Join(dir, "bench", "below"), 0o700))
		lab.RequireSetUp(t, os.Symlink(filepath.Join(dir, "bench", "below"), filepath.Join(dir, "directory")))
		lab.RequireSetUp(t, os.Link(path, filepath.Join(dir, "bench", "table")))
		lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "table"), []byte(three), 0o600))
		for name, where := range map[string]string{
			"link": "through a symbolic link", "hard": "by a hard link", "directory/../table": "through a symbolic link to a directory, and ..",
		} {
			tryPairs(t, p, p, "at "+dir+"/"+name+" ", where)
		}
	})
	t.Run("after the table was replaced", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		a, b := start(t, path), start(t, path)
		for _, call := range calls {
			a.get(call + " it 0 3")
			a.get("Unlock it")
		}
		l := lab.Lesson{
			Says: "Locked did not report what a TryLock would find", Read: fix,
			Did:   "a process called Locked; a copy of the table was renamed over it; another process called Lock; the first called Locked again",
			Means: "it asks about a file that is no longer at the path",
		}
		requireAnswer(t, a, 0, "Locked 1 1", l)
		lab.RequireSetUp(t, os.WriteFile(path+".copy", []byte(three), 0o600))
		lab.RequireSetUp(t, os.Rename(path+".copy", path))
		b.get("Lock it 1 1")
		requireAnswer(t, a, 1, "Locked 1 1", l)
		b.get("Unlock it")
		tryPairs(t, a, b, "", "in another process, after the first one had used a table that a copy has replaced")
		tryPairs(t, b, a, "", "in another process, which had used a table that a copy has replaced")
	})
	for kind, command := range map[string]int{"an open file description lock": unix.F_OFD_SETLK, "a POSIX lock": unix.F_SETLK} {
		t.Run("a program that asks for "+kind, func(t *testing.T) {
			t.Parallel()
			path := tableFile(t)
			p := start(t, path)
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			lab.RequireSetUp(t, err)
			defer file.Close()
			set := func(kind int16) error {
				return unix.FcntlFlock(file.Fd(), command, &unix.Flock_t{Type: kind, Start: rows.Size, Len: rows.Size})
			}
			l := lab.Lesson{
				Says: "Lock does not keep out a program that calls fcntl(2)", Read: seesWhom, Expected: "EAGAIN",
				Did:   "Lock of row 1; then another program asked for " + kind + " of its bytes",
				Means: "the lock is of another kind, or of other bytes: programs in other languages go in",
			}
			p.get("Lock it 1 1")
			lab.RequireErrorIs(t, set(unix.F_RDLCK), unix.EAGAIN, l)
			p.get("Unlock it")
			lab.RequireSetUp(t, set(unix.F_WRLCK))
			l.Did = "another program had " + kind + " of the bytes of row 1; then TryRLock"
			p.refused("TryRLock it 1 1", l.Say("TryRLock does not see the lock of a program that calls fcntl(2)"))
			l.Did = "another program had " + kind + " of the bytes of row 1; then Locked"
			requireAnswer(t, p, 1, "Locked 1 1", l.Say("Locked does not see the lock of a program that calls fcntl(2)"))
			for _, order := range []string{"Locked 1 1", "TryLock it 1 1", "TryRLock it 1 1"} { // in this process
				lab.RequireSetUp(t, set(unix.F_WRLCK)) // anew: the close of another handle ends a POSIX lock
				call := callOf(order)
				l := l.Say("%s does not see the lock of a library that calls fcntl(2)", call)
				l.Did = "other code of this process had " + kind + " of the bytes of row 1; then " + call
				l.Means = "it is another owner, although it is in the same process: its row passes for free"
				var r lab.Reply
				lab.Finishes(t, func() { r = newDesk(path).do(strings.Fields(order)) }, l)
				if call != "Locked" {
					requireLocked(t, call, r.Returned.Err, l)
					continue
				}
				lab.RequireNoError(t, r.Returned.Err, l.Say("Locked failed"))
				l.Expected, l.Found = "true", "false"
				lab.Require(t, r.N == 1, l)
			}
		})
	}
}

func tryPairs(t *testing.T, a, b program, prefix, where string) {
	t.Helper()
	for _, first := range calls {
		for _, second := range []string{"TryLock", "TryRLock"} {
			l := lab.Lesson{Did: first + " of row 1; then " + second + " of row 1 " + where, Read: why}
			a.get(first + " first 1 1")
			err := b.Do(prefix+second+" second 1 1", l)
			if strings.HasSuffix(first, "RLock") && second == "TryRLock" {
				l.Says, l.Means = first+" kept a second shared lock out", "readers wait for one another, although none of them changes anything"
				lab.RequireNoError(t, err, l)
				b.Succeed("Unlock second", l)
			} else {
				l.Says, l.Means = first+" did not keep "+second+" out", "two owners are inside at once, and one of them writes: an update is lost"
				requireLocked(t, second, err, l)
			}
			a.Succeed("Unlock first", l.Say("Unlock failed"))
		}
	}
}

func TestLockCoversItsRowsAndNoOthers(t *testing.T) {
	t.Parallel()
	const end = math.MaxInt64 // of any file
	const last = math.MaxInt64/rows.Size - 1
	for _, c := range []struct {
		rows        fcntl.Rows
		first, upto int64 // the bytes
	}{
		{fcntl.Rows{First: 0, Count: 1}, 0, 32},
		{fcntl.Rows{First: 1, Count: 1}, 32, 64},
		{fcntl.Rows{First: 0, Count: 3}, 0, 96},
		{fcntl.Rows{First: 2, Count: 5}, 64, 224}, // of a table of three
		{fcntl.Rows{First: 1, Count: all}, 32, end},
		{fcntl.Rows{First: 0, Count: all}, 0, end},
		{fcntl.Rows{First: 7, Count: all}, 224, end},
		{fcntl.Rows{First: 1 << 30, Count: 1 << 30}, 1 << 35, 1 << 36}, // too large for 32 bits
		{fcntl.Rows{First: last, Count: 1}, last * 32, last*32 + 32},
		{fcntl.Rows{First: last + 1, Count: all}, last*32 + 32, end}, // of which no table has all bytes
	} {
		t.Run(fmt.Sprintf("%d from %d on", c.rows.Count, c.rows.First), func(t *testing.T) {
			t.Parallel()
			path := tableFile(t)
			p := start(t, path)
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			lab.RequireSetUp(t, err)
			defer file.Close()
			for _, call := range calls {
				l := lab.Lesson{
					Did: fmt.Sprintf("%s of Rows{First: %d, Count: %d}; then another program asked for a lock of single bytes",
						call, c.rows.First, c.rows.Count),
					Read: whichBytes,
				}
				p.get(fmt.Sprintf("%s it %d %d", call, c.rows.First, c.rows.Count))
				for _, b := range []struct {
					at   int64
					free bool
				}{{c.first - 1, true}, {c.first, false}, {c.first + (c.upto-c.first)/2, false}, {c.upto - 1, false}, {c.upto, true}} {
					if b.at < 0 || c.upto == end && b.at >= end-1 {
						continue
					}
					lock := unix.Flock_t{Type: unix.F_WRLCK, Start: b.at, Len: 1}
					lab.RequireSetUp(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock))
					free := lock.Type == unix.F_UNLCK
					l.Expected, l.Found = fmt.Sprintf("byte %d is %s", b.at, free1(b.free)), "it is "+free1(free)
					l.Says, l.Means = call+" left a byte of its rows without a lock", "another program changes a row that this one has locked"
					if b.free {
						l.Says, l.Means = call+" locked bytes of a row that it was not asked for", "programs wait for one another that work on different rows"
					}
					lab.Require(t, free == b.free, l)
				}
				p.get("Unlock it")
				lock := unix.Flock_t{Type: unix.F_WRLCK}
				lab.RequireSetUp(t, unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock))
				l.Expected, l.Found = "", ""
				l.Says, l.Means, l.Did = "Unlock left bytes locked", "the others wait for an owner that is no longer inside", l.Did+", after Unlock"
				lab.Require(t, lock.Type == unix.F_UNLCK, l)
			}
		})
	}
}

func free1(free bool) string {
	if free {
		return "free"
	}
	return "locked"
}

func TestLockRefusesWhatIsNoRange(t *testing.T) {
	t.Parallel()
	p := start(t, tableFile(t))
	before := p.Handles()
	for _, r := range []fcntl.Rows{
		{First: 0, Count: 0},
		{First: 2, Count: 0},
		{First: -1, Count: 1},
		{First: -1, Count: all},
		{First: 2, Count: -2},
		{First: 0, Count: math.MinInt64},
		{First: math.MinInt64, Count: 1},
		{First: 1 << 59, Count: 1},   // × 32 is 0 in an int64
		{First: 1 << 59, Count: all}, // the same
		{First: 0, Count: 1 << 59},
		{First: 0, Count: 1<<59 + 1},
		{First: math.MaxInt64/rows.Size - 1, Count: 2},
		{First: math.MaxInt64 / rows.Size, Count: 1},
		{First: 1 << 58, Count: 1 << 58},
		{First: 1, Count: math.MaxInt64},
		{First: math.MaxInt64, Count: 1},
		{First: math.MaxInt64, Count: math.MaxInt64},
	} {
		for _, call := range append(calls, "Locked") {
			l := lab.Lesson{
				Says: call + " did not refuse a range that no table has",
				Did:  fmt.Sprintf("%s of Rows{First: %d, Count: %d}", call, r.First, r.Count),
				Means: "the kernel reads the numbers otherwise: a length of 0 is the whole rest of the file, and a " +
					"product that is too large is another row",
				Read: whichBytes, Expected: "an error that matches ErrRange",
			}
			name := " it"
			if call == "Locked" {
				name = ""
			}
			order := fmt.Sprintf("%s%s %d %d", call, name, r.First, r.Count)
			lab.RequireErrorIs(t, p.Do(order, l), fcntl.ErrRange, l)
		}
	}
	requireHandles(t, p, before, lab.Lesson{
		Says: "Lock left the file open when it failed", Did: "Lock of ranges that no table has", Read: refusals,
	})
}

func TestLockWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, second, third string }{
		{"Lock", "Lock", "TryRLock"},
		{"Lock", "RLock", "TryLock"},
		{"RLock", "Lock", "TryRLock"},
	} {
		t.Run(c.second+" for "+c.first, func(t *testing.T) {
			t.Parallel()
			path := tableFile(t)
			a, b := start(t, path), start(t, path)
			l := mustWait(lab.Lesson{
				Did:  "a process had a lock on row 1 from " + c.first + "; another one called " + c.second + " for rows 0 to 2",
				Read: fix,
			}, "%s does not wait in the kernel", c.second)
			a.get(c.first + " first 1 1")
			b.Send(c.second + " second 0 3")
			b.WaitBlocked(l)
			if c.second == "Lock" && c.first == "Lock" { // in one of the cases it takes longer than a program may want to wait
				time.Sleep(2500 * time.Millisecond)
				b.WaitBlocked(l.Say("Lock waits for a while, and then goes on"))
			}
			l.Did += "; then the first called Unlock"
			a.Succeed("Unlock first", l.Say("Unlock failed"))
			l.Says, l.Means = c.second+" did not get the lock after it had waited for it", "the program gives up although the lock is free"
			lab.RequireNoError(t, b.Reply(l).Returned.Err, l)
			l.Did += "; then the first called " + c.third
			l.Says, l.Means = c.second+" returned no error, and has no lock", "it goes in, and so does the next one"
			a.refused(c.third+" third 1 1", l)
		})
	}
	t.Run("two goroutines of one process", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		p := start(t, path)
		l := lab.Lesson{
			Says:  "Lock does not wait for another goroutine",
			Did:   "a goroutine had a lock on row 1 from Lock; two others of the same process called Lock",
			Means: "both are inside at once: to the kernel they are one owner", Read: why,
		}
		p.get("Lock first 1 1")
		p.tell("go Lock second 1 1", l)
		p.tell("go Lock third 1 1", l)
		p.waits(path, 2, 0, l)
		p.tell("Unlock first", l)
		l.Did += "; then the first called Unlock"
		p.waits(path, 1, 1, l)
	})
	// Each waits for a row of the other, but no goroutine stands still for ever: fcntl(2), BUGS.
	t.Run("where a process would seem to wait for itself", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says:  "Lock failed, or did not wait, where there was no deadlock",
			Read:  deadlock,
			Means: "the kernel takes two goroutines for one, and a program fails now and then",
			Did:   "process A had row 0, and B row 1; B called Lock for row 0; a second goroutine of A called Lock for row 1",
		}
		a.get("Lock first 0 1")
		b.get("Lock first 1 1")
		b.tell("go Lock second 0 1", l)
		b.waits(path, 1, 0, l)
		a.tell("go Lock second 1 1", l)
		a.waits(path, 1, 0, l)
	})
}

func TestLocked(t *testing.T) {
	t.Parallel()
	path := tableFile(t)
	a, b := start(t, path), start(t, path)
	before := a.Handles()
	for _, c := range []struct {
		call, asks string
		want       int
	}{
		{"Lock it 1 1", "Locked 1 1", 1},
		{"RLock it 1 1", "Locked 1 1", 1},
		{"TryLock it 0 3", "Locked 2 1", 1},
		{"TryRLock it 2 1", "Locked 0 3", 1},
		{"Lock it 70 1", "Locked 0 -1", 1},
		{"Lock it 1 1", "Locked 0 1", 0},
		{"Lock it 1 1", "Locked 2 1", 0},
		{"RLock it 0 2", "Locked 2 -1", 0},
	} {
		l := lab.Lesson{
			Says: "Locked did not report what a TryLock would find", Did: "a process called " + c.call + "; another one called " + c.asks,
			Means: "people are told that a row is free, or taken, and it is not so", Read: asking,
		}
		a.get(c.call)
		requireAnswer(t, b, c.want, c.asks, l)
		l.Did = "a program called " + c.call + ", and then " + c.asks
		requireAnswer(t, a, c.want, c.asks, l.Say("Locked did not report what a TryLock of the same program would find"))
		b.refused("TryLock second "+strings.Join(strings.Fields(c.call)[2:], " "), l.Say("Locked ended a lock"))
		a.get("Unlock it")
		l.Did += "; then Unlock, and Locked again"
		requireAnswer(t, b, 0, c.asks, l.Say("Locked reported a lock that was given back"))
	}
	l := lab.Lesson{
		Says: "Locked left a lock behind", Did: "Locked of all rows, 20 times; then another process called TryLock",
		Means: "a program that only asks keeps the others out", Read: asking,
	}
	for range 20 {
		requireAnswer(t, a, 0, "Locked 0 -1", l)
	}
	b.Succeed("TryLock it 0 1", l)
	for range 20 {
		requireAnswer(t, a, 1, "Locked 0 -1", l.Say("Locked did not report a lock"))
	}
	requireHandles(t, a, before, l.Say("Locked left the file open"))
}

func requireAnswer(t *testing.T, p program, want int, order string, l lab.Lesson) {
	t.Helper()
	r := p.Ask(order, l)
	lab.RequireNoError(t, r.Returned.Err, l.Say("Locked failed"))
	l.Expected, l.Found = fmt.Sprint(want == 1), fmt.Sprint(r.N == 1)
	lab.Require(t, r.N == want, l)
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	t.Run("closes the file", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		a, b := start(t, path), start(t, path)
		b.get("RLock other 0 1")
		before := a.Handles()
		l := lab.Lesson{Says: "Unlock failed", Did: "Lock, RLock, TryLock or TryRLock, and Unlock, 20 times", Read: ends}
		for range 20 {
			for _, call := range calls {
				a.get(call + " it 1 2")
				a.Succeed("Unlock it", l)
			}
		}
		requireHandles(t, a, before, l.Say("Unlock left the file open"))
		l.Says, l.Did = "TryLock did not find the other owner", "another process had a lock; TryLock, 20 times"
		for range 20 {
			a.refused("TryLock it 0 1", l)
		}
		requireHandles(t, a, before, l.Say("TryLock left the file open when it failed"))
	})
	t.Run("while a child has a duplicate of the descriptor", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says:  "Unlock left the lock to a duplicate of its descriptor",
			Read:  ends,
			Means: "everyone who needs the rows waits for an owner that is no longer inside",
			Did:   "Lock; the descriptor was duplicated, as for a child between fork and exec; Unlock; then another process called TryLock",
		}
		for _, r := range []string{" 1 1", " 0 -1"} {
			a.get("Lock it" + r)
			lab.RequireSetUp(t, a.Do("duplicate", l))
			a.Succeed("Unlock it", l)
			b.Succeed("TryLock second 0 -1", l)
			b.Succeed("Unlock second", l)
		}
	})
	t.Run("in another directory", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		a, b := launch(t, lab.Options{Dir: filepath.Dir(path)}, "parts.table"), start(t, path)
		l := lab.Lesson{
			Says: "Unlock failed after the program had changed its directory", Read: ends,
			Means: "it looks for the file by a name that no longer leads there",
			Did:   "Lock of a table with a relative path; the program changed its directory; Unlock; then another process called TryLock",
		}
		a.get("Lock it 0 1")
		lab.RequireSetUp(t, a.Do("leave", l))
		a.Succeed("Unlock it", l)
		b.Succeed("TryLock second 0 1", l.Say("Unlock did not give the lock back after the program had changed its directory"))
	})
	t.Run("gives back its own rows alone", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says: "Unlock took away a lock that it had not given", Read: ends, Means: "two owners are inside at once",
			Did: "Lock of row 0 and of row 1 in one program; Unlock of row 0; then another process called TryLock for both",
		}
		a.get("Lock it 0 1")
		a.get("Lock other 1 1")
		a.Succeed("Unlock it", l)
		b.refused("TryLock second 1 1", l)
		b.Succeed("TryLock second 0 1", l.Say("Unlock gave nothing back"))
	})
	t.Run("a second time", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says: "Unlock did not report that there was nothing to unlock", Did: "Lock, Unlock and Unlock again",
			Means: "a mistake of the program goes unnoticed until it hits another owner", Read: ends,
		}
		a.get("Lock it 0 1")
		a.Succeed("Unlock it", l)
		requireClosed(t, a.Do("Unlock it", l), l)
		l.Says, l.Means = "Unlock took away a lock that it had not given", "two owners are inside at once"
		l.Did = "Lock and Unlock; Lock again in the same program; then a second Unlock of the first; then another process called TryLock"
		a.get("Lock next 0 1")
		requireClosed(t, a.Do("Unlock it", l), l)
		b.refused("TryLock second 0 1", l)
	})
}

func TestLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, order, did string }{
		{"that is killed", "", "a process had a lock from Lock, and was killed"},
		{"even if a child of it lives", "child", "a process had a lock from Lock, started a program that runs on, and was killed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := tableFile(t)
			a, b := start(t, path), start(t, path)
			l := lab.Lesson{
				Says: "Lock kept the others out after its process had ended", Did: c.did + "; then another one called TryLock",
				Means: "the lock belongs to a program that does not know of it: all others wait until that one ends", Read: ends,
			}
			a.get("Lock it 0 1")
			if c.order != "" {
				child := a.Ask(c.order, l)
				lab.RequireSetUp(t, child.Returned.Err)
				t.Cleanup(func() {
					if p, err := os.FindProcess(child.N); err == nil {
						_ = p.Kill()
					}
				})
			}
			a.Kill()
			b.Succeed("TryLock second 0 1", l)
		})
	}
}

func TestLockOpensTheFileForWhatItNeeds(t *testing.T) {
	t.Parallel()
	t.Run("a table that this user may only read", readOnly)
	t.Run("a table that cannot be opened for writing", notForWriting)
	t.Run("a file that cannot be opened", unopenable)
	t.Run("a file for which the kernel has no handle", noHandle)
}

func readOnly(t *testing.T) {
	t.Helper()
	t.Parallel()
	dir := lab.SharedDir(t)
	path := filepath.Join(dir, "parts.table")
	p := launch(t, lab.Options{Unprivileged: true}, path)
	lab.RequireSetUp(t, p.Do("make", lab.Lesson{})) // its own table: it may change the permissions, and must not
	l := lab.Lesson{Means: "people who may only look at the table cannot even do that", Read: openModes}
	for _, call := range []string{"RLock it 0 1", "TryRLock it 1 2"} {
		l.Did = call + " of a table that this user may read and not write"
		p.Succeed(call, l.Say("%s failed although the user may read the table", callOf(call)))
	}
	l.Did = "Locked of a table that this user may read and not write"
	requireAnswer(t, p, 1, "Locked 0 1", l)
	for _, call := range []string{"Lock", "TryLock"} {
		l.Did = call + " of a table that this user may read and not write"
		err := p.Do(call+" other 7 1", l)
		info, failed := os.Stat(path)
		lab.RequireSetUp(t, failed)
		l.Means = "the owner has forbidden it"
		lab.RequireEqual(t, fs.FileMode(0o444), info.Mode(), l.Say("%s changed the permissions of the table", call))
		l.Means = "it believes in a lock that it does not have"
		lab.RequireErrorIs(t, err, fs.ErrPermission, l.Say("%s did not report that the user may not write the table", call))
	}
}

// A file system that is read-only, and a file that runs as a program, have error numbers of their own.
func notForWriting(t *testing.T) {
	t.Helper()
	lab.EachErrno(t, func(t *testing.T, errno error) {
		t.Parallel()
		path := tableFile(t)
		d := newDesk(path)
		l := lab.Lesson{Means: "people who may only look at the table cannot even do that", Read: openModes}
		ask := func(call string, do func() error) (err error) {
			l.Did = call + "; each open(2) for writing failed with " + errno.Error()
			var failed error
			lab.Finishes(t, func() { failed = lab.Refuse("open for writing", errno, func() { err = do() }) }, l)
			lab.RequireRefuse(t, failed)
			return err
		}
		for _, order := range []string{"RLock it 0 1", "TryRLock other 0 2", "Locked 0 1", "View"} {
			call := callOf(order)
			err := ask(call, func() error {
				if order == "View" {
					return changes["View"](path, func() {})
				}
				return d.do(strings.Fields(order)).Returned.Err
			})
			lab.RequireNoError(t, err, l.Say("%s failed although the table can be opened for reading", call))
		}
		l.Means = "the program goes on without a lock, or no one can tell what to do about it"
		for _, call := range []string{"Lock", "TryLock"} {
			err := ask(call, func() error { return d.do([]string{call, "it", "2", "1"}).Returned.Err })
			lab.RequireErrorIs(t, err, errno, l.Say("%s did not report why it could not open the file", call))
		}
		for _, held := range d.held {
			lab.RequireNoError(t, held.Unlock(), l.Say("Unlock failed"))
		}
	}, syscall.EROFS, syscall.ETXTBSY, syscall.EACCES)
}

// The kernel refuses one open: a function that tries again has a lock, or an answer.
func noHandle(t *testing.T) {
	t.Helper()
	t.Parallel()
	d := newDesk(tableFile(t))
	for _, order := range []string{"Lock it 0 1", "RLock it 0 1", "TryLock it 0 1", "TryRLock it 0 1", "Locked 0 1"} {
		l := lab.Lesson{
			Says: callOf(order) + " did not report that the kernel had no handle for it", Did: callOf(order) + "; open(2) failed with EMFILE",
			Means: "the program waits for a handle that it may itself keep, and never says what is wrong", Read: refusals,
		}
		var err error
		names, failed := lab.RefuseOne(0, syscall.EMFILE, func() { err = d.do(strings.Fields(order)).Returned.Err })
		lab.RequireRefuse(t, failed)
		if len(names) > 0 && names[0] == "openat" { // otherwise it was another call that was refused
			lab.RequireErrorIs(t, err, syscall.EMFILE, l)
		}
	}
}

func unopenable(t *testing.T) {
	t.Helper()
	t.Parallel()
	dir := lab.SharedDir(t)
	lab.RequireSetUp(t, os.Mkdir(filepath.Join(dir, "directory"), 0o755))
	lab.RequireSetUp(t, os.WriteFile(filepath.Join(dir, "private"), nil, 0o600))
	lab.RequireSetUp(t, os.Chmod(filepath.Join(dir, "private"), 0))
	lab.RequireSetUp(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	for _, c := range []struct {
		name, did string
		reason    error
	}{
		{"directory", "a path at which a directory is", syscall.EISDIR},
		{"private", "a file that this user may not open", fs.ErrPermission},
		{"loop", "a symbolic link to itself", syscall.ELOOP},
	} {
		p := launch(t, lab.Options{Unprivileged: true}, filepath.Join(dir, c.name))
		for _, call := range []string{"Lock it", "TryLock it", "TryRLock it", "Locked"} {
			if c.name == "directory" && !strings.HasPrefix(call, "Lock it") {
				continue // a directory can be opened for reading
			}
			l := lab.Lesson{
				Says: callOf(call) + " did not report why it could not open the file", Did: callOf(call) + " of " + c.did,
				Means: "the program goes on without a lock, or waits for an owner who does not exist", Read: refusals,
			}
			err := p.Do(call+" 0 1", l)
			lab.RequireErrorIs(t, err, c.reason, l)
			lab.Require(t, !errors.Is(err, fcntl.ErrLocked), l)
		}
	}
}

func TestLockChangesNothing(t *testing.T) {
	t.Parallel()
	t.Run("a file that does not exist", func(t *testing.T) {
		t.Parallel()
		path := lab.Path(t, "parts.table")
		p := start(t, path)
		for _, order := range []string{"Lock it 0 1", "RLock it 0 1", "TryLock it 0 1", "TryRLock it 0 -1", "Locked 0 1"} {
			l := lab.Lesson{
				Says: callOf(order) + " did not report that there is no table", Did: callOf(order) + " of a file that does not exist",
				Means: "a mistyped path becomes a table of its own, which no other program locks", Read: openModes,
			}
			lab.RequireErrorIs(t, p.Do(order, l), fs.ErrNotExist, l)
			lab.RequireNoFile(t, path, l.Say("%s created the file", callOf(order)))
		}
	})
	t.Run("a file that exists", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		before, err := os.Stat(path)
		lab.RequireSetUp(t, err)
		a, b := start(t, path), start(t, path)
		for _, r := range []string{" 0 1", " 2 7", " 0 -1"} {
			a.get("Lock it" + r)
			b.Do("TryLock other"+r, lab.Lesson{}) //nolint:errcheck // that it is refused is another test's
			a.get("Unlock it")
			a.get("RLock it" + r)
			a.get("Unlock it")
		}
		l := lab.Lesson{
			Says:  "Lock changed the file",
			Did:   "Lock, RLock and Unlock of rows that the table has, and of others; and a TryLock that failed",
			Means: "the table has other rows now, or another length", Read: fix,
		}
		lab.RequireFile(t, path, three, l)
		after, err := os.Stat(path)
		lab.RequireSetUp(t, err)
		lab.RequireEqual(t, before.ModTime().String(), after.ModTime().String(), l)
		lab.Require(t, os.SameFile(before, after), l.Say("Lock replaced the file"))
		entries, err := os.ReadDir(filepath.Dir(path))
		lab.RequireSetUp(t, err)
		lab.RequireEqual(t, 1, len(entries), l.Say("Lock left a file beside the table"))
	})
}
