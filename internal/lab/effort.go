package lab

import "os"

// EnvironmentEffort names the environment variable that says how hard an expensive test works: "full", which is the default, or
// "light".
const EnvironmentEffort = "TURNSTILE_EFFORT"

// Rounds returns how often a test should repeat what it does full times at full effort: full, or a tenth of it (but at least 2, if
// full allows) at light effort.
//
// A learner's code and a right answer are always judged at full effort. The driver asks for light effort where another test is the
// one that must catch a wrong answer. A test must therefore be right, if less sharp, for any number of rounds.
func Rounds(full int) int {
	if os.Getenv(EnvironmentEffort) != "light" {
		return full
	}
	return min(full, max(2, full/10))
}
