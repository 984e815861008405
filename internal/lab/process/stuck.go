package process

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// A Stuck is the error of a wait that Patience has ended: the worker is alive and has made no progress. Progress is whatever the
// worker sends: a step, a result, or Worker.Progress. A worker that is slow and sends something from time to time is not stuck.
type Stuck struct {
	// Worker is its name, Wait what the parent waited for: "finish".
	Worker, Wait string
	// Limit is how long nothing came.
	Limit time.Duration
	// Why is what the system says of the worker: "it waits for a file lock that its own process holds". Empty where no system tells.
	Why string
	// Lock is set when Why is a file lock.
	Lock bool
	// Place is where the code under test is, such as "counter.go:64". It is empty for a worker that does not answer.
	Place string
}

func (s *Stuck) Error() string {
	text := fmt.Sprintf("worker %q did not %s: it made no progress for %v, which is the limit", s.Worker, s.Wait, s.Limit)
	if s.Why != "" {
		text += "; " + s.Why
	}
	return text
}

// NewStuck describes why this worker makes no progress now, when the patience of limit with it has run out.
func (p *Process) NewStuck(wait string, limit time.Duration) *Stuck {
	RanOut()
	s := &Stuck{Worker: p.name, Wait: wait, Limit: limit}
	s.Why, s.Lock = whyStuck(p.pid)
	if p.write(command{Place: true}) == nil {
		select {
		case s.Place = <-p.place:
		case <-time.After(time.Second): // it stands still, or has no processor
		}
	}
	return s
}

// Renewed reports whether the patience with a process begins anew when it has run out: the machine keeps the process waiting, which says
// nothing about its code (see stalled). times counts for how long that has gone on; progress sets it back to 0. A machine may be busy for
// a minute, and a test that is wrong must come to its end, so there are three renewals at most.
func Renewed(pid int, times *int) bool {
	*times++
	return *times <= 3 && stalled(pid) != ""
}

// stalled says why the process made little progress during the next second, if that is not due to its code, and "" otherwise. It takes that
// second only if a thread is in an uninterruptible sleep, as for a disk or for memory, or is ready to run. It is "" on systems other than
// Linux.
func stalled(pid int) string {
	sleeps := uninterruptible(pid)
	if len(sleeps) == 0 && !busy(pid) {
		return ""
	}
	before := processorTime(pid)
	time.Sleep(time.Second) // the length of the sleep is the question
	after := uninterruptible(pid)
	for thread, sleep := range sleeps {
		if after[thread] == sleep {
			return "the kernel lets it wait for the disk or for memory"
		}
	}
	if processorTime(pid).since(before).starved() {
		return "it is busy, and other threads have the processors most of the time"
	}
	return ""
}

// A processing says how long the threads of a process have run, and how long they have waited for a processor.
type processing struct{ ran, waited time.Duration }

func (p processing) since(before processing) processing {
	return processing{p.ran - before.ran, p.waited - before.waited}
}

// starved reports whether the threads mostly waited for a processor, if p is the time of one second.
func (p processing) starved() bool { return p.waited > time.Second/2 && p.waited > 2*p.ran }

// Place returns where a goroutine of this process is in the code under test, such as "counter.go:64", or "" if it is elsewhere. The
// goroutine is what Goroutine returned in it, or "" for the first one that is inside.
func Place(goroutine string) string {
	buffer := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		if place := placeIn(stack); place != "" && strings.HasPrefix(stack, goroutine) {
			return place
		}
	}
	return ""
}

// Goroutine names the calling goroutine as a dump of all does: "goroutine 7 ".
func Goroutine() string {
	buffer := make([]byte, 64)
	name, _, _ := strings.Cut(string(buffer[:runtime.Stack(buffer, false)]), "[")
	return name
}

// codeUnderTest is a frame of a goroutine dump that lies in an exercise or a solution.
var codeUnderTest = regexp.MustCompile(`[/\\](?:exercises|solutions)[/\\]\S+[/\\](\w+\.go:\d+)`)

func placeIn(dump string) string {
	for _, match := range codeUnderTest.FindAllStringSubmatch(dump, -1) {
		if !strings.Contains(match[1], "_test.go:") {
			return match[1]
		}
	}
	return ""
}

// waitingFor says in a Stuck what the parent waited for.
func waitingFor(wait string, err error) error {
	var s *Stuck
	if errors.As(err, &s) {
		s.Wait = wait
	}
	return err
}
