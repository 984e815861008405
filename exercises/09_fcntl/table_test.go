//go:build linux

package fcntl_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	fcntl "example/turnstile/exercises/09_fcntl"
	"example/turnstile/exercises/09_fcntl/rows"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func init() {
	workers["take"], workers["view"], workers["append"], workers["move"] = take, view, appendOne, move
	workers["nested"], workers["crowd"], workers["view twice"] = nested, crowd, viewTwice
}

// take takes a part off row N of the table at PATH. Inside change it stands at "inside". It sends whether it has the part.
func take(w *lab.Worker) error {
	got := false
	err := fcntl.Update(w.Arg(0), int64(w.Int(1)), func(row rows.Row) (rows.Row, error) {
		w.Reached("inside")
		if got = row.Number > 0; got {
			row.Number--
		}
		return row, nil
	})
	return errors.Join(err, w.Result(got && err == nil))
}

// view stands at "inside" while it views PATH, and sends the sum of what it saw.
func view(w *lab.Worker) error {
	return fcntl.View(w.Arg(0), func(all []rows.Row) error {
		w.Reached("inside")
		sum := 0
		for _, row := range all {
			sum += row.Number
		}
		return w.Result(sum)
	})
}

// viewTwice views PATH inside a View of it.
func viewTwice(w *lab.Worker) error {
	return fcntl.View(w.Arg(0), func([]rows.Row) error { return fcntl.View(w.Arg(0), func([]rows.Row) error { return errTest }) })
}

// appendOne adds PART to the table at PATH, and sends the number of its row.
func appendOne(w *lab.Worker) error {
	n, err := fcntl.Append(w.Arg(0), rows.Row{Part: w.Arg(1), Number: 1})
	return errors.Join(err, w.Result(n))
}

// move moves COUNT parts from row FROM to row TO of the table at PATH.
func move(w *lab.Worker) error {
	return fcntl.Move(w.Arg(0), int64(w.Int(1)), int64(w.Int(2)), w.Int(3))
}

// nested updates row 1 of PATH inside an Update of row 0, and row 0 of OTHER inside that.
func nested(w *lab.Worker) error {
	take := func(path string, n int64, then func() error) error {
		return fcntl.Update(path, n, func(row rows.Row) (rows.Row, error) {
			row.Number--
			return row, then()
		})
	}
	return take(w.Arg(0), 0, func() error {
		return take(w.Arg(0), 1, func() error { return take(w.Arg(1), 0, func() error { return nil }) })
	})
}

func row(part string, number int) string { return fmt.Sprintf("%-19s %11d\n", part, number) }

func TestUpdateKeepsItsLock(t *testing.T) {
	t.Parallel()
	path := tableFile(t)
	l := lab.Lesson{
		Says: "Update gave one bracket to two callers", Read: why,
		Did:   "row 0 said that there is one bracket; a process stood inside Update of the row; another one called Update of it",
		Means: "the second one decided by what it had read before the first one wrote: two people go for one bracket",
	}
	alice := lab.Start(t, "take", path, "0")
	alice.Reached("inside", l.Say("Update does not call change"))
	bob := lab.Start(t, "take", path, "0") // when Alice is inside: of two that start at once, either may be first
	if bob.Settle() == process.AtStep {
		bob.Reached("inside", l)
		bob.Continue()
		bob.Settle()
		alice.Continue()
	} else {
		bob.WaitBlocked(mustWait(l, "Update did not wait for another Update of the same row"))
		alice.Continue()
		bob.Reached("inside", l.Say("Update does not call change"))
		bob.Continue()
	}
	var one, other bool
	alice.Result(&one, l)
	bob.Result(&other, l)
	lab.RequireNoError(t, alice.Wait(l), l.Say("Update failed"))
	lab.RequireNoError(t, bob.Wait(l), l.Say("Update failed"))
	l.Expected, l.Found = "one of the two has it", fmt.Sprintf("the first has it: %t; the second has it: %t", one, other)
	lab.Require(t, one != other, l)
	l.Expected, l.Found = "", ""
	lab.RequireFile(t, path, strings.Replace(three, " 1\n", " 0\n", 1), l)
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	number := func(n int, err error) func(rows.Row) (rows.Row, error) {
		return func(row rows.Row) (rows.Row, error) { row.Number = n; return row, err }
	}
	second := strings.Replace(three, row("hinge", 4), row("hinge", 7), 1)
	nothing := strings.Replace(three, row("hinge", 4), row("", 0), 1)
	for _, c := range []struct {
		name   string
		n      int64
		change func(rows.Row) (rows.Row, error)
		after  string
		err    error
	}{
		{"writes the row that change returned", 1, number(7, nil), second, nil},
		{"writes a row without a part", 1, func(rows.Row) (rows.Row, error) { return rows.Row{}, nil }, nothing, nil},
		{"leaves the row as it is if change fails", 1, number(7, errTest), three, errTest},
		{"of a row that the table does not have", 3, number(7, nil), three, rows.ErrNoRow},
		{"of a row below 0", -1, number(7, nil), three, fcntl.ErrRange},
		{"of a row that no table has", 1 << 59, number(7, nil), three, fcntl.ErrRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := tableFile(t)
			if c.err != nil {
				path, c.after = lab.WriteFile(t, "parts.table", odd), odd
			}
			l := lab.Lesson{
				Says:  "Update did not leave in the table what it should",
				Did:   fmt.Sprintf("Update of row %d of a table of three rows", c.n),
				Read:  fix,
				Means: "the table is not what the callers were told",
			}
			if errors.Is(c.err, errTest) {
				l.Did += "; change returned a row and an error"
			} else if c.after == nothing {
				l.Did += "; change returned rows.Row{}"
			}
			var err error
			lab.Finishes(t, func() { err = fcntl.Update(path, c.n, c.change) }, l)
			lab.RequireFile(t, path, c.after, l)
			if c.err == nil {
				lab.RequireNoError(t, err, l.Say("Update failed"))
			} else {
				lab.RequireErrorIs(t, err, c.err, l.Say("Update did not return the error that it should"))
			}
			requireFree(t, path, l.Say("Update kept its lock"))
		})
	}
	t.Run("of a row that its owner adds meanwhile", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		l := lab.Lesson{
			Says: "Update decided before it had the lock that there is no such row", Read: why,
			Did:   "a program had a lock on row 3, of a table of rows 0 to 2; another called Update of it",
			Means: "the row that its owner adds is not seen, although Update waits for it",
		}
		first := start(t, path)
		first.get("Lock it 3 1")
		p := lab.Start(t, "take", path, "3")
		if p.Settle() != process.Finished {
			p.WaitBlocked(mustWait(l, "Update does not wait for a lock on its row"))
			lab.RequireSetUp(t, rows.Write(path, 3, rows.Row{Part: "nut", Number: 5}))
			first.get("Unlock it")
			l.Did += "; the first wrote the row, and called Unlock"
		}
		p.Reached("inside", l)
		p.Continue()
		lab.RequireNoError(t, p.Wait(l), l.Say("Update failed"))
		lab.RequireFile(t, path, three+row("nut", 4), l)
	})
	t.Run("waits for no other row", otherRows)
	t.Run("gives its lock back if change does not return", noReturn)
}

func otherRows(t *testing.T) {
	t.Helper()
	t.Parallel()
	path, other := tableFile(t), tableFile(t)
	start(t, path).get("Lock it 2 -1")
	l := lab.Lesson{
		Says: "Update waits for a lock on another row",
		Did: "a program had a lock on row 2 and all after it; inside Update of row 0, change called Update of row 1, and that one Update of " +
			"another table",
		Means: "a program that works on one row keeps all others out, or waits for itself for ever", Read: whichBytes,
	}
	lab.RequireNoError(t, lab.Start(t, "nested", path, other).Wait(l), l)
	lab.RequireFile(t, path, row("bracket", 0)+row("hinge", 3)+row("bolt", 100), l)
	lab.RequireFile(t, other, row("bracket", 0)+row("hinge", 4)+row("bolt", 100), l)
}

func noReturn(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := lab.WriteFile(t, "parts.table", odd)
	for call, do := range map[string]func(leave func()) error{
		"Update": func(leave func()) error {
			return fcntl.Update(path, 0, func(row rows.Row) (rows.Row, error) { leave(); return row, nil })
		},
		"View": func(leave func()) error { return fcntl.View(path, func([]rows.Row) error { leave(); return nil }) },
	} {
		for how, leave := range map[string]func(){"panicked": func() { panic(errTest) }, "ended its goroutine": runtime.Goexit} {
			l := lab.Lesson{
				Says: call + " did not pass a panic on to its caller", Did: "the function that " + call + " called " + how, Read: refusals,
				Means: "the caller goes on as if nothing had happened",
			}
			var value any
			lab.Finishes(t, func() {
				defer func() { value = recover() }()
				_ = do(leave) // it does not return
			}, l.Say("%s does not end after the function that it called %s", call, how))
			if how == "panicked" {
				l.Expected, l.Found = "the error with which it panicked", fmt.Sprintf("%T %v", value, value)
				lab.Require(t, value == any(errTest), l)
				l.Expected, l.Found = "", ""
			}
			l.Means = "the row is no longer what it was, although change has not returned another one"
			lab.RequireFile(t, path, odd, l.Say("%s wrote after the function that it called %s", call, how))
			l.Means = "every other program waits for one that is no longer inside"
			requireFree(t, path, l.Say("%s kept its lock after the function that it called %s", call, how))
		}
	}
}

func TestView(t *testing.T) {
	t.Parallel()
	t.Run("shares with other Views, and keeps all changes out", viewAndChanges)
	t.Run("waits for a change that is at work", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		l := lab.Lesson{
			Says:  "View read the table before it had the lock",
			Did:   "a program had a lock on row 2; another called View",
			Means: "it works with rows that are out of date, or half written, although it has waited for its turn", Read: fix,
		}
		other := start(t, path)
		other.get("Lock it 2 1")
		viewer := lab.Start(t, "view", path)
		viewer.WaitBlocked(mustWait(l, "View does not wait for a lock on a row"))
		l.Did += "; the first wrote 7 bolts, and called Unlock"
		lab.RequireSetUp(t, rows.Write(path, 2, rows.Row{Part: "bolt", Number: 7}))
		lab.RequireSetUp(t, rows.Write(path, 3, rows.Row{Part: "nut", Number: 1000}))
		other.get("Unlock it")
		viewer.Reached("inside", l)
		appender := lab.Start(t, "append", path, "pin")
		l.Did = "a program had a lock on row 2, and added row 3; View, which had waited for it, called use; another program called Append"
		appender.WaitBlocked(mustWait(l, "Append does not wait for a View"))
		viewer.Continue()
		requireSum(t, viewer, 1+4+7+1000, l)
		lab.RequireNoError(t, appender.Wait(l), l.Say("Append failed after it had waited for a View"))
	})
	t.Run("inside a View", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		l := lab.Lesson{
			Says: "View keeps out a View of the same program", Did: "inside View, use called View of the same table",
			Means: "readers wait for one another, although none of them changes anything", Read: fix,
		}
		lab.RequireErrorIs(t, lab.Start(t, "view twice", path).Wait(l), errTest, l.Say("View did not return the error of use"))
	})
	t.Run("returns every error", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		l := lab.Lesson{
			Says: "View did not return the error of use", Did: "View; use returned an error",
			Means: "the caller goes on as if all were well", Read: fix,
		}
		called := 0
		lab.RequireErrorIs(t, fcntl.View(path, func([]rows.Row) error { called++; return errTest }), errTest, l)
		l.Means = "what use does happens twice"
		lab.RequireEqual(t, 1, called, l.Say("View did not call use once"))
		requireFree(t, path, l.Say("View kept its lock when use failed"))
	})
	t.Run("reads the table each time", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		before, err := os.Stat(path)
		lab.RequireSetUp(t, err)
		requireViewed(t, path, 105, lab.Lesson{Did: "View of a table of three rows", Means: "rows are gone, and no one knows"})
		lab.RequireSetUp(t, rows.Write(path, 2, rows.Row{Part: "bolt", Number: 7}))
		lab.RequireSetUp(t, os.Chtimes(path, before.ModTime(), before.ModTime()))
		requireViewed(t, path, 12, lab.Lesson{
			Did:   "View; another program wrote 7 bolts, and the file kept its size and its time; View",
			Means: "it works with rows that are out of date: two writes can come in one tick of the clock",
		})
	})
	t.Run("of a large table", func(t *testing.T) {
		t.Parallel()
		count := lab.Rounds(33_000) // more than 1 MiB
		path := lab.WriteFile(t, "parts.table", strings.Repeat(row("bolt", 2), count))
		did := fmt.Sprintf("View of a table of %d rows", count)
		requireViewed(t, path, 2*count, lab.Lesson{Did: did, Means: "rows are gone, and no one knows"})
	})
	t.Run("of a table that this user may only read", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(lab.SharedDir(t), "parts.table")
		lab.RequireSetUp(t, os.WriteFile(path, []byte(three), 0o600))
		lab.RequireSetUp(t, os.Chmod(path, 0o444))
		l := lab.Lesson{
			Says: "View failed although the user may read the table", Did: "View of a table that this user may read and not write",
			Means: "people who may only look at the table cannot even do that", Read: openModes,
		}
		viewer := lab.Launch(t, lab.Options{Unprivileged: true}, "view", path)
		viewer.Reached("inside", l)
		viewer.Continue()
		requireSum(t, viewer, 105, l)
	})
}

// requireViewed demands that a View of the table sees so many parts.
func requireViewed(t *testing.T, path string, want int, l lab.Lesson) {
	t.Helper()
	l.Says, l.Read = "View did not see the rows that the table has", fix
	sum := 0
	err := fcntl.View(path, func(all []rows.Row) error {
		for _, row := range all {
			sum += row.Number
		}
		return nil
	})
	failed := l.Say("View failed")
	failed.Means = "the caller cannot see the table"
	lab.RequireNoError(t, err, failed)
	lab.RequireEqual(t, want, sum, l)
}

func requireSum(t *testing.T, viewer *lab.Process, want int, l lab.Lesson) {
	t.Helper()
	var sum int
	viewer.Result(&sum, l)
	lab.RequireNoError(t, viewer.Wait(l), l.Say("View failed"))
	lab.RequireEqual(t, want, sum, l)
}

func viewAndChanges(t *testing.T) {
	t.Helper()
	t.Parallel()
	for _, before := range []string{"", three} {
		path := lab.WriteFile(t, "parts.table", before)
		l := lab.Lesson{
			Says:  "View kept another View out",
			Did:   fmt.Sprintf("two processes called View of a table of %d rows", len(before)/rows.Size),
			Read:  fix,
			Means: "readers wait for one another, although none of them changes anything",
		}
		one, other := lab.Start(t, "view", path), lab.Start(t, "view", path)
		one.Reached("inside", l.Say("View does not call use"))
		other.Reached("inside", l)
		other.Continue()
		lab.RequireNoError(t, other.Wait(l), l.Say("View failed"))
		l = lab.Lesson{Read: fix, Means: "the reader works with rows that are out of date, or half written"}
		changes := map[string]*lab.Process{"Append": lab.Start(t, "append", path, "nut")}
		if before != "" {
			changes["Move"] = lab.Start(t, "move", path, "2", "1", "10")
		}
		for call, p := range changes {
			l.Did = "a process was inside View; another one called " + call
			if call == "Append" {
				l.Read = whichBytes
			}
			p.Settle()
			lab.RequireFile(t, path, before, l.Say("%s wrote while a View was at work", call))
			p.WaitBlocked(mustWait(l, "%s does not wait for a View", call))
		}
		one.Continue()
		lab.RequireNoError(t, one.Wait(l), l.Say("View failed"))
		for call, p := range changes {
			lab.RequireNoError(t, p.Wait(l), l.Say("%s failed after it had waited for a View", call))
		}
		after := row("nut", 1)
		if before != "" {
			after = row("bracket", 1) + row("hinge", 14) + row("bolt", 90) + after
		}
		lab.RequireFile(t, path, after, l.Say("Append or Move did not write after the View"))
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	t.Run("adds a row at the end", func(t *testing.T) {
		t.Parallel()
		for _, before := range []string{"", three} {
			path := lab.WriteFile(t, "parts.table", before)
			l := lab.Lesson{
				Says: "Append did not add a row at the end", Did: fmt.Sprintf("Append to a table of %d rows", len(before)/rows.Size),
				Means: "a part is not in the table, or is somewhere else", Read: fix,
			}
			var n int64
			var err error
			lab.Finishes(t, func() { n, err = fcntl.Append(path, rows.Row{Part: "nut", Number: 5}) }, l)
			lab.RequireNoError(t, err, l.Say("Append failed"))
			lab.RequireEqual(t, int64(len(before)/rows.Size), n, l.Say("Append returned the wrong number"))
			lab.RequireFile(t, path, before+row("nut", 5), l)
			requireFree(t, path, l.Say("Append kept its lock"))
		}
	})
	t.Run("after the rows that others have added meanwhile", appendBesideAppend)
	t.Run("under the lock of the row that it adds", appendWaits)
	t.Run("beside an Append that waits", appendBesideAWaitingOne)
	t.Run("beside locks on the rows that exist", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		l := lab.Lesson{
			Says:  "Append waits for a lock on a row that exists",
			Did:   "a program had a lock on rows 0 to 2 of three; another called Append",
			Means: "a program that works on one row keeps all others from adding one", Read: whichBytes,
		}
		start(t, path).get("Lock it 0 3")
		other := lab.Start(t, "append", path, "nut")
		lab.Require(t, other.Settle() != process.Blocked, l)
		lab.RequireNoError(t, other.Wait(l), l.Say("Append failed"))
		lab.RequireFile(t, path, three+row("nut", 1), l)
	})
	t.Run("a row that does not fit", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		l := lab.Lesson{
			Says: "Append did not report a row that does not fit", Did: "Append of a row whose name is too long", Read: refusals,
			Means: "a part is not in the table, and its owner believes it is",
		}
		_, err := fcntl.Append(path, rows.Row{Part: strings.Repeat("x", 30), Number: 5})
		lab.RequireError(t, err, l)
		lab.RequireFile(t, path, three, l)
		requireFree(t, path, l.Say("Append kept its lock when it failed"))
	})
}

func appendBesideAppend(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := tableFile(t)
	l := lab.Lesson{
		Says: "Append wrote over a row that another Append had added", Read: fix,
		Did:   "a program had a lock on all rows; two others called Append",
		Means: "a part is gone from the table, although its Append returned no error",
	}
	first := start(t, path)
	first.get("Lock it 0 -1")
	one, other := lab.Start(t, "append", path, "nut"), lab.Start(t, "append", path, "washer")
	one.WaitBlocked(mustWait(l, "Append does not wait for a lock on all rows"))
	other.WaitBlocked(mustWait(l, "Append does not wait for a lock on all rows"))
	l.Did += ", and waited; the first added a row itself, and called Unlock"
	lab.RequireSetUp(t, rows.Write(path, 3, rows.Row{Part: "pin", Number: 9}))
	first.get("Unlock it")
	var a, b int64
	one.Result(&a, l)
	other.Result(&b, l)
	lab.RequireNoError(t, one.Wait(l), l.Say("Append failed"))
	lab.RequireNoError(t, other.Wait(l), l.Say("Append failed"))
	after := three + row("pin", 9) + row("nut", 1) + row("washer", 1)
	if a > b {
		after = three + row("pin", 9) + row("washer", 1) + row("nut", 1)
	}
	lab.RequireFile(t, path, after, l)
	lab.RequireEqual(t, 4+5, a+b, l.Say("Append returned the wrong number"))
}

// Of two goroutines of one program, one waits for a row that the table has when the other one is called.
func appendBesideAWaitingOne(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := tableFile(t)
	l := lab.Lesson{
		Says: "Append waits for a lock on a row that exists",
		Did: "a program had a lock on row 3 of a table of three; a goroutine of another one called Append; the first wrote row 3 and kept " +
			"its lock; another goroutine called Append",
		Means: "the second one waits behind the first, and needs nothing of what that one waits for", Read: whichBytes,
	}
	owner, both := start(t, path), start(t, path)
	owner.get("Lock it 3 1")
	both.tell("go Append", l)
	both.waits(path, 1, 0, l)
	lab.RequireSetUp(t, rows.Write(path, 3, rows.Row{Part: "pin", Number: 9}))
	both.tell("go Append", l)
	both.waits(path, 1, 1, l)
	lab.RequireFile(t, path, three+row("pin", 9)+row("nut", 1), l.Say("Append did not add a row at the end"))
	owner.get("Unlock it")
	both.waits(path, 0, 2, l)
	lab.RequireFile(t, path, three+row("pin", 9)+row("nut", 1)+row("nut", 1), l.Say("Append did not add a row at the end"))
}

// Whenever the row comes free for which Append waits, it is written, and the next one is locked.
func appendWaits(t *testing.T) {
	t.Helper()
	t.Parallel()
	path := tableFile(t)
	l := lab.Lesson{
		Read: fix, Did: "a program had a lock on row 3 of a table of three; another called Append; the first locked the next row, " +
			"wrote the one that it had, and unlocked that",
	}
	other := start(t, path)
	other.get("Lock 3 3 1")
	p := lab.Start(t, "append", path, "nut")
	p.WaitBlocked(mustWait(l, "Append does not wait for a lock on the row that it adds"))
	const last = 15
	for n := int64(3); n < last; n++ {
		other.get(fmt.Sprintf("TryLock %d %d 1", n+1, n+1))
		lab.RequireSetUp(t, rows.Write(path, n, rows.Row{Part: "pin", Number: 9}))
		other.get(fmt.Sprintf("Unlock %d", n))
		if p.Settle() != process.Blocked {
			l.Means = "the part is not in the table, although no one has refused a lock"
			lab.RequireNoError(t, p.Wait(l), l.Say("Append gave up after others had added %d rows", n-2))
			l.Means = "two programs write one row: a part is gone from the table, although its Append returned no error"
			lab.Fail(t, l.Say("Append wrote a row on which another program had the lock"))
		}
		kept := l.Say("Append keeps a lock on one row while it waits for another")
		kept.Expected, kept.Found = fmt.Sprintf("row %d, which the first has written, is free", n), "it is locked"
		kept.Means = "the owner of the next row, who updates this one first, and Append wait for each other for ever"
		lab.Require(t, !lockedRow(t, path, n, 1), kept)
	}
	other.get(fmt.Sprintf("Unlock %d", last))
	lab.RequireNoError(t, p.Wait(l), l.Say("Append failed"))
	lab.RequireFile(t, path, three+strings.Repeat(row("pin", 9), last-3)+row("nut", 1), l.Say("Append did not add a row at the end"))
}

func TestMove(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		from, to int64
		count    int
		after    string
		err      error
	}{
		{"takes from one row and adds to the other", 2, 0, 30, row("bracket", 31) + row("hinge", 4) + row("bolt", 70), nil},
		{"in the other direction", 0, 2, 1, row("bracket", 0) + row("hinge", 4) + row("bolt", 101), nil},
		{"none", 1, 2, 0, three, nil},
		{"from a row to itself", 1, 1, 3, three, nil},
		{"more than there are", 1, 0, 5, three, fcntl.ErrTooFew},
		{"more than there are, from a row to itself", 1, 1, 5, three, fcntl.ErrTooFew},
		{"fewer than none", 1, 0, -1, three, fcntl.ErrTooFew},
		{"from a row that the table does not have", 3, 0, 1, three, rows.ErrNoRow},
		{"to a row that the table does not have", 0, 3, 1, three, rows.ErrNoRow},
		{"to a row below 0", 0, -1, 1, three, fcntl.ErrRange},
		{"from a row below 0 to itself", -1, -1, 1, three, fcntl.ErrRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := tableFile(t)
			if c.err != nil || c.from == c.to {
				path, c.after = lab.WriteFile(t, "parts.table", odd), odd
			}
			l := lab.Lesson{
				Says:  "Move did not leave in the table what it should",
				Did:   fmt.Sprintf("Move of %d parts from row %d to row %d of a table of three", c.count, c.from, c.to),
				Means: "parts are gone, or exist twice", Read: fix,
			}
			hangs := l.Say("Move does not return")
			hangs.Read = deadlock
			var err error
			if c.from == c.to {
				p := lab.Start(t, "move", path, fmt.Sprint(c.from), fmt.Sprint(c.to), fmt.Sprint(c.count))
				if p.Settle() == process.Blocked {
					hangs.Says, hangs.Means = "Move waits for itself", "it asks for a lock that it has, through another handle: it waits for ever"
					lab.Fail(t, hangs)
				}
				err = p.Wait(hangs)
			} else {
				lab.Finishes(t, func() { err = fcntl.Move(path, c.from, c.to, c.count) }, hangs)
			}
			lab.RequireFile(t, path, c.after, l)
			if c.err == nil {
				l.Means = "the caller is told that the parts were not moved, and they were"
				lab.RequireNoError(t, err, l.Say("Move failed"))
			} else {
				l.Means = "the caller goes on as if there were such rows, and that many parts"
				lab.RequireErrorIs(t, err, c.err, l.Say("Move did not return the error that it should"))
			}
			l.Means = "every other program waits for one that is no longer inside"
			requireFree(t, path, l.Say("Move kept a lock"))
		})
	}
	t.Run("to a row in which the sum does not fit", func(t *testing.T) {
		t.Parallel()
		full := "bracket 99999999999            \n" + odd[rows.Size:]
		path := lab.WriteFile(t, "parts.table", full)
		l := lab.Lesson{
			Says: "Move changed the table although the sum does not fit into its row", Read: fix, Means: "parts are gone, or exist twice",
			Did: "Move of 1 part to a row that says 99999999999, the largest number that fits",
		}
		var err error
		lab.Finishes(t, func() { err = fcntl.Move(path, 1, 0, 1) }, l.Say("Move does not return"))
		lab.RequireFile(t, path, full, l)
		l.Means = "the caller is told that the parts were moved, and they were not"
		lab.RequireError(t, err, l.Say("Move did not report that the sum does not fit into its row"))
	})
	t.Run("reads both rows under its locks", moveReads)
	t.Run("keeps no lock if it gets only one", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		p := start(t, path)
		for _, order := range []string{"Move 0 -1", "Move -1 0", "Move 0 576460752303423488", "Move 576460752303423488 0"} {
			words := strings.Fields(order)
			l := lab.Lesson{
				Says:  "Move kept the lock on one row when it got none on the other",
				Did:   fmt.Sprintf("Move of 1 part from row %s to row %s, of which no table has both", words[1], words[2]),
				Means: "every other program waits for one that is no longer inside", Read: fix,
			}
			err := p.Do(order, l)
			refused := l.Say("Move did not refuse a row that no table has")
			refused.Means = "the caller goes on as if there were such a row"
			lab.RequireErrorIs(t, err, fcntl.ErrRange, refused)
			requireFree(t, path, l)
		}
	})
	t.Run("beside a lock on a row in between", func(t *testing.T) {
		t.Parallel()
		path := tableFile(t)
		l := lab.Lesson{
			Says:  "Move waits for a lock on a row that it does not need",
			Did:   "a program had locks on row 1 and on all from row 3 on; another called Move from row 0 to row 2",
			Read:  whichBytes,
			Means: "programs wait for one another that work on different rows",
		}
		other := start(t, path)
		other.get("Lock it 1 1")
		other.get("Lock rest 3 -1")
		p := lab.Start(t, "move", path, "0", "2", "1")
		lab.Require(t, p.Settle() != process.Blocked, l)
		lab.RequireNoError(t, p.Wait(l), l.Say("Move failed"))
		l.Did = "a program had a lock on row 1; a goroutine of another one called Move from row 1 to itself, and then one from row 2 to row 0"
		l.Says = "Move waits for a Move of other rows"
		both := start(t, path)
		both.tell("go Move 1 1", l)
		both.waits(path, 1, 0, l)
		both.tell("go Move 2 0", l)
		both.waits(path, 1, 1, l)
		lab.RequireFile(t, path, row("bracket", 1)+row("hinge", 4)+row("bolt", 100), l.Say("Move did not leave in the table what it should"))
	})
}

// Move has both rows when it reads, and until it has written.
func moveReads(t *testing.T) {
	t.Helper()
	t.Parallel()
	for _, held := range []int64{0, 2} {
		path := tableFile(t)
		l := lab.Lesson{
			Says:  "Move read a row before it had the lock",
			Did:   fmt.Sprintf("a program had a lock on row %d; another called Move from row 2 to row 0", held),
			Means: "what the other has written is lost", Read: why,
		}
		first := start(t, path)
		first.get(fmt.Sprintf("Lock it %d 1", held))
		p := lab.Start(t, "move", path, "2", "0", "10")
		p.WaitBlocked(mustWait(l, "Move does not wait for a lock on one of its rows"))
		half := l.Say("Move changed one row before it had the lock on the other")
		half.Did, half.Means = l.Did+", and waits", "a View sees parts in neither row, or in both"
		lab.RequireFile(t, path, three, half)
		l.Did += "; the first wrote 50 into the row, and called Unlock"
		part, after := "bracket", row("bracket", 60)+row("hinge", 4)+row("bolt", 90)
		if held == 2 {
			part, after = "bolt", row("bracket", 11)+row("hinge", 4)+row("bolt", 40)
		}
		lab.RequireSetUp(t, rows.Write(path, held, rows.Row{Part: part, Number: 50}))
		first.get("Unlock it")
		lab.RequireNoError(t, p.Wait(l), l.Say("Move failed"))
		lab.RequireFile(t, path, after, l)
	}
	for _, c := range []struct {
		from, to, held int64
		count, by      int
		after          string
		err            error
		means          string
	}{
		{2, 0, 2, 10, 9, row("bracket", 1) + row("hinge", 4) + row("bolt", 9), fcntl.ErrTooFew, "parts are handed out that do not exist"},
		{2, 0, 2, 110, 120, row("bracket", 111) + row("hinge", 4) + row("bolt", 10), nil, "parts that the owner of the row adds are not seen"},
		{3, 0, 3, 10, 12, row("bracket", 11) + three[rows.Size:] + row("bolt", 2), nil, "the row that its owner adds is not seen"},
		{2, 3, 3, 10, 12, three[:2*rows.Size] + row("bolt", 90) + row("bolt", 22), nil, "the row that its owner adds is not seen"},
	} {
		path := tableFile(t)
		l := lab.Lesson{
			Says: "Move decided before it had the lock whether there are enough", Read: why,
			Did:   fmt.Sprintf("a program had a lock on row %d; another called Move of %d from row %d to row %d", c.held, c.count, c.from, c.to),
			Means: c.means,
		}
		first := start(t, path)
		first.get(fmt.Sprintf("Lock it %d 1", c.held))
		p := lab.Start(t, "move", path, fmt.Sprint(c.from), fmt.Sprint(c.to), fmt.Sprint(c.count))
		if p.Settle() != process.Finished { // otherwise it has decided
			p.WaitBlocked(mustWait(l, "Move does not wait for a lock on one of its rows"))
			l.Did += fmt.Sprintf("; the first wrote %d into the row, and called Unlock", c.by)
			lab.RequireSetUp(t, rows.Write(path, c.held, rows.Row{Part: "bolt", Number: c.by}))
			first.get("Unlock it")
		}
		if c.err == nil {
			lab.RequireNoError(t, p.Wait(l), l)
		} else {
			lab.RequireErrorIs(t, p.Wait(l), c.err, l)
		}
		lab.RequireFile(t, path, c.after, l)
	}
}

// Whichever row a Move locks first: while it waits for the other, one in the opposite direction begins.
func TestMovesInOppositeDirectionsComeToTheirEnd(t *testing.T) {
	t.Parallel()
	for _, held := range []string{"0", "2"} {
		t.Run("row "+held+" is held", func(t *testing.T) {
			t.Parallel()
			path := tableFile(t)
			l := lab.Lesson{
				Says: "Move waits for a Move in the other direction, which waits for it", Read: deadlock,
				Did:   "a program had a lock on row " + held + "; one process called Move from row 0 to row 2, another one from 2 to 0",
				Means: "both stand still for ever, and so does everyone who needs one of the rows",
			}
			first := start(t, path)
			first.get("Lock it " + held + " 1")
			one, other := lab.Start(t, "move", path, "0", "2", "1"), lab.Start(t, "move", path, "2", "0", "10")
			one.WaitBlocked(mustWait(l, "Move does not wait for a lock on one of its rows"))
			other.WaitBlocked(mustWait(l, "Move does not wait for a lock on one of its rows"))
			first.get("Unlock it")
			l.Did += "; then the lock was given back"
			for _, p := range []*lab.Process{one, other} {
				if p.Settle() == process.Blocked { // it may wait for the other one, which is at work
					if one.Settle() == process.Blocked && other.Settle() == process.Blocked {
						other.Kill()
						if one.Settle() == process.Blocked {
							l.Says, l.Means = "Move waits for itself", "it asks for a lock that it has, through another handle: it waits for ever"
						}
						lab.Fail(t, l)
					}
				}
			}
			lab.RequireNoError(t, one.Wait(l), l.Say("Move failed beside a Move in the other direction"))
			lab.RequireNoError(t, other.Wait(l), l.Say("Move failed beside a Move in the other direction"))
			lab.RequireFile(t, path, row("bracket", 10)+row("hinge", 4)+row("bolt", 91),
				l.Say("Move lost parts beside a Move in the other direction"))
		})
	}
}

// crowd does N rounds in each of GOROUTINES goroutines: it moves parts, takes one, appends a row, and views the table at PATH.
func crowd(w *lab.Worker) error {
	var mutex sync.Mutex
	var failures error
	var every sync.WaitGroup
	for g := range w.Int(1) {
		every.Go(func() {
			for i := range w.Int(2) {
				from, to := int64(0), int64(2)
				if (g+i)%2 == 0 {
					from, to = to, from
				}
				err := fcntl.Move(w.Arg(0), from, to, 1)
				w.Progress()
				err = errors.Join(err, fcntl.Update(w.Arg(0), 1, func(row rows.Row) (rows.Row, error) {
					row.Number--
					time.Sleep(20 * time.Microsecond) // a person decides
					return row, nil
				}))
				w.Progress()
				_, failed := fcntl.Append(w.Arg(0), rows.Row{Part: "nut", Number: 0})
				w.Progress()
				err = errors.Join(err, failed, fcntl.View(w.Arg(0), func(all []rows.Row) error {
					if sum := all[0].Number + all[2].Number; sum != 2000 {
						return fmt.Errorf("View saw %d parts", sum)
					}
					return nil
				}))
				w.Progress()
				mutex.Lock()
				failures = errors.Join(failures, err)
				mutex.Unlock()
			}
		})
	}
	every.Wait()
	return failures
}

func TestThreeProcessesWorkOnOneTable(t *testing.T) {
	t.Parallel()
	const processes, goroutines = 3, 2
	each := lab.Rounds(15)
	rounds := processes * goroutines * each
	path := lab.WriteFile(t, "parts.table", row("bracket", 1000)+row("hinge", rounds+5)+row("bolt", 1000))
	l := lab.Lesson{
		Says:  "Update lost a part, or Append a row, in a crowd",
		Did:   fmt.Sprintf("%d processes with %d goroutines each did %d rounds of Move, Update, Append and View", processes, goroutines, each),
		Means: "what the callers were told is not what the table says", Read: why,
	}
	var crew []*lab.Process
	for range processes {
		crew = append(crew, lab.Launch(t, lab.Options{Hold: true, Dir: filepath.Dir(path)},
			"crowd", "parts.table", fmt.Sprint(goroutines), fmt.Sprint(each)))
	}
	for _, p := range crew {
		p.Continue()
	}
	for _, p := range crew {
		lab.RequireNoError(t, p.Wait(l), l.Say("Move, Update, Append or View failed in a crowd"))
	}
	all, err := rows.ReadAll(path)
	lab.RequireSetUp(t, err)
	l.Expected = fmt.Sprintf("2000 brackets and bolts, 5 hinges, %d more rows", rounds)
	l.Found = fmt.Sprintf("%d brackets and bolts, %d hinges, %d more rows", all[0].Number+all[2].Number, all[1].Number, len(all)-3)
	lab.Require(t, l.Expected == l.Found, l)
}
