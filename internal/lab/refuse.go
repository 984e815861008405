package lab

import "runtime"

// Refuse runs call in a thread of its own, in which the kernel refuses some system calls with the error number, again and again: those of
// the set called what. It returns an error that matches errors.ErrUnsupported where the system cannot do that (any but Linux, and Linux
// on processors other than these tests know).
//
// It is the cheap sibling of Trace with a Rule: it needs neither strace nor a process. But it cannot hit the second of two calls, it does
// not tell whether a call was refused, and a call that the code under test makes from a goroutine of its own is not.
//
// A panic of call goes on in the caller's goroutine.
func Refuse(what string, errno error, call func()) error {
	failed, panicked := error(nil), any(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { panicked = recover() }()
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine, and the refusals with the thread
		if failed = refuse(what, errno); failed == nil {
			call()
		}
	}()
	<-ended
	if panicked != nil {
		panic(panicked)
	}
	return failed
}
