package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A State is what a worker does at a moment when it can do no more by itself.
type State string

const (
	// Blocked: the kernel says that a thread of the worker waits for a file lock.
	Blocked State = "blocked in the kernel"
	// Waiting: it neither finished nor reached a step for a while. It may poll, sleep, or wait for a lock in a way that the
	// system does not tell.
	Waiting State = "waiting"
	// AtStep: it stands in Reached.
	AtStep State = "at a step"
	// Finished: its function has returned, or the process is gone.
	Finished State = "finished"
)

// kernelPoll is the time between two looks at what the kernel says. It decides no verdict, only how soon it is seen.
const kernelPoll = 500 * time.Microsecond

// ErrNotBlocked is returned by Blocked for a worker that runs on, or waits for something else than a file lock.
var ErrNotBlocked = errors.New("the worker does not wait for a file lock")

// Blocked waits until the kernel says that the worker waits for a file lock.
//
// On Linux the answer is exact: a row of a waiter in /proc/locks (proc_locks(5)), or a thread asleep in flock(2) or in
// fcntl(2) with F_SETLKW or F_OFD_SETLKW (/proc/PID/task/TID/syscall, proc_pid_syscall(5)). Elsewhere the system does not
// tell, and Blocked means no more than StillWaiting.
//
// A worker that finishes yields an error that matches ErrFinished; one that reaches a step, or that Patience ran out
// on, one that matches ErrNotBlocked.
func (p *Process) Blocked(ctx context.Context) error {
	if !kernelTells {
		return p.StillWaiting(ctx)
	}
	limit := Patience()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		state, err := p.glance(ctx, kernelPoll)
		switch {
		case state == Finished, state == AtStep:
			return p.didNotWait(state)
		case state == Blocked:
			return nil
		case ctx.Err() != nil: // before err, which may be nothing else than the end of this patience
			RanOut()
			return fmt.Errorf("worker %q: %w after %v", p.name, ErrNotBlocked, limit)
		case err != nil:
			return err
		}
	}
}

// Waiters counts the worker's threads that wait in the kernel for a lock on the file at path, of whichever kind: flock(2), POSIX or
// open file description. A thread that is on its way into the call or out of it does not count, so ask again until the number is the
// one that the test wants. On systems other than Linux the error matches errors.ErrUnsupported.
func (p *Process) Waiters(path string) (int, error) { return waitersOn(p.pid, path) }

// Alarm returns after what time a worker that has nothing to do wakes up by itself: the time, from when it fell asleep, until the first of
// its timers ends. It is 0 if there is none, while the worker is at work, and on systems other than Linux.
func (p *Process) Alarm() time.Duration { return alarm(p.pid) }

// StillWaiting returns nil when the worker has neither finished nor reached a step for a while. It is the question for
// answers that may poll instead of waiting in the kernel. It can be wrong in one direction only: a worker that is
// merely slow may look as if it waited.
func (p *Process) StillWaiting(ctx context.Context) error {
	for rest := p.observe(); !rest.longEnough(); {
		switch state, err := p.glance(ctx, workPoll); {
		case state == Finished, state == AtStep:
			return p.didNotWait(state)
		case err != nil:
			return err
		}
	}
	return nil
}

func (p *Process) didNotWait(state State) error {
	if state == Finished {
		if p.err != nil {
			return fmt.Errorf("worker %q did not wait: %w: %w", p.name, ErrFinished, p.err)
		}
		return fmt.Errorf("worker %q did not wait: %w", p.name, ErrFinished)
	}
	return p.standsAtStep()
}

// Settle waits until the worker can do no more by itself, and says why: it is Blocked, AtStep or Finished, or, where
// neither it nor the kernel tells, Waiting.
//
// It is the verb for a test that accepts any way of waiting and judges by what the files hold in the end.
func (p *Process) Settle(ctx context.Context) (State, error) {
	for rest := p.observe(); !rest.longEnough(); {
		pause := kernelPoll
		if !kernelTells {
			pause = workPoll
		}
		state, err := p.glance(ctx, pause)
		if err != nil || state != "" {
			return state, err
		}
	}
	return Waiting, nil
}

// A rest measures for how long a worker has done nothing. On a busy machine, a worker that has much to do may wait for a processor for as
// long as settleTime.
type rest struct {
	pid            int
	began, checked time.Time
	lasted         time.Duration
}

const (
	workPoll  = 5 * time.Millisecond  // from one check to the next
	workCount = 25 * time.Millisecond // the most that a check counts for: this process may have waited for a processor as well
	workLimit = 10 * settleTime       // a worker that is at work for so long may be polling without a pause
)

func (p *Process) observe() *rest {
	now := time.Now()
	return &rest{pid: p.pid, began: now, checked: now}
}

func (r *rest) longEnough() bool {
	now := time.Now()
	if since := now.Sub(r.checked); since >= workPoll {
		if r.checked = now; !busy(r.pid) && len(uninterruptible(r.pid)) == 0 { // nor does it wait for the disk or for memory
			r.lasted += min(since, workCount)
		}
	}
	return r.lasted >= settleTime || now.Sub(r.began) >= workLimit
}

// glance waits for an event for at most pause, then asks the kernel. It returns "" for a worker that is at work.
func (p *Process) glance(ctx context.Context, pause time.Duration) (State, error) {
	switch {
	case p.finished:
		return Finished, nil
	case p.standsAtStep() != nil:
		return AtStep, nil
	}
	short, cancel := context.WithTimeout(ctx, pause)
	defer cancel()
	e, err := p.peek(short)
	switch {
	case err == nil && e.Kind == eventReached:
		return AtStep, nil
	case err == nil:
		return Finished, nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case !kernelTells:
		return "", nil
	}
	waits, err := waitsForLock(p.pid)
	if waits {
		return Blocked, nil
	}
	return "", err
}
