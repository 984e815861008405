package api_test

import (
	"fmt"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
)

// Package server answers 500 to a panic of the goroutine in which it has called a handler. A panic of another one ends the process: so the
// server is a process of its own here.
func TestAPanicOfLocksIsOnePersonsTrouble(t *testing.T) {
	t.Parallel()
	for verb, request := range requests {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			l := lab.Lesson{
				Says: verb + " did not survive a panic of Locks", Did: verb + ", 300 times, of a Locks that panicked, and once of one that worked",
				Means: "one bug in one request stops everyone", Read: fix,
			}
			got := ""
			lab.Start(t, "panic", verb).Result(&got, l)
			statuses := fmt.Sprintf("statuses %v; ", []int{request.status, 500})
			panics := statuses + "300 panics of the handler, with the value of Locks; "
			switch {
			case strings.HasPrefix(got, "statuses [0 "):
				l = l.Say("%s answered, though Locks panicked", verb)
				l.Means = "the client takes for done what no one has done; package server, which would answer 500, has to end the connection"
			case strings.HasPrefix(got, panics):
				l = l.Say("%s, or NewLockHandlers, left goroutines behind", verb)
				l.Means = "what no request waits for goes on, and asks a Locks that may have been closed"
			case strings.HasPrefix(got, statuses):
				l = l.Say("%s kept panics of Locks to itself, or changed them", verb)
				l.Means = "package server, which would log where the bug is, or end the connection, does not hear of it"
			}
			lab.RequireEqual(t, panics+"0 goroutines left", got, l)
		})
	}
}
