// Package group lets many goroutines share the expensive parts of their work: those that come while one commit is under way share the
// next one. Databases call it group commit.
package group

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrContent is matched by the error of a Commit that failed because of what the calls have made together. If there was more than one,
// each is done again in a batch of its own, so that the error reaches the one that has caused it.
var ErrContent = errors.New("the result cannot be committed")

// Work is one caller's part.
type Work[B any] struct {
	// Name is what is to be done, for errors.
	Name string
	// Open begins a batch. Its error is that of this call alone.
	Open func() (*B, error)
	// Do adds this call's part to the batch, or returns an error and adds nothing.
	Do func(batch *B) error
	// Commit ends a batch, with at least one part or with none, and gives back what Open has taken, whether it succeeds or not. Its error
	// is that of all calls that have added something; if there is none, of the call that has ended the batch.
	Commit func(batch *B) error
}

// A Queue brings calls of Do together. The zero Queue is ready to use.
type Queue[B any] struct {
	mutex   sync.Mutex
	busy    bool // a caller has its turn
	waiting []*caller[B]
}

type caller[B any] struct {
	turn  chan *round[B] // gets the round to join, or nil: begin one
	alone bool
}

type round[B any] struct {
	batch   *B
	callers int // that had their turn
	parts   int // of those, the ones that have added something
	alone   bool
	done    chan struct{} // closed after Commit
	err     error         // of Commit
}

// most is how many calls a round takes, so that the first need not wait for ever.
const most = 256

// Do calls Open, Do and Commit of w, or joins a round that another caller has opened: then Do alone, or Do and Commit, if it is the last.
// Calls have their turns in the order in which they came. Each function runs in the goroutine of its own caller, so a panic, or a
// runtime.Goexit, ends that caller and nobody else: the round goes on without its part.
//
// If ctx ends while the caller waits for its turn, the error matches ctx.Err(), and nothing of w is called. Once w.Do has begun, ctx plays
// no part.
//
// If Do returns nil, the part is committed. If w.Do returns an error, so does Do; if there were parts in the batch before it, only once
// they are committed, because the error may come from what it saw of them. If they cannot be committed, w.Do is called again, with another
// batch; so it is for a part of a batch that could not be committed because of ErrContent.
func (q *Queue[B]) Do(ctx context.Context, w Work[B]) error {
	for alone := false; ; alone = true {
		r, err := q.wait(ctx, w, alone)
		if err != nil {
			return err
		}
		if r == nil {
			if r, err = q.begin(w, alone); err != nil {
				return err
			}
		}
		before := r.parts
		err = q.join(r, w)
		if err != nil && before == 0 {
			select {
			case <-r.done: // this call has ended it, or another one since
				if r.parts == 0 {
					err = errors.Join(err, r.err)
				}
			default:
			}
			return err
		}
		<-r.done
		again := r.err != nil && (err != nil || errors.Is(r.err, ErrContent) && r.parts > 1)
		if !again {
			return cmp.Or(err, r.err)
		}
	}
}

// wait waits for this caller's turn. The round is nil if the caller is the first of one.
func (q *Queue[B]) wait(ctx context.Context, w Work[B], alone bool) (*round[B], error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	q.mutex.Lock()
	if !q.busy {
		q.busy = true
		q.mutex.Unlock()
		return nil, nil
	}
	c := &caller[B]{turn: make(chan *round[B], 1), alone: alone}
	q.waiting = append(q.waiting, c)
	q.mutex.Unlock()
	select {
	case r := <-c.turn:
		return r, nil
	case <-ctx.Done():
	}
	q.mutex.Lock()
	at := slices.Index(q.waiting, c)
	if at >= 0 {
		q.waiting = slices.Delete(q.waiting, at, at+1)
	}
	q.mutex.Unlock()
	if at < 0 { // its turn has come at the same moment
		if r := <-c.turn; r != nil {
			q.pass(r, w)
		} else {
			q.next()
		}
	}
	return nil, fmt.Errorf("%s: wait for the one before: %w", w.Name, ctx.Err())
}

func (q *Queue[B]) begin(w Work[B], alone bool) (*round[B], error) {
	opened := false
	defer func() {
		if !opened {
			q.next()
		}
	}()
	batch, err := w.Open()
	if err != nil {
		return nil, err
	}
	opened = true
	return &round[B]{batch: batch, alone: alone, done: make(chan struct{})}, nil
}

// join adds this caller's part and passes the round on, whatever becomes of the caller.
func (q *Queue[B]) join(r *round[B], w Work[B]) error {
	defer q.pass(r, w)
	r.callers++
	err := w.Do(r.batch)
	if err == nil {
		r.parts++
	}
	return err
}

// pass gives the round to the next caller, or ends it.
func (q *Queue[B]) pass(r *round[B], w Work[B]) {
	q.mutex.Lock()
	if !r.alone && r.callers < most && len(q.waiting) > 0 && !q.waiting[0].alone {
		c := q.waiting[0]
		q.waiting = slices.Delete(q.waiting, 0, 1)
		q.mutex.Unlock()
		c.turn <- r
		return
	}
	q.mutex.Unlock()
	defer q.next()
	defer close(r.done)
	r.err = errors.New("the commit did not return") // unless it does
	r.err = w.Commit(r.batch)
}

// next lets the next caller begin a round.
func (q *Queue[B]) next() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if len(q.waiting) == 0 {
		q.busy = false
		return
	}
	c := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	c.turn <- nil
}
