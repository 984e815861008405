package guide

import (
	"os"

	"golang.org/x/sys/windows"
)

// columns returns how wide the console's window is, and whether stream is a console, for reading or for writing. One
// that does not know its width says 0.
func columns(stream any) (width int, terminal bool) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	console := windows.Handle(file.Fd())
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
