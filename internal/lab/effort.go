package lab

import "os"

// EnvironmentEffort names the environment variable that says how hard an expensive test works: "full", which is the default, or
// "light". At light effort Rounds is small, and what needs strace is skipped: a traced worker costs more than most tests.
const EnvironmentEffort = "TURNSTILE_EFFORT"

// Rounds returns how often a test should repeat what it does full times at full effort: full, or a tenth of it (but at least 2, if
// full allows) at light effort.
//
// A learner's code and the reference are always judged at full effort. The driver asks for light effort where other right answers are
// judged, unless -strict. A test must therefore be right, if less sharp, for any number of rounds.
func Rounds(full int) int {
	if !light() {
		return full
	}
	return min(full, max(2, full/10))
}

func light() bool { return os.Getenv(EnvironmentEffort) == "light" }
