package gotest

import (
	"strings"
	"time"

	"example/turnstile/internal/curriculum"
)

// InOrderOfSource is inOrderOfSource.
var InOrderOfSource = inOrderOfSource

// Judge returns what a run says whose go command wrote these events, one a line, and whom the watchdog ended for the reason
// stopped, "" for none.
func Judge(e *curriculum.Exercise, events []string, stopped string) (*Result, error) {
	reader := newEventReader([]*curriculum.Exercise{e}, &workspace{})
	reader.watch = &watchdog{}
	if _, err := reader.Write([]byte(strings.Join(events, "\n") + "\n")); err != nil {
		return nil, err
	}
	reader.stopped = stopped
	results, err := reader.results("")
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// Watch starts a watchdog and returns what the reader of events calls.
func Watch(stall time.Duration, quit, stop func()) (heard func(bytes int), packages func(action string), end func() string) {
	w := &watchdog{stall: stall, quit: quit, stop: stop}
	return w.heard, w.packages, w.end
}
