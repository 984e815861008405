package close_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"example/turnstile/internal/lab"
)

func init() { workers["report the limit"] = reportTheLimit }

// Source: syscall/rlimit.go (go.dev/issue/46279): "We set Cur to Max - 1 so that we are more likely to detect cases where another
// process uses prlimit to change our resource limits." The worker is started under a soft limit of 64 and a hard limit of 200.
func TestGoRaisesTheLimit(t *testing.T) {
	t.Parallel()
	wrap := []string{"/bin/sh", "-c", `ulimit -S -n 64 && ulimit -H -n 200 && exec "$@"`, "sh"}
	worker := lab.Launch(t, lab.Options{Wrap: wrap}, "report the limit")
	var limit unix.Rlimit
	worker.Result(&limit)
	require.NoError(t, worker.Wait())

	t.Run("a Go program raises its limit to the hard limit minus one", func(t *testing.T) {
		require.EqualValues(t, 200, limit.Max)
		require.EqualValues(t, 199, limit.Cur)
	})
}

func reportTheLimit(w *lab.Worker) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	return w.Result(limit)
}
