package lockmanager_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
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
	make func(ctx context.Context, o office, m *lockmanager.Manager, hers lockmanager.Checkout) (lockmanager.Checkout, error)
}

// changes are made in an office in which alice has bracket.step.
var changes = []change{
	{"Lock", office.locks, func(ctx context.Context, _ office, m *lockmanager.Manager, _ lockmanager.Checkout) (lockmanager.Checkout, error) {
		return m.Lock(ctx, "bob", "axle.step")
	}},
	{"Unlock", office.locks, func(
		ctx context.Context, _ office, m *lockmanager.Manager, hers lockmanager.Checkout,
	) (lockmanager.Checkout, error) {
		return m.Unlock(ctx, hers.Owner, hers.ID, false)
	}},
	{"Write", office.drawingsFile, func(
		ctx context.Context, o office, m *lockmanager.Manager, hers lockmanager.Checkout,
	) (lockmanager.Checkout, error) {
		return lockmanager.Checkout{}, o.archive(m).Write(ctx, hers, "hers")
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
			got, err := c.make(ctx, o, o.manager(0), hers)
			lab.RequireErrorIs(t, err, context.Canceled, l.Say("%s did not obey its context", c.call))
			lab.RequireEqual(t, lockmanager.Checkout{}, got, l.Say("%s returned a checkout beside its error", c.call))
			lab.RequireFile(t, c.path(o), string(before), l.Say("%s changed the document after its context had ended", c.call))
		})
		// At whatever moment the context ends, the error says whether the change has been made.
		t.Run(c.call+" while it is at work", func(t *testing.T) {
			t.Parallel()
			for look, ended := 1, true; ended && look < 50; look++ {
				o := open(t)
				hers := lock(t, o.manager(0), "alice", bracket)
				before := read(t, c.path(o))
				ctx := ending(t.Context(), look)
				got, err := c.make(ctx, o, o.manager(0), hers)
				ended = ctx.Context.Err() != nil
				if err == nil {
					continue
				}
				l := c.lesson()
				l.Did = fmt.Sprintf("%s, whose context ended when it was looked at for the %d. time", c.call, look)
				if !errors.Is(err, document.ErrSaved) {
					l.Expected, l.Found = "the document as it was, or an error that matches document.ErrSaved", "a changed document, and "+err.Error()
					_, _ = o.checkouts(t), o.drawing(t, "") // waits for what it has left at work
					now := read(t, c.path(o))
					lab.Require(t, string(before) == string(now), l.Say("%s failed, and still changed the document", c.call))
					l.Expected, l.Found = "", ""
					lab.RequireErrorIs(t, err, context.Canceled, l.Say("%s hid the reason of its failure", c.call))
					lab.RequireEqual(t, lockmanager.Checkout{}, got, l.Say("%s returned a checkout beside its error", c.call))
				}
			}
		})
	}
}

// When the context ends while the change is at work, the call waits for its end: what it returns is final.
func TestACallWaitsForWhatItHasBegun(t *testing.T) {
	t.Parallel()
	for _, c := range changes[:2] { // those that read the clock in their change
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			for reading := int32(1); reading < 5; reading++ {
				o := open(t)
				hers := lock(t, o.manager(0), "alice", bracket)
				before := read(t, c.path(o))
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				returned, read := make(chan struct{}), make(chan struct{})
				var calls atomic.Int32
				m := lockmanager.New(o.locks(), lockmanager.Options{Now: func() time.Time {
					if calls.Add(1) == reading {
						defer close(read)
						stop()
						select {
						case <-returned: // and left this at work
						case <-time.After(100 * time.Millisecond):
						}
					}
					return start
				}})
				_, err := c.make(ctx, o, m, hers)
				close(returned)
				if ctx.Err() == nil { // it does not read the clock so often
					break
				}
				<-read
				o.checkouts(t) // waits for what is still at work
				if err != nil && !errors.Is(err, document.ErrSaved) {
					l := c.lesson()
					l.Did = fmt.Sprintf("%s, whose context ended when it read the clock for the %d. time", c.call, reading)
					lab.RequireFile(t, c.path(o), string(before), l.Say("%s reported a failure, and made its change after that", c.call))
				}
			}
		})
	}
}

// It is not parallel: what waits where it does not look at its context would keep other tests waiting, too.
func TestAContextEndsTheWaitForTheDocument(t *testing.T) {
	for _, c := range changes {
		t.Run(c.call, func(t *testing.T) {
			o := open(t)
			hers := lock(t, o.manager(0), "alice", bracket)
			before := read(t, c.path(o))
			holder := lab.Start(t, "view", c.path(o))
			holder.Reached("inside")
			l := c.lesson()
			l.Did = fmt.Sprintf("another program had the document's lock; %s waited for it, and %[1]s again, with a context that ended meanwhile",
				c.call)
			m := o.manager(0)
			longer, stopFirst := context.WithCancel(t.Context())
			first := waiting(longer)
			returned := make(chan struct{})
			go func() { defer close(returned); _, _ = c.make(first, o, m, hers) }()
			defer stopFirst()
			select { // a call that has a context of its own is seen below
			case <-first.asked:
			case <-time.After(time.Second):
			}
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer stop()
			l.Expected = "an error that matches context.DeadlineExceeded"
			var got lockmanager.Checkout
			var err error
			lab.Finishes(t, func() { got, err = c.make(ctx, o, m, hers) }, l.Say("%s did not obey its context", c.call))
			lab.RequireErrorIs(t, err, context.DeadlineExceeded, l.Say("%s did not obey its context", c.call))
			lab.RequireEqual(t, lockmanager.Checkout{}, got, l.Say("%s returned a checkout beside its error", c.call))
			stopFirst()
			lab.Finishes(t, func() { <-returned }, l.Say("%s did not obey its context", c.call))
			holder.Continue()
			lab.RequireSetUp(t, holder.Wait())
			lab.RequireFile(t, c.path(o), string(before), l.Say("%s changed the document after its context had ended", c.call))
			_, err = c.make(t.Context(), o, m, hers)
			lab.RequireNoError(t, err, l.Say("%s left a lock behind when its context had ended", c.call))
		})
	}
}

// A fuse is a context that ends when it is looked at for the last time of a number.
type fuse struct {
	context.Context
	end  func()
	left atomic.Int64
}

func ending(parent context.Context, looks int) *fuse {
	ctx, end := context.WithCancel(parent)
	f := &fuse{Context: ctx, end: end}
	f.left.Store(int64(looks))
	return f
}

func (f *fuse) burn() {
	if f.left.Add(-1) == 0 {
		f.end()
	}
}

func (f *fuse) Done() <-chan struct{} { f.burn(); return f.Context.Done() }
func (f *fuse) Err() error            { f.burn(); return f.Context.Err() }

// The clock is the caller's, and may panic: net/http, for one, goes on after that.
func TestAPanicLeavesNothingLocked(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Lock", "Unlock", "Write"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			for reading := 1; reading < 5; reading++ { // a call that looks and then acts reads it more than once
				p := begin(t, open(t)) // what stays locked stops no other test
				hers := p.lock("alice", bracket, "hers")
				order := map[string]string{"Lock": "Lock bob axle.step it", "Unlock": "Unlock alice " + hers.ID, "Write": "Write hers hers"}[call]
				l := lab.Lesson{
					Did: fmt.Sprintf("%s, in which the clock panicked when it was read for the %d. time, and the caller recovered; %[1]s again",
						call, reading),
					Means: "one mistake in one request stops all that come after it", Read: failures,
				}
				lab.RequireNoError(t, p.Do(fmt.Sprint("break-clock ", reading), l), l)
				if r := p.Ask(order, l.Say("%s waits for ever", call)); r.Returned.Err == nil { // it has not read the clock so often
					break
				}
				r := p.Ask(order, l.Say("%s left something locked when the clock panicked", call))
				lab.RequireNoError(t, r.Returned.Err, l.Say("%s left something behind when the clock panicked", call))
			}
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
				_, err := c.make(t.Context(), o, o.manager(0), hers)
				l := c.lesson()
				l.Did = c.call + "; " + filepath.Base(c.path(o)) + " was " + name
				lab.RequireError(t, err, l.Say("%s took a damaged document for a good one", c.call))
				lab.RequireFile(t, c.path(o), string(damaged), l.Say("%s changed a damaged document", c.call))
			})
		}
	}
}
