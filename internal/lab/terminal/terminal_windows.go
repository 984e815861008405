package terminal

import (
	"os"

	"golang.org/x/sys/windows"
)

// Columns returns how wide the console's window is, and whether f is a console; see the Unix twin for the contract.
func Columns(f *os.File) (width int, terminal bool) {
	console := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(console, &mode) != nil {
		return 0, false
	}
	var info windows.ConsoleScreenBufferInfo
	if windows.GetConsoleScreenBufferInfo(console, &info) != nil {
		return 0, true // a console's input has no window
	}
	return int(info.Window.Right-info.Window.Left) + 1, true
}

// understandsEscapes reports whether f is a console that can be told to read escape codes, and tells it
// (ENABLE_VIRTUAL_TERMINAL_PROCESSING, Windows 10 and later; Microsoft, "Console Virtual Terminal Sequences").
func understandsEscapes(f *os.File) bool {
	console := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(console, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
