//go:build unix

package openmodes_test

import (
	"testing"

	"example/turnstile/internal/lab"
	"golang.org/x/sys/unix"
)

// Source: open(2), O_CLOEXEC, and fcntl(2), F_GETFD.
func TestAProgramThatIsStartedDoesNotInheritTheFile(t *testing.T) {
	for _, fn := range functions {
		path := lab.Path(t, "bracket.ticket")
		if fn.name != newTicket.name {
			path = lab.WriteFile(t, "locks.json", checkouts)
		}
		lesson := lab.Lesson{
			Did:      fn.name + " opened a file, and the test asked the kernel whether a started program inherits it",
			Expected: "the descriptor is marked close-on-exec", Found: "it is not",
			Means: "a program that is started now has the file open as long as it runs: a lock stays, and so do the bytes of a removed file",
			Read:  whoElseHas,
		}
		f := fn.opened(t, path, lesson)
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		requireTool(t, err)
		lab.Require(t, flags&unix.FD_CLOEXEC != 0, lesson.Say("%s lets started programs inherit the file", fn.name))
	}
}
