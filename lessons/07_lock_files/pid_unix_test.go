//go:build unix

package lockfiles_test

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func init() { workers["probe"] = probe }

// probe sends signal 0 to the process PID and reports what kill(2) returns.
func probe(w *lab.Worker) error {
	said := "no error"
	if err := syscall.Kill(w.Int(0), 0); errors.Is(err, syscall.EPERM) {
		said = "EPERM"
	} else if err != nil {
		said = err.Error()
	}
	return w.Result(said)
}

// waitEnded waits until a child of this process has ended, and does not wait for it in the sense of wait(2).
func waitEnded(t *testing.T, pid int) {
	t.Helper()
	ended := func() bool {
		out, err := exec.CommandContext(t.Context(), "ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		if err != nil {
			t.Skipf("ps does not tell the state of a process here: %v", err)
		}
		return strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
	}
	for deadline := time.Now().Add(time.Minute); !ended(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "process %d does not end", pid)
	}
}

func TestProbing(t *testing.T) {
	t.Parallel()

	// kill(2): "If sig is 0, then no signal is sent, but existence and permission checks are still performed"; EPERM, "The
	// calling process does not have permission to send the signal to any of the target processes."
	t.Run("signal 0 to another user's live process fails with EPERM", func(t *testing.T) {
		t.Parallel()
		asker := lab.Launch(t, lab.Options{Unprivileged: true}, "probe", "1")
		var said string
		asker.Result(&said)
		if said == "no error" {
			t.Skip("process 1 belongs to this user here, as in some containers")
		}
		require.Equal(t, "EPERM", said)
	})

	// kill(2): ESRCH, "The target process or process group does not exist."
	t.Run("signal 0 to a live process returns no error, and to one that is gone ESRCH", func(t *testing.T) {
		t.Parallel()
		process := lab.Start(t, "stay")
		process.Reached("staying")
		require.NoError(t, syscall.Kill(process.PID(), 0))
		process.Kill()
		require.ErrorIs(t, syscall.Kill(process.PID(), 0), syscall.ESRCH)
	})

	// kill(2): "Note that an existing process might be a zombie, a process that has terminated execution, but has not yet been
	// wait(2)ed for."
	t.Run("signal 0 finds a process that has ended until its parent has waited for it", func(t *testing.T) {
		t.Parallel()
		process, err := os.StartProcess(os.Args[0], []string{os.Args[0], "-test.run=^$"}, &os.ProcAttr{Files: []*os.File{nil, nil, nil}})
		require.NoError(t, err)
		waitEnded(t, process.Pid)
		require.NoError(t, syscall.Kill(process.Pid, 0))
		_, err = process.Wait()
		require.NoError(t, err)
		require.ErrorIs(t, syscall.Kill(process.Pid, 0), syscall.ESRCH)
	})

	// kill(2): "If pid equals 0, then sig is sent to every process in the process group of the calling process."
	t.Run("signal 0 to the number 0 is about a group, and never fails", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, syscall.Kill(0, 0))
		number, err := strconv.Atoi("")
		require.Error(t, err)
		require.Zero(t, number, "an empty PID file read without a look at the error")
	})
}
