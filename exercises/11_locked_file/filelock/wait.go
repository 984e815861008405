package filelock

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// A queue is where the goroutines of this process wait for one file.
type queue struct {
	// turn is full while a goroutine has its turn, which is when it may wait in the kernel. The Go runtime serves senders in their order.
	turn chan struct{}
	// kernel is full, for each mode, while a thread waits in the kernel, even if the goroutine that began the wait has left. A wait of
	// that mode that was left ends as soon as a new one would, so the next goroutine waits for its end instead of beginning another.
	kernel [2]chan struct{}
	users  int // waiting goroutines and waits that were left; guarded by queues
}

// queues has a queue for each file that is waited for in this process. While there is one, a descriptor of the file is open, so its
// identity cannot pass to another file.
var queues = struct {
	sync.Mutex
	of map[identity]*queue
}{of: map[identity]*queue{}}

// waiting counts the users of all queues: a program in which no goroutine waits need not ask which file is which.
var waiting atomic.Int64

func join(id identity) *queue {
	queues.Lock()
	defer queues.Unlock()
	q := queues.of[id]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1), kernel: [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}}
		queues.of[id] = q
	}
	q.users++
	waiting.Add(1)
	return q
}

func (q *queue) leave(id identity) {
	queues.Lock()
	defer queues.Unlock()
	waiting.Add(-1)
	if q.users--; q.users == 0 {
		delete(queues.of, id)
	}
}

// overtakes reports whether a lock that is taken now, without waiting, would be taken before that of a goroutine which came earlier.
func overtakes(h *Handle) bool {
	if waiting.Load() == 0 {
		return false
	}
	id, err := h.identity()
	if err != nil {
		return false // the lock itself will report what is wrong
	}
	queues.Lock()
	defer queues.Unlock()
	q := queues.of[id]
	return q != nil && len(q.turn) > 0
}

// wait takes the lock when it is this Handle's turn. The caller has taken the Handle, and wait frees it when it fails.
func (h *Handle) wait(ctx context.Context, m Mode) error {
	id, err := h.identity()
	if err != nil {
		return h.settle(fmt.Errorf("lock: identify the file: %w", err))
	}
	q := join(id)
	defer q.leave(id)
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return h.settle(stopped(ctx.Err()))
	}
	select {
	case q.kernel[m] <- struct{}{}:
	case <-ctx.Done():
		return h.settle(stopped(ctx.Err()))
	}
	// The wait has a descriptor of its own, of the same open file: a caller that gives up can close the file without waiting for it.
	own, err := h.duplicate()
	if err != nil {
		<-q.kernel[m]
		return h.settle(fmt.Errorf("lock: %w", err))
	}
	result, left := make(chan error), make(chan struct{})
	join(id)
	go func() {
		err := lock(own, m, true)
		select {
		case result <- err:
			return
		case <-left:
		}
		// The caller is gone. Closing would be enough, if no child had the descriptor.
		if err == nil {
			_ = unlock(own) // there is nobody left to tell, and closeDescriptor ends the lock as well
		}
		_ = closeDescriptor(own)
		<-q.kernel[m]
		h.free()
		q.leave(id)
	}()
	select {
	case err = <-result:
	case <-ctx.Done():
		close(left) // what the kernel may give from now on is given back by the goroutine, which keeps the Handle taken until then
		return stopped(ctx.Err())
	}
	_ = closeDescriptor(own) // the file's own descriptor keeps the lock
	<-q.kernel[m]
	q.leave(id)
	return h.settle(err)
}
