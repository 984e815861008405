package process

import (
	"os"
	"time"
)

// EnvironmentPatience names the environment variable that sets Patience, as a Go duration ("4s"). The driver of the wrong answers
// sets it, because it waits out the limit for every answer that hangs.
const EnvironmentPatience = "TURNSTILE_PATIENCE"

const defaultPatience = 15 * time.Second

// Patience returns how long a parent waits for its worker's next sign of progress: 15 seconds, or what TURNSTILE_PATIENCE says. A
// value that is not a positive duration is ignored.
//
// The default is far beyond what a busy machine needs for a step and far below go test's own limit, so that code which hangs fails
// with a message.
func Patience() time.Duration {
	if d, err := time.ParseDuration(os.Getenv(EnvironmentPatience)); err == nil && d > 0 {
		return d
	}
	return defaultPatience
}
