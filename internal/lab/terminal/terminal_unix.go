//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// Columns returns how wide the terminal is, and whether f is one, for reading or for writing. One that does not know its
// width says 0. On Unix only a terminal has a window size (ioctl_tty(2), TIOCGWINSZ).
func Columns(f *os.File) (width int, terminal bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}

func understandsEscapes(f *os.File) bool {
	_, terminal := Columns(f)
	return terminal
}
