//go:build unix

package process

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// alive reports whether the process runs. A zombie does not: it only waits to be reaped by whoever inherited it.
func alive(pid int) bool {
	if unix.Kill(pid, 0) != nil {
		return false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !os.IsNotExist(err) || !hasProc()
	}
	_, state, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

func hasProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}
