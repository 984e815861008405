package trace

import (
	"fmt"

	"example/turnstile/internal/lab/process"
)

// A Stop is a moment at which a process that is stepped stands still, after a system call.
type Stop struct {
	Call Call
	// Returned is set when the function under test has returned; Call is then empty.
	Returned bool
}

// reply is what a worker in Serve sends for each order.
type reply struct {
	Value    any    `json:"value,omitempty"`
	Panicked string `json:"panicked,omitempty"`
}

// Serve is the body of a worker that can be stepped. For each string that the parent sends, it runs call in a thread that makes no
// other calls, and sends what call returns. Only this thread is traced, not goroutines that call starts.
//
// Serve returns when the parent is gone, or if the system cannot step a process.
func Serve(w *process.Worker, call func(order string) any) error {
	thread, orders, replies := make(chan int), make(chan string), make(chan reply)
	failed := make(chan error, 1)
	go func() { failed <- serveThread(call, thread, orders, replies) }()
	select {
	case err := <-failed:
		return fmt.Errorf("prepare this process for steps: %w", err)
	case number := <-thread:
		if err := w.Result(number); err != nil {
			return err
		}
	}
	for {
		var order string
		if err := w.Receive(&order); err != nil {
			return err
		}
		orders <- order
		select {
		case err := <-failed:
			return err
		case r := <-replies:
			if err := w.Result(r); err != nil {
				return err
			}
		}
	}
}
