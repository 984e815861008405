package terminal

import (
	"os"

	"golang.org/x/sys/windows"
)

// isTerminal reports whether f is a console that can be told to read escape codes, and tells it
// (ENABLE_VIRTUAL_TERMINAL_PROCESSING, Windows 10 and later; Microsoft, "Console Virtual Terminal Sequences").
func isTerminal(f *os.File) bool {
	var mode uint32
	console := windows.Handle(f.Fd())
	if windows.GetConsoleMode(console, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
