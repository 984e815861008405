package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// kernelTells is set where waitsForLock has an exact answer.
const kernelTells = true

// setLockWait64 is F_SETLKW of fcntl64 on 32-bit systems.
const setLockWait64 = 14

// waitsForLock reports whether a thread of the process waits for a file lock.
func waitsForLock(pid int) (bool, error) {
	locks, err := os.ReadFile("/proc/locks")
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return false, err
	}
	if waiterIn(locks, pid) {
		return true, nil
	}
	// The owner of an open file description lock is no process: its rows carry the pid -1. The threads tell.
	return threadInLockCall(pid)
}

// waiterIn looks for a row such as "3: -> FLOCK ADVISORY WRITE 11232 fe:00:10461757 0 EOF": "->" marks a waiter.
func waiterIn(locks []byte, pid int) bool {
	want := []byte(strconv.Itoa(pid))
	for line := range bytes.Lines(locks) {
		fields := bytes.Fields(line)
		if len(fields) > 5 && string(fields[1]) == "->" && bytes.Equal(fields[5], want) {
			return true
		}
	}
	return false
}

// threadInLockCall reports whether a thread of the process sleeps in a lock call.
func threadInLockCall(pid int) (bool, error) {
	descriptors, err := descriptorsWaitedFor(pid)
	return len(descriptors) > 0, err
}

// waitersOn counts the threads of the process that sleep in a lock call on the file at path.
func waitersOn(pid int, path string) (int, error) {
	file, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	descriptors, err := descriptorsWaitedFor(pid)
	count := 0
	for _, descriptor := range descriptors {
		// The link leads to the file itself, even if it has another name by now, or none.
		info, err := os.Stat(fmt.Sprintf("/proc/%d/fd/%d", pid, descriptor))
		if err == nil && os.SameFile(info, file) {
			count++
		}
	}
	return count, err
}

// descriptorsWaitedFor returns the descriptor of each lock call in which a thread of the process sleeps. The kernel reports "running"
// for a thread that is not asleep, so a lock call that does not wait is not mistaken for one that does.
func descriptorsWaitedFor(pid int) (descriptors []uint64, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil {
		return nil, err
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // the thread or the process is gone
		}
		fields := strings.Fields(string(text))
		if !isLockCall(fields) || passesThrough(filepath.Dir(thread), text) {
			continue
		}
		if descriptor, err := strconv.ParseUint(fields[1], 0, 64); err == nil {
			descriptors = append(descriptors, descriptor)
		}
	}
	return descriptors, nil
}

// passesThrough reports whether a thread that slept in the lock call text did not wait for the lock: a lock call also sleeps, for a moment,
// while any process reads /proc/locks, as these tests do all the time (percpu_rwsem_wait of the kernel's file_rwsem).
func passesThrough(thread string, text []byte) bool {
	place, _ := os.ReadFile(filepath.Join(thread, "wchan")) // where it cannot be read, the call alone decides
	again, err := os.ReadFile(filepath.Join(thread, "syscall"))
	switch {
	case err != nil || !bytes.Equal(again, text):
		return true // the thread is elsewhere by now, so its place may be one, too
	case string(place) == "0":
		return kernelTellsPlaces() // then the thread is awake
	default:
		return string(place) == "percpu_rwsem_wait"
	}
}

// kernelTellsPlaces reports whether the kernel says in wchan where a thread sleeps (proc(5)): some do not, and show 0 for each. In a Go
// process one thread sleeps practically always.
var kernelTellsPlaces = sync.OnceValue(func() bool {
	places, _ := filepath.Glob("/proc/self/task/*/wchan") // the pattern is good
	return slices.ContainsFunc(places, func(path string) bool {
		place, err := os.ReadFile(path)
		return err == nil && string(place) != "0"
	})
})

// busy reports whether a thread of the process runs, or would run if a processor were free: its state in proc_pid_stat(5) is R.
func busy(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid)) // the pattern is good
	return slices.ContainsFunc(threads, func(thread string) bool {
		text, err := os.ReadFile(thread) // it fails when the thread is gone
		return err == nil && bytes.HasPrefix(text[bytes.LastIndexByte(text, ')')+1:], []byte(" R"))
	})
}

// processorTime adds up what the kernel has noted of the threads of the process: in nanoseconds, how long each has run, and how long it has
// waited until it could (https://docs.kernel.org/scheduler/sched-stats.html). It is zero where the kernel notes nothing.
func processorTime(pid int) (p processing) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is good
	for _, thread := range threads {
		text, _ := os.ReadFile(thread) // it fails when the thread is gone
		var ran, waited time.Duration
		if n, _ := fmt.Sscan(string(text), &ran, &waited); n == 2 {
			p.ran, p.waited = p.ran+ran, p.waited+waited
		}
	}
	return p
}

// whyStuck says what a process that makes no progress is doing, and whether it waits for a file lock.
func whyStuck(pid int) (why string, lock bool) {
	if waits, err := waitsForLock(pid); err == nil && waits {
		return "it waits for a file lock" + holderOf(pid), true
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/task", pid)); err != nil {
		return "", false
	}
	if why := stalled(pid); why != "" {
		return why, false
	}
	if busy(pid) {
		return "it is busy and comes to no end", false
	}
	return "it sleeps, and waits for no file lock", false
}

// uninterruptible returns the threads of the process that are in an uninterruptible sleep (proc_pid_stat(5), state D). Each has the number
// of times that it has gone to sleep (proc_pid_status(5), voluntary_ctxt_switches), which tells one sleep from the next. A thread that
// Watch or RefuseOne holds sleeps in the same way, but for the test's own reasons.
func uninterruptible(pid int) map[string]string {
	sleeps := map[string]string{}
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid)) // the pattern is good
	for _, thread := range threads {
		status, _ := os.ReadFile(filepath.Join(thread, "status")) // one that is gone does not sleep
		place, _ := os.ReadFile(filepath.Join(thread, "wchan"))
		if bytes.Contains(status, []byte("\nState:\tD")) && !bytes.Contains(place, []byte("seccomp")) {
			if _, times, found := strings.Cut(string(status), "\nvoluntary_ctxt_switches:"); found {
				sleeps[thread], _, _ = strings.Cut(times, "\n")
			}
		}
	}
	return sleeps
}

// holderOf names the process that holds the lock which pid waits for, as /proc/locks has it: the rows of the waiters follow the
// holder's and have its number.
func holderOf(pid int) string {
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	holders := map[string]string{}
	for line := range strings.Lines(string(locks)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 5 && fields[1] != "->":
			holders[fields[0]] = fields[4]
		case len(fields) > 6 && fields[5] == strconv.Itoa(pid):
			switch holder := holders[fields[0]]; holder {
			case fields[5]:
				return " that its own process holds"
			case "", "-1", "0":
			default:
				return " that process " + holder + " holds"
			}
		}
	}
	return ""
}

// isLockCall reads the fields "number argument0 argument1 …", the arguments in hexadecimal.
func isLockCall(fields []string) bool {
	if len(fields) < 4 {
		return false
	}
	number, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return false
	}
	operation, err := strconv.ParseUint(fields[2], 0, 64)
	if err != nil {
		return false
	}
	switch number {
	case unix.SYS_FLOCK:
		return true
	case unix.SYS_FCNTL:
		return operation == unix.F_SETLKW || operation == unix.F_OFD_SETLKW || operation == setLockWait64
	}
	return false
}
