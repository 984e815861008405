//go:build unix

package guide

import (
	"os"

	"golang.org/x/sys/unix"
)

// columns returns how wide the terminal is, and whether stream is one: only a terminal has a window size (ioctl_tty(2),
// TIOCGWINSZ). A terminal that does not know its width says 0.
func columns(stream any) (width int, terminal bool) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}
