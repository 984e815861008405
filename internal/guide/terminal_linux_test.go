package guide

// The way to a pseudo-terminal differs on each system; this one is Linux's (pts(4)).

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A screenOf is a terminal, seen from the side of the person in front of it.
type screenOf struct {
	*transcript
	keyboard *os.File
	line     *os.File // the side that the guide gets
}

func newTerminal(t *testing.T, columns uint16) *screenOf {
	t.Helper()
	// Not blocking: closing this side then ends the read below, and with the terminal gone every read of the other side.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("this machine gives no pseudo-terminals: %v", err)
	}
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	person := os.NewFile(uintptr(fd), "terminal")
	line, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(int(line.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns}))
	s := &screenOf{transcript: newTranscript(), keyboard: person, line: line}
	copied := make(chan struct{})
	go func() { defer close(copied); _, _ = io.Copy(s.transcript, person) }()
	t.Cleanup(func() {
		_ = person.Close()
		<-copied
		_ = line.Close()
	})
	return s
}

func (s *screenOf) run(t *testing.T, b *fakeBook, line string) <-chan int {
	t.Helper()
	status := make(chan int, 1)
	go func() {
		status <- Run(t.Context(), strings.Fields(line), Console{In: s.line, Out: s.line, Err: s.line, Folder: b.root, runner: b.runner})
	}()
	return status
}

func (s *screenOf) types(t *testing.T, line string) {
	t.Helper()
	_, err := s.keyboard.WriteString(line + "\n")
	require.NoError(t, err)
}

func TestOnATerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	b := newBook(t)
	s := newTerminal(t, 60)
	require.Equal(t, exitUnfinished, <-s.run(t, b, "check 1"))
	s.waitFor(t, "`watch 1` does it for you", 1)
	require.Contains(t, s.String(), "running the tests of 01 · The double …", "it says what it is doing")
	require.Contains(t, s.String(), "\x1b[31m✗ \x1b[0m\x1b[1m01 · The double\x1b[0m")
}

func TestATerminalThatWantsNoColour(t *testing.T) {
	for _, c := range []struct{ name, noColour, term string }{
		{"NO_COLOR", "1", "xterm"},
		{"TERM=dumb", "", "dumb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", c.noColour)
			t.Setenv("TERM", c.term)
			b := newQuickBook(t)
			s := newTerminal(t, 100)
			require.Equal(t, exitDone, <-s.run(t, b, "list"))
			s.waitFor(t, "your next exercise", 1)
			require.NotContains(t, s.String(), "\x1b")
		})
	}
}

func TestSolutionOnATerminalAsks(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	b := newQuickBook(t)
	for _, c := range []struct {
		reply  string
		status int
		says   string
	}{
		{"", exitUnfinished, "Not shown."},
		{"n", exitUnfinished, "Not shown."},
		{"y", exitDone, "A product is no sum."},
	} {
		s := newTerminal(t, 100)
		status := s.run(t, b, "solution 1")
		s.waitFor(t, "Show the solution anyway? [y/N]", 1)
		s.types(t, c.reply)
		require.Equal(t, c.status, <-status)
		s.waitFor(t, c.says, 1)
	}
}

func TestWatchTakesWords(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	b := newBook(t)
	s := newTerminal(t, 100)
	status := s.run(t, b, "watch 1")
	s.waitFor(t, "With Enter: h hint, r race, q quit.", 1)
	s.types(t, "h")
	s.waitFor(t, "Hint 1 of 3", 1)
	s.types(t, "r")
	s.waitFor(t, "5 becomes 6", 1)
	s.types(t, "q")
	require.Equal(t, exitDone, <-status)
}
