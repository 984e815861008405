package process

import (
	"errors"
	"fmt"
	"time"
)

// A Stuck is the error of a wait that Patience has ended: the worker is alive and has made no progress. Progress is whatever the
// worker sends: a step, a result, or Worker.Progress. A worker that is slow and sends something from time to time is not stuck.
type Stuck struct {
	// Worker is its name, Wait what the parent waited for: "finish".
	Worker, Wait string
	// Limit is how long nothing came.
	Limit time.Duration
	// Why is what the system says of the worker: "it waits for a file lock that it holds itself". Empty where no system tells.
	Why string
	// Lock is set when Why is a file lock.
	Lock bool
}

func (s *Stuck) Error() string {
	text := fmt.Sprintf("worker %q did not %s: it made no progress for %v, which is the limit", s.Worker, s.Wait, s.Limit)
	if s.Why != "" {
		text += "; " + s.Why
	}
	return text
}

// NewStuck describes why this worker makes no progress now.
func (p *Process) NewStuck(wait string) *Stuck {
	s := &Stuck{Worker: p.name, Wait: wait, Limit: Patience()}
	s.Why, s.Lock = whyStuck(p.pid)
	return s
}

// waitingFor says in a Stuck what the parent waited for.
func waitingFor(wait string, err error) error {
	var s *Stuck
	if errors.As(err, &s) {
		s.Wait = wait
	}
	return err
}
