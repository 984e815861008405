package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"example/turnstile/internal/lab/process"
)

// Refuse runs call in a thread of its own, in which the kernel refuses some system calls with the error number, again and again: those of
// the set called what. It returns an error that matches errors.ErrUnsupported where the system cannot do that (any but Linux, and Linux
// on processors other than these tests know).
//
// It is the cheap sibling of Trace with a Rule: it needs neither strace nor a process. But it cannot hit the second of two calls, it does
// not tell whether a call was refused, and a call that the code under test makes from a goroutine of its own is not.
//
// A panic of call is an error, for RequireNoError.
func Refuse(what string, errno error, call func()) error {
	_, ended := inOwnThread(func() (int, error) { return -1, refuse(what, errno, false) }, call)
	return <-ended
}

// RefuseAll makes the kernel refuse these calls to every thread of this process, now and later, and cannot be undone: it is for a worker.
// So it also refuses what the code under test asks for in a goroutine of its own. It returns the same error as Refuse where the system
// cannot do that.
func RefuseAll(what string, errno error) error { return refuse(what, errno, true) }

// Watch runs call in a thread of its own and stops it before each system call that creates, opens, examines, syncs, renames, removes or
// closes a file or changes its mode, owner or length. It does not stop at write(2), which Go's runtime uses too. While the thread stands
// still, at runs in the caller's goroutine, with the name of the call. What at finds is what a process crash at that moment would leave.
//
// It is the cheap sibling of Step, with the limits of Refuse, and returns the same error where the system cannot do that.
func Watch(call func(), at func(name string)) error {
	listener, ended := inOwnThread(watched, call)
	return supervise(listener, ended, func(name string, _ int32) error { at(name); return nil })
}

// WatchLocks is Watch for the calls of flock(2) that ask for a lock, and for no others: it shows whether the code under test polls.
func WatchLocks(call, at func()) error {
	listener, ended := inOwnThread(watchedLocks, call)
	return supervise(listener, ended, func(string, int32) error { at(); return nil })
}

// RefuseOne runs call as Watch does, and makes the kernel refuse one of the calls at which Watch would stop, with the error number: the one
// that comes after made others. It returns the names of all of them in their order. If there are no more than made, none was refused.
//
// Called with 0, 1, 2 and so on until none is refused, it shows what the code under test does about each call that can fail.
func RefuseOne(made int, errno error, call func()) (names []string, err error) {
	listener, ended := inOwnThread(watched, call)
	err = supervise(listener, ended, func(name string, _ int32) error {
		names = append(names, name)
		if len(names) == made+1 {
			return errno
		}
		return nil
	})
	return names, err
}

// RefuseWhere runs call as Watch does, and makes the kernel refuse each of the calls for which at returns an error number. The path is that
// of the file whose descriptor the call is made with, and empty for a call that is made with a path.
func RefuseWhere(call func(), at func(name, path string) error) error {
	listener, ended := inOwnThread(watched, call)
	return supervise(listener, ended, func(name string, descriptor int32) error {
		path, _ := os.Readlink(fmt.Sprint("/proc/self/fd/", descriptor)) // none for AT_FDCWD
		return at(name, path)
	})
}

// inOwnThread runs prepare and then call in a thread that ends with call, and with it what prepare asked of the kernel for that thread. It
// sends what prepare returned, at once, and the error at the end. A panic of call is the error too.
func inOwnThread(prepare func() (int, error), call func()) (prepared <-chan int, ended <-chan error) {
	first, last := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		result := errors.New("call has ended its goroutine")
		defer func() {
			if value := recover(); value != nil {
				result = &process.Error{Text: process.PanicText(value), Panicked: true}
			}
			last <- result
		}()
		descriptor, err := prepare()
		first <- descriptor
		if err == nil {
			call()
		}
		result = err
	}()
	return first, last
}
