package lab

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// RequireNotInherited runs call again and again in two goroutines, and starts programs meanwhile. It fails the test if one of them has the
// file or directory at path open, or a file whose path begins like that: the kernel (O_CLOEXEC), or syscall.ForkLock, leaves no moment
// between an open and its flag. On a system without /proc/self/fd the test is skipped. What call returns is another test's question.
func RequireNotInherited(t testing.TB, path string, call func(), l Lesson) {
	t.Helper()
	var ended atomic.Bool
	var calls sync.WaitGroup
	end := func() { ended.Store(true); calls.Wait() }
	defer end()
	for range 2 {
		calls.Go(func() {
			for !ended.Load() {
				call()
			}
		})
	}
	for range Rounds(40) {
		open, err := exec.Command("ls", "-l", "/proc/self/fd").Output() //nolint:noctx // it ends by itself
		if err != nil {
			t.Skip("this system does not list the open files of a program: ", err)
		}
		if _, rest, inherited := strings.Cut(string(open), path); inherited {
			rest, _, _ = strings.Cut(rest, "\n")
			fill(&l, "no program has it open", "one has "+filepath.Base(path+rest)+" open")
			Fail(t, l)
		}
	}
}
