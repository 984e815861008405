package lab

import "example/turnstile/internal/lab/wine"

// Wine reports whether this is a Windows program that runs under Wine. What Wine does otherwise than Windows is skipped
// with that reason.
func Wine() bool { return wine.Present() }
