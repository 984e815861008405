package process

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// A test may make a worker mistake another number for its process id, such as that of a process that has ended. Kill must not end the
// process that has this number now.
func TestKillEndsNoProcessButTheWorker(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	other := start(t, Options{}, "sleeps")
	wrap := []string{strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=getpid", "-e", fmt.Sprint("inject=getpid:retval=", other.PID())}
	for _, function := range []string{"sleeps", "user"} { // the second one is gone when it is killed
		worker := start(t, Options{Wrap: wrap}, function)
		require.NotEqual(t, other.PID(), worker.PID())
		if function == "user" {
			require.NoError(t, worker.Wait(t.Context()))
		}
		worker.Kill()
		require.NoError(t, other.StillWaiting(t.Context()), function)
	}
}
