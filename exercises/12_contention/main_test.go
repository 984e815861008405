package contention_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example/turnstile/exercises/08_flock/bins"
	contention "example/turnstile/exercises/12_contention"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/process"
)

func TestMain(m *testing.M) {
	lab.Main(m, workers, contention.ErrSameShelf, errTest, errNothing)
}

// workers of files with build tags are added in their init.
var workers = lab.Workers{"desk": desk, "carry": carry, "crowd": crowd}

// Where the messages send the reader.
const (
	why       = `lessons/12_contention, "Why it happens"`
	fix       = `lessons/12_contention, "The fix"`
	asking    = `lessons/12_contention, "Asking again, or waiting"`
	barging   = `lessons/12_contention, "Barging"`
	readers   = `lessons/12_contention, "Readers and writers"`
	giveUp    = `lessons/12_contention, "Giving up"`
	circles   = `lessons/12_contention, "Waiting in a circle"`
	twoNames  = `lessons/12_contention, "The order, and who agrees on it"`
	itself    = `lessons/12_contention, "Waiting for oneself"`
	turnstile = `lessons/12_contention, "The files of the line"`
	bothFiles = `lessons/12_contention, "Two files are not one"`
)

var (
	errTest    = errors.New("the test's own error")
	errCause   = errors.New("the cause of the context's end, which is not its error")
	errNothing = errors.New("neither a lock nor an error was returned")
)

var locks = map[string]func(context.Context, string) (*contention.Held, error){"Lock": contention.Lock, "RLock": contention.RLock}

// A call is a Lock, an RLock or a Transfer that has begun. held and err are there once over is closed.
type call struct {
	stop context.CancelCauseFunc
	held *contention.Held
	err  error
	over chan struct{}
}

func (c *call) end() error {
	<-c.over
	return c.err
}

func (c *call) isOver() bool {
	select {
	case <-c.over:
		return true
	default:
		return false
	}
}

// desk is a program that locks the file at PATH.
func desk(w *lab.Worker) error {
	calls := map[string]*call{}
	return lab.Obey(w, func(words []string) (r lab.Reply) {
		if words[0] == "over" {
			if c := calls[words[1]]; c.isOver() {
				r.N, r.Returned.Err = 1, c.err
			}
			return r
		}
		r.Returned.Err = obey(words, w.Arg(0), calls)
		return r
	})
}

// obey obeys
//
//	Lock NAME, RLock NAME            and keeps the lock under the name; "Lock NAME PATH" for another path
//	Transfer NAME FROM TO            of one bracket
//	start …                          begins one of these, and does not wait for it
//	start-late …, start-ended …      with a context that ends soon, or has ended already
//	start-limited …                  with a context that has much time
//	                                 (each context that ends has a cause, which is not its error)
//	over NAME                        N is 1 if it is over, and the error is what it returned
//	end NAME                         waits for what has begun
//	cancel NAME                      ends its context
//	Unlock NAME
//	again NAME                       Unlock, and Lock at once
//	leave, leave DIR                 (the directory, for another one)
//	collect                          the garbage
//	few NAME N                       no handle may have a greater number than N from now on
func obey(words []string, path string, calls map[string]*call) error {
	name := ""
	if len(words) > 1 {
		name = words[1]
	}
	switch words[0] {
	case "start":
		calls[words[2]] = begin(context.Background(), words[1:], path)
	case "start-late":
		ctx, stop := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, errCause)
		context.AfterFunc(ctx, stop)
		calls[words[2]] = begin(ctx, words[1:], path)
	case "start-limited":
		ctx, stop := context.WithTimeout(context.Background(), time.Hour)
		context.AfterFunc(ctx, stop)
		calls[words[2]] = begin(ctx, words[1:], path)
	case "start-ended":
		ctx, stop := context.WithCancelCause(context.Background())
		stop(errCause)
		calls[words[2]] = begin(ctx, words[1:], path)
	case "end":
		return calls[name].end()
	case "cancel":
		calls[name].stop(errCause)
	case "Unlock":
		return calls[name].held.Unlock()
	case "again":
		if err := calls[name].held.Unlock(); err != nil {
			return err
		}
		calls[name] = begin(context.Background(), []string{"Lock", name}, path)
		return calls[name].end()
	case "collect":
		lab.CollectGarbage()
	case "few":
		n, err := strconv.Atoi(words[2])
		return errors.Join(err, lab.LimitHandles(n))
	case "leave":
		if name == "" {
			name = os.TempDir()
		}
		return os.Chdir(name)
	default:
		calls[name] = begin(context.Background(), words, path)
		return calls[name].end()
	}
	return nil
}

func begin(ctx context.Context, words []string, path string) *call {
	ctx, stop := context.WithCancelCause(ctx)
	c := &call{stop: stop, over: make(chan struct{})}
	go func() {
		defer close(c.over)
		if words[0] == "Transfer" {
			c.err = contention.Transfer(ctx, words[2], words[3], takeOne)
			return
		}
		if len(words) > 2 {
			path = words[2]
		}
		c.held, c.err = locks[words[0]](ctx, path)
		if c.err == nil && c.held == nil {
			c.err = errNothing
		}
	}()
	return c
}

func takeOne(from, to bins.Stock) error {
	from["bracket"]--
	to["bracket"]++
	return nil
}

// A program runs desk in a process of its own.
type program struct {
	lab.Program
	t *testing.T
}

func start(t *testing.T, path string) program { t.Helper(); return launch(t, lab.Options{}, path) }

// launch gives each program its own directory for temporary files: what is kept there is nothing that all programs share.
func launch(t *testing.T, o lab.Options, path string) program {
	t.Helper()
	temporary := t.TempDir()
	for _, variable := range []string{"TMPDIR", "TMP", "TEMP"} {
		o.Env = append(o.Env, variable+"="+temporary)
	}
	return program{lab.StartProgram(t, o, stuck, "desk", path), t}
}

// stuck is what a test says if an order waits that should not.
func stuck(order string, l lab.Lesson) lab.Lesson {
	l.Expected, l.Found = callOf(order)+" returns", "the kernel says that it waits for a file lock"
	return l
}

// tell is for an order while other calls of the program wait for a lock, or have left one in the kernel.
func (p program) tell(order string, l lab.Lesson) error {
	p.t.Helper()
	return p.Tell(order, l).Returned.Err
}

// several starts programs that work with one file.
func several(t *testing.T, n int) (path string, all []program) {
	t.Helper()
	path = lab.Path(t, "stock.json.lock")
	for range n {
		all = append(all, start(t, path))
	}
	return path, all
}

// get takes a lock that is free. It is for the beginning of a story.
func (p program) get(order string) {
	p.t.Helper()
	p.Succeed(order, lab.Lesson{
		Says: callOf(order) + " did not get a lock that was free", Did: callOf(order) + "; no other owner had a lock that stands in its way",
		Means: "the program cannot work at all", Read: fix,
	})
}

// free gives a lock back.
func (p program) free(name string) {
	p.t.Helper()
	l := lab.Lesson{Says: "Unlock failed", Did: "Unlock of a lock that was held", Means: "the next in line waits for ever", Read: fix}
	lab.RequireNoError(p.t, p.tell("Unlock "+name, l), l)
}

// queue begins a call that must wait, in the kernel.
func (p program) queue(order string, l lab.Lesson) {
	p.t.Helper()
	requireNoPolling(p.t)
	lab.RequireNoError(p.t, p.tell("start "+order, l), l)
	p.waits(order, l)
}

// waits demands that a call which has begun with the order waits in the kernel.
func (p program) waits(order string, l lab.Lesson) {
	p.t.Helper()
	asked := l
	for began, limit := time.Now(), process.Patience(); p.Settle() != process.Blocked; {
		r := p.Tell("over "+strings.Fields(order)[1], l)
		if r.N == 0 && runtime.GOOS != "linux" {
			return // no more can be known there
		}
		found := "it returned, and had the lock"
		switch {
		case r.Returned.Err != nil:
			l = l.Say("%s failed where it has only to wait", callOf(order))
			l.Means = "the caller cannot work, although it was ready to wait for the lock"
			found = fmt.Sprintf("it returned an error: %v", r.Returned.Err)
		case r.N == 0 && time.Since(began) < limit:
			continue
		case r.N == 0:
			polls.CompareAndSwap(nil, &asked)
			found = fmt.Sprintf("it has neither returned nor waited there for %v", limit)
		case callOf(order) == "Transfer":
			found = "it returned no error"
		}
		l.Found = found
		if l.Expected == "" {
			l.Expected = "the kernel says that " + callOf(order) + " waits for a file lock"
		}
		lab.Fail(p.t, l)
	}
}

// requireNoAlarm demands that a program which waits in call, with a context that does not end, will not wake up by itself. A timer of the
// Go runtime's own is short.
func (p program) requireNoAlarm(call string, l lab.Lesson) {
	p.t.Helper()
	l = l.Say("%s waits with a time limit of its own", call)
	l.Expected, l.Found = "no timer: only the context ends a wait", fmt.Sprintf("a timer that ends in %v", p.Alarm())
	lab.Require(p.t, p.Alarm() < time.Second, l)
}

// polls is what the first test said that had no more patience with a call which does not wait in the kernel. The others then need not have
// it again.
var polls atomic.Pointer[lab.Lesson]

// waitBlocked is for a process whose only call must wait in the kernel.
func waitBlocked(p *lab.Process, l lab.Lesson) {
	began, limit, blocked := time.Now(), process.Patience(), false
	defer func() {
		if !blocked && time.Since(began) >= limit {
			polls.CompareAndSwap(nil, &l)
		}
	}()
	p.WaitBlocked(l)
	blocked = true
}

// requireNoPolling fails a test that would have to wait for the end of its patience.
func requireNoPolling(t *testing.T) {
	t.Helper()
	if first := polls.Load(); first != nil {
		lab.Fail(t, lab.Lesson{
			Says: "Lock does not wait in the kernel", Did: "an earlier test did this: " + first.Did, Read: asking,
			Expected: "the kernel says that the last one waits for a file lock, be it the turnstile's",
			Found:    "it neither returned nor waited there while the test had time",
			Means:    "it asks again and again, and comes too late; and this test cannot see whether it waits",
		})
	}
}

// end waits for a call that has begun, and demands that it succeeds.
func (p program) end(name string, l lab.Lesson) {
	p.t.Helper()
	lab.RequireNoError(p.t, p.tell("end "+name, l), l)
}

// ends is for a call that must come to its end: if it does not, that is what the message says. It returns the call's error.
func (p program) ends(name string, l lab.Lesson) error {
	p.t.Helper()
	p.Send("end " + name)
	limit := process.Patience()
	for began := time.Now(); time.Since(began) < limit; time.Sleep(time.Millisecond) {
		if state := p.Settle(); state == process.AtStep || state == process.Finished {
			return p.Reply(l).Returned.Err
		}
	}
	l.Expected, l.Found = callOf(l.Says)+" returns", fmt.Sprintf("it has waited for %v", limit)
	lab.Fail(p.t, l)
	return nil
}

// endsWell is ends for a call that must succeed.
func (p program) endsWell(name string, l lab.Lesson) {
	p.t.Helper()
	lab.RequireNoError(p.t, p.ends(name, l), l)
}

// startsProgram has the program start another one that runs on. It may have calls that wait.
func (p program) startsProgram(l lab.Lesson) {
	p.t.Helper()
	if runtime.GOOS == "windows" {
		return // there is no sleep
	}
	child := p.Tell("child", l)
	lab.RequireSetUp(p.t, child.Returned.Err)
	p.t.Cleanup(func() {
		if p, err := os.FindProcess(child.N); err == nil {
			_ = p.Kill()
		}
	})
}

// requireHandles demands that the program has as many open handles as before.
func requireHandles(t *testing.T, before, after int, l lab.Lesson) {
	t.Helper()
	l.Expected, l.Found = fmt.Sprintf("%d open handles, as before", before), fmt.Sprintf("%d open handles", after)
	l.Means = "a program that runs for days has no handles left one day"
	lab.Require(t, before == after, l)
}

// handlesBecome counts the program's open handles until there are as many as wanted, or until patience ends: a wait that was left
// closes what it has open a moment after it has given its lock back.
func (p program) handlesBecome(want int) (count int) {
	p.t.Helper()
	for began, limit := time.Now(), process.Patience(); time.Since(began) < limit; {
		if count = p.Handles(); count == want {
			break
		}
	}
	return count
}

// callOf returns the function or the method of an order.
func callOf(order string) string {
	for _, word := range strings.Fields(order) {
		switch word {
		case "Lock", "RLock", "Unlock", "Transfer":
			return word
		case "again":
			return "Lock"
		}
	}
	return order
}

func requireClosed(t *testing.T, err error, l lab.Lesson) {
	t.Helper()
	l.Expected = "an error that matches fs.ErrClosed"
	lab.RequireErrorIs(t, err, fs.ErrClosed, l)
}
