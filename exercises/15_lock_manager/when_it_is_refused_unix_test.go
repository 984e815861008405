//go:build unix

package lockmanager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	document "example/turnstile/exercises/13_document"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/internal/lab"
)

// The last fsync(2) of a change is that of the directory: the new document is in place by then.
func TestAChangeThatMayBeLostIsReported(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				l := c.lesson()
				r := startRefuser(t, c)
				usual := r.calls()
				got, err := r.refusedAt(usual, lastIndex(usual, "fsync"), errno)
				l.Did = fmt.Sprintf("%s; the kernel refused the last fsync, of the directory, with %v", c.call, errno)
				l.Expected = "an error that matches document.ErrNotDurable"
				lab.RequireErrorIs(t, err, document.ErrNotDurable, l.Say("%s hid that its change may not survive a power cut", c.call))
				lab.RequireErrorIs(t, err, errno, l.Say("%s hid the reason of its failure", c.call))
				l.Expected, l.Found = "the checkout, beside the error", fmt.Sprintf("%+v", got)
				lab.Require(t, c.call == "Write" || got.ID != "", l.Say("%s kept the checkout to itself, although the change had been made", c.call))
			}, syscall.EIO, syscall.EMFILE)
		})
		t.Run(c.call+", and then the lock could not be given back", func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, c.requireSaved, syscall.EIO)
		})
	}
}

// requireSaved demands that the call reports its change, although the lock could not be given back. Its last calls close files, and one of
// them is the document's lock file.
func (c change) requireSaved(t *testing.T, errno error) {
	l := c.lesson()
	l.Did = fmt.Sprintf("%s; when its change was made, close(2) of the document's lock file failed with %v", c.call, errno)
	reported := false
	r := startRefuser(t, c)
	names := r.calls()
	for at := len(names) - 1; at >= 0 && names[at] == "close"; at-- {
		got, err := r.refusedAt(names, at, errno)
		if err == nil { // a file that it has only read
			continue
		}
		reported = true
		l.Expected = "an error that matches document.ErrSaved"
		lab.RequireErrorIs(t, err, document.ErrSaved, l.Say("%s hid that its change had been made", c.call))
		lab.RequireErrorIs(t, err, errno, l.Say("%s hid the reason of its failure", c.call))
		l.Expected, l.Found = "the checkout, beside the error", fmt.Sprintf("%+v", got)
		lab.Require(t, c.call == "Write" || got.ID != "", l.Say("%s kept the checkout to itself, although the change had been made", c.call))
		l.Expected, l.Found = "", ""
	}
	lab.Require(t, reported, l.Say("%s hid that the lock could not be given back", c.call))
}

// calls returns the calls of the change when none is refused.
func (r refuser) calls() []string {
	r.t.Helper()
	names, _, err := r.refused(math.MaxInt, syscall.EIO)
	lab.RequireNoError(r.t, err, r.change.lesson())
	if lastIndex(names, "fsync") < 0 {
		r.t.Skipf("%s does not save in the goroutine of its caller, the only one whose calls can be refused one by one", r.change.call)
	}
	return names
}

// refusedAt makes the change while the kernel refuses the call with this index in usual.
func (r refuser) refusedAt(usual []string, at int, errno error) (got lockmanager.Checkout, err error) {
	r.t.Helper()
	names, got, err := r.refused(at, errno)
	if at >= len(names) || !slices.Equal(usual[:at+1], names[:at+1]) {
		r.t.Skipf("%s does not make the same calls each time, so none can be chosen to be refused: %s; %s", r.change.call,
			strings.Join(usual, " "), strings.Join(names, " "))
	}
	return got, err
}

// A refuser makes a change again and again, each time in a new office, as what is not closed stays locked. It does so in a process that
// starts no others: a program that is being started has all files open for a moment, so a change that comes then may find a lock taken.
type refuser struct {
	lab.Program
	t      *testing.T
	change change
}

func startRefuser(t *testing.T, c change) refuser {
	t.Helper()
	waits := func(_ string, l lab.Lesson) lab.Lesson { return stuck(c.call, l) }
	return refuser{lab.StartProgram(t, lab.Options{}, waits, "refuser", c.call), t, c}
}

// refused makes the change while the kernel refuses call number at. With more than the change makes, none is refused.
func (r refuser) refused(at int, errno error) (names []string, got lockmanager.Checkout, err error) {
	t := r.t
	t.Helper()
	number, _ := errors.AsType[syscall.Errno](errno)
	reply := r.Ask(fmt.Sprintf("%s %d %d", open(t).dir, at, int(number)), r.change.lesson())
	if reply.Text == "" {
		lab.RequireNoError(t, reply.Returned.Err, r.change.lesson().Say("Lock failed although the part was free"))
	}
	var seen refusal
	lab.RequireSetUp(t, json.Unmarshal([]byte(reply.Text), &seen))
	if seen.Unsupported != "" {
		t.Skip(seen.Unsupported)
	}
	return seen.Calls, seen.Got, reply.Returned.Err
}

type refusal struct {
	Calls       []string
	Got         lockmanager.Checkout
	Unsupported string // why this system cannot refuse one call
}

func init() { workers["refuser"] = refuse }

// refuse obeys "DIR AT ERRNO" with the change CALL in the office at DIR, in which alice takes bracket.step before: CALL.
func refuse(w *lab.Worker) error {
	c := changes[slices.IndexFunc(changes, func(c change) bool { return c.call == w.Arg(0) })]
	return lab.Obey(w, func(words []string) (r lab.Reply) {
		o, ctx := office{dir: words[0]}, context.Background()
		at, err := strconv.Atoi(words[1])
		errno, err2 := strconv.Atoi(words[2])
		hers, err3 := o.manager(0).Lock(ctx, "alice", bracket)
		if r.Returned.Err = errors.Join(err, err2, err3); r.Returned.Err == nil {
			var seen refusal
			names, failed := lab.RefuseOne(at, syscall.Errno(errno), func() { seen.Got, r.Returned.Err = c.make(ctx, o, o.manager(0), hers) })
			switch {
			case errors.Is(failed, errors.ErrUnsupported):
				seen.Unsupported = failed.Error()
			case failed != nil:
				panic(failed) // of c.make, or a fault of this test
			}
			seen.Calls = names
			text, err := json.Marshal(seen)
			r.Text, r.Returned.Err = string(text), errors.Join(r.Returned.Err, err)
		}
		return r
	})
}

// lastIndex returns -1 if there is none.
func lastIndex(names []string, name string) int {
	for i, n := range slices.Backward(names) {
		if n == name {
			return i
		}
	}
	return -1
}

// A refused write changes nothing, and what was recorded before can be given back when there is room.
func TestARefusedWriteChangesNothing(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"Lock bob axle.step it", "Unlock alice ID", "Write hers hers"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			p := begin(t, o)
			hers := p.lock("alice", bracket, "hers")
			path, call := o.locks(), callOf(order)
			if call == "Write" {
				path = o.drawingsFile()
			}
			before := read(t, path)
			l := lab.Lesson{
				Did:   "Lock; then the kernel refused to write more than 10 bytes into a file; " + order,
				Means: "the caller believes what is not so", Read: failures,
			}
			if r := p.Ask("limit 10", l); errors.Is(r.Returned.Err, errors.ErrUnsupported) {
				t.Skip("this system has no limit for the size of files")
			}
			r := p.Ask(withID(order, hers.ID), l.Say("%s waits for ever", call))
			lab.RequireErrorIs(t, r.Returned.Err, syscall.EFBIG, l.Say("%s did not report that the kernel had refused the write", call))
			lab.RequireFile(t, path, string(before), l.Say("%s changed the document although it failed", call))
			lab.RequireEqual(t, lockmanager.Checkout{}, checkoutOf(t, r), l.Say("%s returned a checkout beside its error", call))
			other := begin(t, o)
			l.Did += "; then another program did the same"
			if call != "Write" {
				r = other.Ask(withID(order, hers.ID), l.Say("%s left a lock behind when it failed", call))
				lab.RequireNoError(t, r.Returned.Err, l.Say("%s left something behind that stands in the way", call))
			}
		})
	}
	t.Run("on a full disk", func(t *testing.T) {
		t.Parallel()
		dir, kind := lab.SmallDisk(t, 256<<10)
		o := office{dir: dir}
		o.setClock(t, start)
		m := o.manager(0)
		lab.RequireSetUp(t, m.Create(t.Context()))
		hers := lock(t, m, "alice", bracket)
		before := read(t, o.locks())
		filler := filepath.Join(dir, "filler")
		fill(t, filler)
		l := lab.Lesson{
			Did:   "alice had a part; the disk (" + kind + ") was full; Lock for bob",
			Means: "a record is left that no one can break", Read: failures,
		}
		_, err := m.Lock(t.Context(), "bob", "axle.step")
		lab.RequireErrorIs(t, err, syscall.ENOSPC, l.Say("Lock did not report that the disk is full"))
		lab.RequireFile(t, o.locks(), string(before), l.Say("Lock changed the document although it failed"))
		l.Did = "alice had a part; the disk (" + kind + ") was full; Unlock; then there was room; Unlock"
		_, err = m.Unlock(t.Context(), "alice", hers.ID, false)
		if err != nil {
			lab.RequireErrorIs(t, err, syscall.ENOSPC, l.Say("Unlock did not report that the disk is full"))
			lab.RequireFile(t, o.locks(), string(before), l.Say("Unlock changed the document although it failed"))
			lab.RequireSetUp(t, os.Truncate(filler, 0)) // a child that is being started may have an unlinked one open
			unlock(t, m, hers)
		}
		o.requireCheckouts(t, "no checkout", l.Say("Unlock left a checkout that it had given back"))
	})
}

// fill writes into the file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	lab.RequireSetUp(t, err)
	defer file.Close()
	for size := 4096; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

func callOf(order string) string {
	var call string
	_, _ = fmt.Sscan(order, &call)
	return call
}

func withID(order, id string) string {
	if callOf(order) == "Unlock" {
		return "Unlock alice " + id
	}
	return order
}
