package lockmanager_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	document "example/turnstile/exercises/13_document"
	lockmanager "example/turnstile/exercises/15_lock_manager"
	"example/turnstile/internal/lab"
)

// A change is a call that changes a document.
type change struct {
	call string
	path func(o office) string // the document that it changes
	make func(ctx context.Context, o office, hers lockmanager.Checkout) (lockmanager.Checkout, error)
}

// changes are made in an office in which alice has bracket.step.
var changes = []change{
	{"Lock", office.locks, func(ctx context.Context, o office, _ lockmanager.Checkout) (lockmanager.Checkout, error) {
		return o.manager(0).Lock(ctx, "bob", "axle.step")
	}},
	{"Unlock", office.locks, func(ctx context.Context, o office, hers lockmanager.Checkout) (lockmanager.Checkout, error) {
		return o.manager(0).Unlock(ctx, hers.Owner, hers.ID, false)
	}},
	{"Write", office.drawingsFile, func(ctx context.Context, o office, hers lockmanager.Checkout) (lockmanager.Checkout, error) {
		return lockmanager.Checkout{}, o.archive(o.manager(0)).Write(ctx, hers, "hers")
	}},
}

func (c change) lesson() lab.Lesson {
	return lab.Lesson{Says: c.call + " failed", Did: c.call, Means: "the caller believes what is not so", Read: failures}
}

func TestAContextEndsTheWait(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		t.Run(c.call+" before it begins", func(t *testing.T) {
			t.Parallel()
			o := open(t)
			hers := lock(t, o.manager(0), "alice", bracket)
			before := read(t, c.path(o))
			ctx, stop := context.WithCancel(t.Context())
			stop()
			l := c.lesson()
			l.Did, l.Expected = c.call+" with a context that had ended", "an error that matches context.Canceled"
			got, err := c.make(ctx, o, hers)
			lab.RequireErrorIs(t, err, context.Canceled, says(l, "%s did not obey its context", c.call))
			lab.RequireEqual(t, lockmanager.Checkout{}, got, says(l, "%s returned a checkout beside its error", c.call))
			lab.RequireFile(t, c.path(o), string(before), says(l, "%s changed the document after its context had ended", c.call))
		})
		t.Run(c.call+" while it waits", func(t *testing.T) {
			t.Parallel()
			o := open(t)
			hers := lock(t, o.manager(0), "alice", bracket)
			before := read(t, c.path(o))
			holder := lab.Start(t, "view", c.path(o))
			holder.Reached("inside")
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer stop()
			l := c.lesson()
			l.Did, l.Expected = "another program had the document's lock; "+c.call+" with a context that ended meanwhile", "an error that matches context.DeadlineExceeded"
			var got lockmanager.Checkout
			var err error
			lab.Finishes(t, func() { got, err = c.make(ctx, o, hers) }, says(l, "%s did not obey its context", c.call))
			lab.RequireErrorIs(t, err, context.DeadlineExceeded, says(l, "%s did not obey its context", c.call))
			lab.RequireEqual(t, lockmanager.Checkout{}, got, says(l, "%s returned a checkout beside its error", c.call))
			holder.Continue()
			lab.RequireSetUp(t, holder.Wait())
			lab.RequireFile(t, c.path(o), string(before), says(l, "%s changed the document after its context had ended", c.call))
			_, err = c.make(t.Context(), o, hers)
			lab.RequireNoError(t, err, says(l, "%s left a lock behind when its context had ended", c.call))
		})
	}
}

// The document is damaged, by whatever means. It must not be taken for an empty one, nor be repaired by a guess.
func TestADamagedDocumentStaysAsItIs(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		for name, cut := range map[string]func(edition) edition{
			"cut off": func(e edition) edition { return e[:len(e)/2] }, "empty": func(edition) edition { return nil },
		} {
			t.Run(c.call+" of a document that is "+name, func(t *testing.T) {
				t.Parallel()
				o := open(t)
				hers := lock(t, o.manager(0), "alice", bracket)
				damaged := cut(read(t, c.path(o)))
				damaged.put(t, c.path(o))
				_, err := c.make(t.Context(), o, hers)
				l := c.lesson()
				l.Did = c.call + "; " + filepath.Base(c.path(o)) + " was " + name
				lab.RequireError(t, err, says(l, "%s took a damaged document for a good one", c.call))
				lab.RequireFile(t, c.path(o), string(damaged), says(l, "%s changed a damaged document", c.call))
			})
		}
	}
}

// The last fsync(2) of a change is that of the directory: the new document is in place by then.
func TestAChangeThatMayBeLostIsReported(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				o := open(t)
				hers := lock(t, o.manager(0), "alice", bracket)
				first := read(t, c.path(o))
				var got lockmanager.Checkout
				var err error
				call := func() { got, err = c.make(context.Background(), o, hers) }
				l := c.lesson()
				var names []string
				for range 2 { // the second one's calls are those of all that come after it
					var refused error
					names, refused = lab.RefuseOne(1000, errno, call)
					lab.RequireRefuse(t, refused)
					lab.RequireNoError(t, err, l)
					first.put(t, c.path(o))
				}

				last := -1
				for i, name := range names {
					if name == "fsync" {
						last = i
					}
				}
				_, refused := lab.RefuseOne(last, errno, call)
				lab.RequireRefuse(t, refused)
				l.Did = fmt.Sprintf("%s; the kernel refused the last fsync, of the directory, with %v", c.call, errno)
				l.Expected = "an error that matches document.ErrNotDurable"
				lab.RequireErrorIs(t, err, document.ErrNotDurable, says(l, "%s hid that its change may not survive a power cut", c.call))
				lab.RequireErrorIs(t, err, errno, says(l, "%s hid the reason of its failure", c.call))
				l.Expected, l.Found = "the checkout, beside the error", fmt.Sprintf("%+v", got)
				lab.Require(t, c.call == "Write" || got.ID != "", says(l, "%s kept the checkout to itself, although the change had been made", c.call))
			}, syscall.EIO, syscall.EMFILE)
		})
	}
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
			l := lab.Lesson{Did: "Lock; then the kernel refused to write more than 10 bytes into a file; " + order, Means: "the caller believes what is not so", Read: failures}
			if r := p.Ask("limit 10", l); errors.Is(r.Returned.Err, errors.ErrUnsupported) {
				t.Skip("this system has no limit for the size of files")
			}
			r := p.Ask(withID(order, hers.ID), says(l, "%s waits for ever", call))
			lab.RequireErrorIs(t, r.Returned.Err, syscall.EFBIG, says(l, "%s did not report that the kernel had refused the write", call))
			lab.RequireFile(t, path, string(before), says(l, "%s changed the document although it failed", call))
			lab.RequireEqual(t, lockmanager.Checkout{}, checkoutOf(t, r), says(l, "%s returned a checkout beside its error", call))
			other := begin(t, o)
			l.Did += "; then another program did the same"
			if call != "Write" {
				r = other.Ask(withID(order, hers.ID), says(l, "%s left a lock behind when it failed", call))
				lab.RequireNoError(t, r.Returned.Err, says(l, "%s left something behind that stands in the way", call))
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
		l := lab.Lesson{Did: "alice had a part; the disk (" + kind + ") was full; Lock for bob", Means: "a record is left that no one can break", Read: failures}
		_, err := m.Lock(t.Context(), "bob", "axle.step")
		lab.RequireErrorIs(t, err, syscall.ENOSPC, says(l, "Lock did not report that the disk is full"))
		lab.RequireFile(t, o.locks(), string(before), says(l, "Lock changed the document although it failed"))
		l.Did = "alice had a part; the disk (" + kind + ") was full; Unlock; then there was room; Unlock"
		_, err = m.Unlock(t.Context(), "alice", hers.ID, false)
		if err != nil {
			lab.RequireErrorIs(t, err, syscall.ENOSPC, says(l, "Unlock did not report that the disk is full"))
			lab.RequireFile(t, o.locks(), string(before), says(l, "Unlock changed the document although it failed"))
			lab.RequireSetUp(t, os.Remove(filler))
			unlock(t, m, hers)
		}
		o.requireCheckouts(t, "no checkout", says(l, "Unlock left a checkout that it had given back"))
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
