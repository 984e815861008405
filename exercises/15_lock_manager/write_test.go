package lockmanager_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example/turnstile/exercises/11_locked_file/filelock"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/exercises/15_lock_manager/part"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

const bracket = "bracket.step"

// mustRead is a Read that must succeed.
func mustRead(t *testing.T, a *lockmanager.Archive, c lockmanager.Checkout, want string) {
	t.Helper()
	got, err := a.Read(t.Context(), c)
	l := lab.Lesson{
		Says: "Write did not leave what the next Read needs", Did: "Read of " + c.Path,
		Means: "the next owner begins with another drawing", Read: fencing,
	}
	lab.RequireNoError(t, err, l)
	lab.RequireEqual(t, want, got, l)
}

func TestWrite(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{Means: "the archive does not hold what its owner has checked in", Read: fencing}
	write := func(t *testing.T, a *lockmanager.Archive, c lockmanager.Checkout, content string, l lab.Lesson) {
		t.Helper()
		lab.RequireNoError(t, a.Write(t.Context(), c, content), l.Say("Write refused who has the part"))
	}
	t.Run("changes the drawing, again and again", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		m := o.manager(lease)
		a := o.archive(m)
		l := l
		l.Did = "Lock; Write, Write, Read, Write"
		c := lock(t, m, "alice", bracket)
		write(t, a, c, "first", l)
		write(t, a, c, "second", l)
		mustRead(t, a, c, "second")
		write(t, a, c, "third", l)
		lab.RequireEqual(t, "third", o.drawing(t, part.Key(bracket)), l.Say("Write did not change the drawing"))
	})
	t.Run("each part for itself", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		m := o.manager(lease)
		a := o.archive(m)
		l := l
		l.Did = "Lock of bracket.step for alice, then of axle.step for bob, who writes; then alice writes"
		first, second := lock(t, m, "alice", bracket), lock(t, m, "bob", "axle.step")
		write(t, a, second, "an axle", l)
		write(t, a, first, "a bracket", l)
		lab.RequireEqual(t, "an axle", o.drawing(t, part.Key("axle.step")), l.Say("Write changed the drawing of another part"))
		lab.RequireEqual(t, "a bracket", o.drawing(t, part.Key(bracket)), l.Say("Write did not change the drawing"))
	})
	t.Run("goes on after Renew", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		m := o.manager(lease)
		a := o.archive(m)
		l := l
		l.Did = "Lock with a lease of an hour; 50 minutes later Renew; 50 minutes later Write with what Lock had returned"
		c := lock(t, m, "alice", bracket)
		o.setClock(t, start.Add(50*time.Minute))
		_, err := m.Renew(t.Context(), "alice", c.ID)
		lab.RequireNoError(t, err, l.Say("Lock made a checkout that cannot be renewed"))
		o.setClock(t, start.Add(100*time.Minute))
		write(t, a, c, "after Renew", l)
	})
	t.Run("whatever it holds", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		m := o.manager(lease)
		a := o.archive(m)
		c := lock(t, m, "alice", bracket)
		for _, content := range []string{
			"a\r\n\t<&>\u2028\x00 ", "\ufeff blanks at both ends \n", "", strings.Repeat("0123456789abcdef", 2<<20/16),
		} {
			l := l
			l.Did = fmt.Sprintf("Write of %d bytes, %.40q", len(content), content)
			write(t, a, c, content, l)
			got := o.drawing(t, part.Key(bracket))
			l.Found = fmt.Sprintf("%d bytes, %.40q", len(got), got)
			lab.Require(t, content == got, l.Say("Write changed the content"))
		}
		write(t, a, c, "as it was", l)
		before := read(t, o.drawingsFile())
		l := l.Say("Write accepted what JSON has no form for")
		l.Did, l.Expected = `Write of "x\xff", which is not UTF-8`, "an error that matches ErrContent"
		lab.RequireErrorIs(t, a.Write(t.Context(), c, "x\xff"), lockmanager.ErrContent, l)
		lab.RequireFile(t, o.drawingsFile(), string(before), l.Say("Write changed the archive although it failed"))
	})
	// The lease ends while Write is at work. It may or may not notice, but what it reports is so.
	t.Run("with an error, nothing", func(t *testing.T) {
		t.Parallel()
		for last := range 3 {
			o := open(t)
			hers := lock(t, o.manager(lease), "alice", bracket)
			var calls atomic.Int32
			m := lockmanager.New(o.locks(), lockmanager.Options{Lease: lease, Now: func() time.Time {
				if int(calls.Add(1)) > last {
					return start.Add(lease)
				}
				return start
			}})
			before := read(t, o.drawingsFile())
			l := l
			l.Did = fmt.Sprintf("Write; the lease had ended when it read the clock for the %d. time", last+1)
			if err := o.archive(m).Write(t.Context(), hers, "hers"); err != nil {
				requireFenced(t, err, l.Say("Write failed, for another reason than that the checkout has ended"))
				lab.RequireFile(t, o.drawingsFile(), string(before), l.Say("Write changed the archive although it failed"))
				continue
			}
			lab.RequireEqual(t, "hers", o.drawing(t, part.Key(bracket)), l.Say("Write did not change the drawing"))
		}
	})
	t.Run("for a checkout as Lock has returned it", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		m := o.manager(lease)
		hers := lock(t, m, "alice", bracket)
		before := read(t, o.drawingsFile())
		for name, forge := range map[string]func(*lockmanager.Checkout){
			"nothing in it, as a failed Lock returns it": func(c *lockmanager.Checkout) { *c = lockmanager.Checkout{} },
			"no ID":           func(c *lockmanager.Checkout) { c.ID = "" },
			"another path":    func(c *lockmanager.Checkout) { c.Path = "axle.step" },
			"a token too big": func(c *lockmanager.Checkout) { c.Token = 1 << 63 },
		} {
			c := hers
			forge(&c)
			l := l
			l.Did = "alice has bracket.step; Write for a checkout with " + name
			requireFenced(t, o.archive(m).Write(t.Context(), c, "evil"), l.Say("Write believed a checkout that no Lock has returned"))
			lab.RequireFile(t, o.drawingsFile(), string(before), l.Say("Write changed the archive although it failed"))
		}
	})
	t.Run("without a manager that knows", func(t *testing.T) {
		t.Parallel()
		for _, what := range []string{"missing", "cut off", "empty"} {
			o := open(t)
			m := o.manager(0)
			hers := lock(t, m, "alice", bracket)
			before, locks := read(t, o.drawingsFile()), read(t, o.locks())
			l := l.Say("Write went on although the manager could not be asked")
			l.Did = "Write; locks.json was " + what
			switch what {
			case "missing":
				lab.RequireSetUp(t, os.Remove(o.locks()))
			case "cut off":
				locks[:len(locks)/2].put(t, o.locks())
			case "empty":
				edition(nil).put(t, o.locks())
			}
			err := o.archive(m).Write(t.Context(), hers, "hers")
			lab.RequireError(t, err, l)
			if what == "missing" {
				l.Expected = "an error that matches fs.ErrNotExist"
				lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
			}
			lab.RequireFile(t, o.drawingsFile(), string(before), l.Say("Write changed the archive although it failed"))
		}
	})
	t.Run("without an archive", func(t *testing.T) {
		t.Parallel()
		o := open(t)
		m := o.manager(0)
		path := lab.Path(t, "archive.json")
		err := lockmanager.NewArchive(path, m).Write(t.Context(), lock(t, m, "alice", bracket), "content")
		l := l.Say("Write took a missing archive for an empty one")
		l.Did, l.Expected, l.Read = "Write; archive.json did not exist", "an error that matches fs.ErrNotExist", failures
		lab.RequireErrorIs(t, err, fs.ErrNotExist, l)
		lab.RequireNoFile(t, path, l)
	})
}

// ended is who has had the part before. A copy of locks.json is from that time.
func ended(t *testing.T, end string) (o office, m *lockmanager.Manager, old lockmanager.Checkout, locks edition) {
	t.Helper()
	o = open(t)
	m = o.manager(lease)
	if end == "it had no lease, and was given back by force" {
		m = o.manager(0)
	}
	old = lock(t, m, "alice", bracket)
	locks = read(t, o.locks())
	if end == "its lease had ended" {
		o.setClock(t, start.Add(lease))
	} else {
		force(t, m, old)
	}
	return o, m, old, locks
}

// force is an Unlock by bob that must succeed.
func force(t *testing.T, m *lockmanager.Manager, c lockmanager.Checkout) {
	t.Helper()
	_, err := m.Unlock(t.Context(), "bob", c.ID, true)
	l := lab.Lesson{Says: "Unlock failed although it was forced", Did: "Lock for alice; Unlock by bob, with force", Read: unlocked}
	lab.RequireNoError(t, err, l)
}

func requireFenced(t *testing.T, err error, l lab.Lesson) {
	t.Helper()
	l.Expected = "an error that matches ErrFenced"
	lab.RequireErrorIs(t, err, lockmanager.ErrFenced, l)
}

func TestWriteOfACheckoutThatHasEnded(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"its lease had ended", "it was given back by force", "it had no lease, and was given back by force"} {
		for _, next := range []string{
			"nothing else happened", "bob had the part, and had read", "bob had the part, and had written", "alice had the part again",
		} {
			t.Run(end+", and "+next, func(t *testing.T) {
				t.Parallel()
				o, m, old, locks := ended(t, end)
				a := o.archive(m)
				want := ""
				l := lab.Lesson{
					Says:  "Write of a checkout that had ended was not refused",
					Did:   "alice's checkout of the part: " + end + "; " + next + "; Write for the first one",
					Means: "she overwrites what the part's owner has made, or is about to", Read: fencing,
				}
				switch next {
				case "bob had the part, and had read":
					mustRead(t, a, lock(t, m, "bob", bracket), "")
				case "bob had the part, and had written":
					want = "bob's"
					lab.RequireNoError(t, a.Write(t.Context(), lock(t, m, "bob", "Bracket.STEP"), want), l.Say("Write refused who has the part"))
				case "alice had the part again":
					mustRead(t, a, lock(t, m, "alice", bracket), "")
				}
				before := read(t, o.drawingsFile())
				requireFenced(t, a.Write(t.Context(), old, "alice's"), l)
				lab.RequireEqual(t, want, o.drawing(t, part.Key(bracket)), l.Say("Write changed the drawing although it failed"))
				unchanged := l.Say("Write was refused, and saved the archive nevertheless")
				unchanged.Means = "each refused Write costs the archive its backup of the generation before"
				lab.RequireFile(t, o.drawingsFile(), string(before), unchanged)
				if next == "nothing else happened" {
					return
				}
				locks.put(t, o.locks())
				o.setClock(t, start)
				l.Did = "alice's checkout of the part: " + end + "; " + next + "; a copy of locks.json was put back, which knew only the first one; " +
					"Write for the first one"
				requireFenced(t, a.Write(t.Context(), old, "alice's"), l.Say("Write trusted the manager more than the token that the archive has"))
				lab.RequireFile(t, o.drawingsFile(), string(before), unchanged)
			})
		}
	}
}

// The program is stopped between what it learns and what it does, for longer than its lease.
func TestWriteIsRefusedWhereItIsDone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, owner string
		reads       bool
		content     string // what the next owner writes
		force       bool   // the checkout has ended by force, and not by its lease
		before      string // what she has written before
	}{
		{"the next owner has written", "bob", true, "bob's", false, ""},
		{"the next owner has only read", "bob", true, "", false, ""},
		{"the next owner has written without reading", "bob", false, "bob's", false, ""},
		{"the next owner has written nothing into an empty drawing", "bob", false, "", false, ""},
		{"the next owner has written what she had written before", "bob", false, "the-same", false, "the-same"},
		{"its owner has the part again", "alice", true, "alice's second", false, ""},
		{"the checkout has ended by force", "bob", true, "", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ended, did := "with its lease", "wrote"
			if c.force {
				ended = "by force"
			}
			if c.reads {
				did = "read"
				if c.content != "" {
					did += " and wrote"
				}
			}
			o, l := open(t), lab.Lesson{
				Says: "Write overwrote what a later owner of the part relies on",
				Did: fmt.Sprintf("Write for alice began; before it could change the archive, her checkout ended %s; %s checked the part out, and %s",
					ended, c.owner, did),
				Means: "her program woke up, did not know how long it had slept, and the later owner's work is lost", Read: fencing,
			}
			alice := begin(t, o, "lease")
			hers := alice.lock("alice", bracket, "hers")
			if c.before != "" {
				r := alice.Ask("Write hers "+c.before, l)
				lab.RequireNoError(t, r.Returned.Err, l.Say("Write refused who has the part"))
			}
			before, early := read(t, o.drawingsFile()), read(t, o.locks())
			// What will have happened meanwhile is prepared, and put back.
			m := o.manager(lease)
			end := start.Add(lease)
			if c.force {
				end = start
				force(t, m, hers)
			}
			o.setClock(t, end)
			next := lock(t, m, c.owner, bracket)
			lab.Require(t, next.Token > hers.Token, lab.Lesson{
				Says: "Lock gave a token that is not higher than all before it", Did: "Lock for alice; Lock for " + c.owner, Read: once,
			})
			if c.reads {
				mustRead(t, o.archive(m), next, "")
				if o.token(t, part.Key(bracket)) < next.Token {
					l = l.Say("Read left no token, so Write overwrote what a later owner of the part relies on")
				}
			}
			if c.content != "" || !c.reads {
				err := o.archive(m).Write(t.Context(), next, c.content)
				lab.RequireNoError(t, err, l.Say("Write refused who has the part"))
			}
			later, late := read(t, o.drawingsFile()), read(t, o.locks())
			before.put(t, o.drawingsFile())
			early.put(t, o.locks())
			o.setClock(t, start)

			overtaken := false
			r := between(t, alice, "Write hers alice's", o.drawingsFile(), func() {
				if overtaken = isFree(o.locks() + ".lock"); overtaken { // otherwise Write keeps every later owner out until it is done
					o.setClock(t, end)
					late.put(t, o.locks())
					later.put(t, o.drawingsFile())
				}
			}, l)
			if !overtaken {
				lab.RequireNoError(t, r.Returned.Err, l.Say("Write refused who has the part"))
				lab.RequireEqual(t, "alice's", o.drawing(t, part.Key(bracket)), l.Say("Write did not change the drawing"))
				return
			}
			lab.RequireEqual(t, c.content, o.drawing(t, part.Key(bracket)), l)
			requireFenced(t, r.Returned.Err, l.Say("Write did not report that the checkout had ended"))
			l.Means = "each refused Write costs the archive its backup of the generation before"
			lab.RequireFile(t, o.drawingsFile(), string(later), l.Say("Write was refused, and saved the archive nevertheless"))
		})
	}
}

// The program is stopped before each of its system calls, one after the other, and wakes up when its lease is over.
func TestAProgramThatWakesUpCannotWrite(t *testing.T) {
	t.Parallel()
	l := lab.Lesson{
		Says: "Write overwrote what a later owner of the part relies on",
		Did: "Write for alice was stopped before one of its system calls; her lease ended; bob checked the part out, read and wrote; " +
			"her Write went on",
		Means: "her program woke up, did not know how long it had slept, and the later owner's work is lost", Read: fencing,
	}
	o := open(t)
	overtaken := 0
	stride := max(1, 8/lab.Rounds(8))
	for stop := 0; ; stop += stride {
		o.setClock(t, start)
		m := o.manager(lease)
		path := fmt.Sprintf("part-%d.step", stop)
		hers := lock(t, m, "alice", path)
		calls, bobs, hangs, before, call := 0, false, false, "", ""
		done := make(chan struct{})
		var bobFailed, err error
		watched := lab.Watch(func() { err = o.archive(o.manager(lease)).Write(t.Context(), hers, "alice's") }, func(string) {
			if calls++; calls == stop+1 {
				o.setClock(t, start.Add(2*lease))
				go func() { defer close(done); bobs, call, before, bobFailed = overtake(t, o, path) }()
				select {
				case <-done:
				case <-time.After(process.Patience()):
					hangs = true // until the stopped program goes on
				}
			}
		})
		lab.RequireRefuse(t, watched)
		if hangs {
			<-done
			lab.Fail(t, l.Say("Lock or Write waits for a lock that no one has"))
		}
		if bobFailed != nil {
			lab.RequireNoError(t, bobFailed, nextOwnerFails(l, call))
		}
		if bobs {
			overtaken++
			lab.RequireEqual(t, "bob's", o.drawing(t, part.Key(path)), l)
			l := l.Say("Write reported success although it had changed nothing")
			l.Expected, l.Found = "an error that matches ErrFenced", "no error"
			lab.Require(t, err != nil || before == "alice's", l)
		}
		if err != nil {
			requireFenced(t, err, l.Say("Write failed, for another reason than that the checkout has ended"))
		}
		if calls <= stop {
			break
		}
	}
	lab.Require(t, overtaken >= 1, l.Say("Write lets no one work on the archive from its beginning to its end"))
}

// nextOwnerFails is about the call of bob, who was refused.
func nextOwnerFails(l lab.Lesson, call string) lab.Lesson {
	l.Did = "Write for alice was stopped before one of its system calls; her lease ended; " + call + " for bob"
	l.Means = "a part stays with a program that sleeps"
	if call == "Lock" {
		return l.Say("Lock refused a part whose lease had ended")
	}
	return l.Say("%s refused who has the part", call)
}

// overtake has bob check the part out, read and write, and reports whether he came through, his last call, and what he read. He does not
// try while the stopped program has one of the documents' locks, or is next in line: it protects itself.
func overtake(t *testing.T, o office, path string) (through bool, call, before string, err error) {
	for _, document := range []string{o.locks(), o.drawingsFile()} {
		if !isFree(document+".lock") || !isFree(document+".lock.next") {
			return false, "", "", nil
		}
	}
	m := o.manager(lease)
	c, err := m.Lock(t.Context(), "bob", path)
	if err != nil {
		return false, "Lock", "", err
	}
	if before, err = o.archive(m).Read(t.Context(), c); err != nil {
		return false, "Read", before, err
	}
	err = o.archive(m).Write(t.Context(), c, "bob's")
	return err == nil, "Write", before, err
}

// isFree reports whether no program has a lock on the file.
func isFree(path string) bool {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer file.Close()
	handle, err := filelock.New(file)
	if err != nil || handle.TryLock(filelock.Exclusive) != nil {
		return false
	}
	return handle.Unlock() == nil
}
