// Package crew keeps worker processes, copies of this program, that go through rounds together.
package crew

import (
	"context"
	"errors"
	"fmt"

	"example/turnstile/internal/lab/process"
)

// A Crew is a number of worker processes. They stay from round to round, so that no round pays for their start. It belongs to one
// goroutine, which calls Kill in the end.
type Crew struct {
	worker string
	all    []*process.Process
}

// New returns a crew of the worker of that name, which Loop runs. It has no process yet.
func New(worker string) *Crew { return &Crew{worker: worker} }

// Kill ends all workers. The next Round starts new ones.
func (c *Crew) Kill() {
	for _, p := range c.all {
		p.Kill()
	}
	c.all = nil
}

type answer[R any] struct {
	Result R
	Failed string
}

// Round gives the order to n workers, lets them begin together once all are ready, and returns what each of them brings. If one of them
// fails, the error says how.
func Round[R any](ctx context.Context, c *Crew, n int, order any) (all []R, err error) {
	var failed error // of the work
	defer func() {
		if err != nil {
			c.Kill() // no one knows where the others are
		}
		err = errors.Join(err, failed)
	}()
	for len(c.all) < n {
		p, err := process.Start(ctx, process.Options{}, c.worker)
		if err != nil {
			return nil, err
		}
		c.all = append(c.all, p)
	}
	crew := c.all[:n]
	for _, p := range crew {
		if err := p.Send(order); err != nil {
			return nil, err
		}
	}
	for _, p := range crew {
		if err := p.Reached(ctx, "ready"); err != nil {
			return nil, fmt.Errorf("get ready: %w", err)
		}
	}
	for _, p := range crew {
		if err := p.Continue(); err != nil {
			return nil, err
		}
	}
	for _, p := range crew {
		var a answer[R]
		if err := p.NextResult(ctx, &a); err != nil {
			return nil, err
		}
		if a.Failed != "" {
			failed = errors.New(a.Failed)
		}
		all = append(all, a.Result)
	}
	return all, nil
}

// Loop is the worker's side: it obeys orders until the parent is gone. work calls ready once, when it has prepared what does not count.
func Loop[O, R any](w *process.Worker, work func(order O, ready func()) (R, error)) error {
	for {
		var order O
		if err := w.Receive(&order); err != nil {
			return err
		}
		stood := false
		ready := func() { stood = true; w.Reached("ready") }
		var a answer[R]
		result, err := work(order, ready)
		if err != nil {
			a.Failed = err.Error()
		}
		if !stood {
			ready() // the others wait
		}
		a.Result = result
		if err := w.Result(a); err != nil {
			return err
		}
	}
}
