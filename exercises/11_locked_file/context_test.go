package lockedfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	lockedfile "example/turnstile/exercises/11_locked_file"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestOpenFileStopsWaitingWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	t.Run("while it waits", func(t *testing.T) {
		t.Parallel()
		for _, flags := range []string{"r+", "r", "w"} {
			path := lab.WriteFile(t, "checkouts.json", document)
			a, b := start(t, path), start(t, path)
			before := b.Handles()
			l := lab.Lesson{
				Says:  "OpenFile does not stop waiting when its context ends",
				Did:   "a process had the file open; another one called OpenFile (" + flags + "); its context was cancelled",
				Means: "a request that its client has given up waits on, and so does the shutdown of the server", Read: waiting,
			}
			a.get("OpenFile first r+")
			b.tell("go waiter "+flags+" 3", l)
			requireBlocked(b, path, l)
			b.tell("cancel waiter", l)
			b.Send("ended waiter")
			err := b.Reply(l).Returned.Err
			lab.RequireError(t, err, l)
			another := l.Say("OpenFile did not report that its context had ended")
			another.Means = "the caller, who asks for ctx.Err(), takes it for a failure of the disk"
			lab.RequireErrorIs(t, err, context.Canceled, another)
			wrong := l.Say("OpenFile returned an error that matches ErrLocked: it was to wait")
			wrong.Expected, wrong.Found = "an error that matches context.Canceled, and not ErrLocked", fmt.Sprint(err)
			wrong.Means = "a caller that tries again when it meets ErrLocked goes on with what its client has given up"
			lab.Require(t, !errors.Is(err, lockedfile.ErrLocked), wrong)
			requireNamed(t, err, "OpenFile", l)
			a.requireContent("first", document, l.Say("OpenFile emptied the file although its context had ended"))
			l.Did += "; then the first called Close, and opened the file again"
			l.Says, l.Means = "OpenFile kept a lock although its context had ended", "everyone waits for an owner that does not exist"
			a.get("Close first")
			for _, program := range []program{a, b} {
				requireReturns(program, "OpenFile again r+", l)
				program.tell("Close again", l) // a wait that was left may not have had its turn yet
			}
			requireReturns(a, "OpenFile again r", l)
			a.requireContent("again", document, l.Say("OpenFile emptied the file after its context had ended"))
			a.get("Close again")
			requireHandles(t, b, before, l.Say("OpenFile left the file open when its context ended"))
		}
	})
	t.Run("and delays no reader", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		a, b := start(t, path), start(t, path)
		l := lab.Lesson{
			Says: "OpenFile waits for a call of its own program that has given up",
			Did: "a process had the file open (r); another one called OpenFile (r+); its context was cancelled; " +
				"then it called OpenFile (r), while the first still had the file open",
			Means: "all who could read wait for an owner who does not exist, until the last reader has closed the file", Read: waiting,
		}
		a.get("OpenFile first r")
		b.tell("go writer r+ 1", l)
		requireBlocked(b, path, l)
		b.tell("cancel writer", l)
		err := b.Tell("ended writer", l).Returned.Err
		lab.RequireErrorIs(t, err, context.Canceled, l.Say("OpenFile does not stop waiting when its context ends"))
		b.tell("OpenFile it r", l)
		a.Succeed("OpenFile other r", l.Say("OpenFile kept a lock although its context had ended"))
	})
	t.Run("a thousand times", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		a, b := start(t, path), start(t, path)
		before := b.Handles()
		n := lab.Rounds(300)
		l := lab.Lesson{
			Says:  "OpenFile does not report that its time was over",
			Did:   "a process had the file open; another one called OpenFile many times, for a millisecond each",
			Means: "it goes in beside the owner, or waits on", Read: waiting,
		}
		a.get("OpenFile first r+")
		b.tell("timeouts r+ "+strconv.Itoa(n), l)
		l.Says = "OpenFile leaves a handle open each time its time is over"
		l.Means = "the program runs out of handles or threads while the file is busy"
		if open := b.Handles(); open > before+2 {
			l.Expected, l.Found = "two handles more at most, for the kernel's own wait", strconv.Itoa(open-before)+" more"
			lab.Fail(t, l)
		}
		a.get("Close first")
		requireReturns(b, "OpenFile again r+", l.Say("OpenFile kept a lock although its time was over"))
		b.tell("Close again", l)
		requireHandles(t, b, before, l)
	})
	t.Run("before it begins", beforeItBegins)
	t.Run("and not after it has the file", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.json", document)
		p := start(t, path)
		requireLocks(t)
		ctx, cancel := context.WithCancel(t.Context())
		file, err := lockedfile.OpenFile(ctx, path, os.O_RDWR, 0)
		l := lab.Lesson{
			Says:  "OpenFile gave the lock back when its context ended, after it had returned",
			Did:   "OpenFile; then its context was cancelled; then another process called TryOpenFile",
			Means: "the owner writes on, and another owner is inside", Read: waiting,
		}
		lab.RequireNoError(t, err, l.Say("OpenFile failed although nothing stood in its way"))
		lab.RequireNotNil(t, file, "OpenFile", l)
		cancel()
		p.refused("TryOpenFile second r", l)
		time.Sleep(time.Millisecond) // gives what a cancel has started a chance to do harm; decides nothing
		p.refused("TryOpenFile second r", l)
		_, err = file.WriteAt([]byte("x"), 0)
		lab.RequireNoError(t, err, l.Say("OpenFile closed the file when its context ended, after it had returned"))
		lab.RequireNoError(t, file.Close(), l)
		late := &untilEmptied{path: path}
		late.Context, late.cancel = context.WithCancel(t.Context())
		file, err = lockedfile.OpenFile(late, path, os.O_RDWR|os.O_TRUNC, 0)
		l.Says = "OpenFile emptied the file, and returned the error of its context"
		l.Did = "OpenFile with O_TRUNC; its context ended after the truncate"
		l.Means = "the old document is gone, and the caller, who was refused, does not write a new one"
		lab.RequireNoError(t, err, l)
		lab.RequireNoError(t, file.Close(), l)
	})
}

func beforeItBegins(t *testing.T) {
	t.Parallel()
	requireLocks(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTest) // of which the error need not tell
	path := lab.WriteFile(t, "checkouts.json", document)
	l := lab.Lesson{
		Says: "OpenFile went on although its context had ended before", Did: "OpenFile with a context that had ended, of a file that was free",
		Means: "a request that its client has given up is carried out all the same", Read: waiting,
	}
	_, err := lockedfile.OpenFile(ctx, path, os.O_RDWR|os.O_TRUNC, 0)
	lab.RequireError(t, err, l)
	l.Means = "the caller, who asks for ctx.Err(), takes it for a failure of the disk; context.Cause may be any error"
	lab.RequireErrorIs(t, err, context.Canceled, l.Say("OpenFile did not report that its context had ended before"))
	lab.RequireFile(t, path, document, l)
	requireNamed(t, named(err, path), "OpenFile", l)
	for _, flags := range []string{"a", "rc", "w+", "r+", "r"} {
		missing := lab.Path(t, "checkouts.json")
		l.Did = "OpenFile (" + flags + ") with a context that had ended, of a file that did not exist"
		_, err := lockedfile.OpenFile(ctx, missing, flagsOf(flags), 0o600)
		l.Means = "a request that its client has given up leaves an empty document behind"
		lab.RequireNoFile(t, missing, l.Say("OpenFile created a file although its context had ended before"))
		l.Means = "a request that its client has given up is reported as a missing file"
		lab.RequireErrorIs(t, err, context.Canceled, l.Say("OpenFile did not report that its context had ended before"))
		requireNamed(t, named(err, missing), "OpenFile", l)
	}
}

// untilEmptied is a context that ends when it is asked for its error after the file has been emptied.
type untilEmptied struct {
	context.Context //nolint:containedctx // it is one
	cancel          context.CancelFunc
	path            string
}

func (c *untilEmptied) Err() error {
	if info, err := os.Stat(c.path); err == nil && info.Size() == 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// requireBlocked demands that a goroutine of the program waits, while the program itself obeys orders.
func requireBlocked(p program, path string, l lab.Lesson) {
	p.t.Helper()
	if runtime.GOOS == "linux" { // elsewhere no system tells
		lab.RequireWaiters(p.t, path, 1, l.Say("OpenFile does not wait in the kernel"), p.Process)
	}
}

// requireReturns is for an order that may wait until a wait of the same process that was given up has ended.
func requireReturns(p program, order string, l lab.Lesson) {
	p.t.Helper()
	p.Send(order)
	lab.RequireNoError(p.t, p.Reply(l).Returned.Err, l)
}

// requireHandles demands that the program has as many open handles as before, as soon as what it has let go of is closed.
func requireHandles(t *testing.T, p program, want int, l lab.Lesson) {
	t.Helper()
	got := p.Handles()
	for deadline := time.Now().Add(process.Patience()); got != want && time.Now().Before(deadline); got = p.Handles() {
		time.Sleep(time.Millisecond) // decides only how soon it is seen
	}
	lab.RequireEqual(t, want, got, l)
}
