package process

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// PanicText says in one line what a panic was about and where the code under test was: "panic: assignment to entry in nil map, in
// Take (checkouts.go:31)". It must be called by the deferred function that has recovered value, while the stack still shows.
func PanicText(value any) string {
	text := fmt.Sprintf("panic: %v", value)
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for more := true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); isUnderTest(frame.File) {
			function := frame.Function[strings.LastIndexByte(frame.Function, '/')+1:]
			_, function, _ = strings.Cut(function, ".")
			return fmt.Sprintf("%s, in %s (%s:%d)", text, function, path.Base(frame.File), frame.Line)
		}
	}
	return text
}

// isUnderTest reports whether a source file belongs to an exercise or a solution, and is not a test of it.
func isUnderTest(file string) bool {
	return (strings.Contains(file, "/exercises/") || strings.Contains(file, "/solutions/")) && !strings.HasSuffix(file, "_test.go")
}
