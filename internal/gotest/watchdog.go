package gotest

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"example/turnstile/internal/curriculum"
)

// A Progress is how far a run has come.
type Progress struct {
	Exercise *curriculum.Exercise // whose tests run
	Ended    int                  // its top-level tests that have come to their end
	Test     string               // the one that has been running longest; "" between two
	Since    time.Time            // when Test began to run
}

// now returns how far the run has come, in the last exercise that has begun and not ended.
func (r *eventReader) now() Progress {
	var p Progress
	for _, e := range r.exercises {
		run := r.runs[e.Package()]
		if run.action != "" || len(run.tests) == 0 {
			continue
		}
		p = Progress{Exercise: e, Ended: run.ended}
		for _, t := range run.tests {
			if t.running && !t.paused && (p.Test == "" || t.since.Before(p.Since)) {
				p.Test, p.Since = t.Name, t.since
			}
		}
	}
	return p
}

// mostOutput is how much a run may print, counted with all that go writes around each line. Go keeps it all in memory.
const mostOutput = 64 << 20

// A watchdog ends a run that has gone wrong: one whose tests have fallen silent, or print too much.
type watchdog struct {
	stall time.Duration // 0: no limit
	quit  func()        // makes the run's processes print what they are doing, and end
	stop  context.CancelFunc

	mu      sync.Mutex
	timer   *time.Timer // nil while no test process runs
	running int         // test processes
	bytes   int
	reason  string
}

// heard notes a piece of go's output.
func (w *watchdog) heard(bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Reset(w.stall)
	}
	if w.bytes += bytes; w.bytes > mostOutput && w.reason == "" {
		w.reason = "it printed without end"
		w.stop()
	}
}

// packages notes that a test process began or ended. Go may build in silence for as long as it needs.
func (w *watchdog) packages(action string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch action {
	case "start":
		w.running++
	case "pass", "fail", "skip":
		w.running--
	}
	switch {
	case w.running <= 0 && w.timer != nil:
		w.timer.Stop()
		w.timer = nil
	case w.running > 0 && w.timer == nil && w.stall > 0:
		w.timer = time.AfterFunc(w.stall, w.bite)
	}
}

// quitGrace is how long the processes may take to say what they are doing.
const quitGrace = 2 * time.Second

func (w *watchdog) bite() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason != "" || w.timer == nil {
		return
	}
	w.reason = fmt.Sprintf("nothing had happened for %v", w.stall)
	w.timer = nil
	w.stall = 0
	w.quit()
	time.AfterFunc(quitGrace, w.stop)
}

// end returns why the run was ended, "" if it came to its own end.
func (w *watchdog) end() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	return w.reason
}

// newWatchdog returns a watchdog for the command, which stop ends.
func newWatchdog(command *exec.Cmd, stall time.Duration, stop context.CancelFunc) *watchdog {
	return &watchdog{stall: stall, stop: stop, quit: func() {
		if command.Process != nil {
			askForStacks(command.Process.Pid)
		}
	}}
}
