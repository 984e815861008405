package process

import (
	"os"
	"sync/atomic"
	"time"
)

// EnvironmentPatience names the environment variable that sets Patience, as a Go duration ("4s"). The driver of the wrong answers
// sets it, because it waits out the limit for every answer that hangs.
const EnvironmentPatience = "TURNSTILE_PATIENCE"

const (
	defaultPatience = 15 * time.Second
	laterPatience   = 5 * time.Second
)

// ranOut says that some wait of this test binary has come to the end of its patience.
var ranOut atomic.Bool

// Patience returns how long a parent waits for its worker's next sign of progress: 15 seconds, but 5 once a wait of this test binary has
// run out; or what TURNSTILE_PATIENCE says. A value that is not a positive duration is ignored.
//
// The first limit is far beyond what a busy machine needs for a step. The tests fail anyhow when it has run out, and code that hangs in
// one of them tends to hang in ten.
func Patience() time.Duration {
	if d, err := time.ParseDuration(os.Getenv(EnvironmentPatience)); err == nil && d > 0 {
		return d
	}
	if ranOut.Load() {
		return laterPatience
	}
	return defaultPatience
}

// RanOut tells Patience that a wait has run out. A limit that TURNSTILE_PATIENCE sets stays what it is, and says nothing of the next.
func RanOut() {
	if os.Getenv(EnvironmentPatience) == "" {
		ranOut.Store(true)
	}
}
