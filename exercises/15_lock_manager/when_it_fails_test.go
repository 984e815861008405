package lockmanager_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

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
			lab.RequireErrorIs(t, err, context.Canceled, l.Say("%s did not obey its context", c.call))
			lab.RequireEqual(t, lockmanager.Checkout{}, got, l.Say("%s returned a checkout beside its error", c.call))
			lab.RequireFile(t, c.path(o), string(before), l.Say("%s changed the document after its context had ended", c.call))
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
			l.Did = "another program had the document's lock; " + c.call + " with a context that ended meanwhile"
			l.Expected = "an error that matches context.DeadlineExceeded"
			var got lockmanager.Checkout
			var err error
			lab.Finishes(t, func() { got, err = c.make(ctx, o, hers) }, l.Say("%s did not obey its context", c.call))
			lab.RequireErrorIs(t, err, context.DeadlineExceeded, l.Say("%s did not obey its context", c.call))
			lab.RequireEqual(t, lockmanager.Checkout{}, got, l.Say("%s returned a checkout beside its error", c.call))
			holder.Continue()
			lab.RequireSetUp(t, holder.Wait())
			lab.RequireFile(t, c.path(o), string(before), l.Say("%s changed the document after its context had ended", c.call))
			_, err = c.make(t.Context(), o, hers)
			lab.RequireNoError(t, err, l.Say("%s left a lock behind when its context had ended", c.call))
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
				lab.RequireError(t, err, l.Say("%s took a damaged document for a good one", c.call))
				lab.RequireFile(t, c.path(o), string(damaged), l.Say("%s changed a damaged document", c.call))
			})
		}
	}
}
