//go:build unix

package seektruncate_test

import (
	"fmt"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// A limit of the process (RLIMIT_FSIZE) makes the kernel refuse the write: write(2), DESCRIPTION, names it beside a full disk as a reason
// for a partial write.
func TestARefusedWrite(t *testing.T) {
	t.Parallel()

	t.Run("a write that the kernel refuses in the middle leaves the first part of the line", func(t *testing.T) {
		t.Parallel()
		const old, line = firstLine, "bob took hinge.step\n"
		path := lab.WriteFile(t, "checkouts.log", old)
		bob := lab.Start(t, "write within a limit", path, line, fmt.Sprint(len(old)+7), "Write")
		var call written
		bob.Result(&call)
		require.NoError(t, bob.Wait())
		require.Equal(t, written{7, "file too large"}, call)
		require.Equal(t, old+"bob too", content(t, path))

		write(t, open(t, path, appendOnly), "carol took lid.step\n")
		require.Equal(t, old+"bob toocarol took lid.step\n", content(t, path), "the next line follows the half one directly")
	})

	// os.File.Write returns the bytes of the first write(2).
	// os.File.WriteAt adds up only what internal/poll.FD.Pwrite returns without an error.
	for _, c := range []struct {
		name, call string
		want       int
	}{
		{"after a partial write Write returns the count and the error", "Write", 19},
		{"after a partial write WriteAt returns 0 and the error", "WriteAt", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", "")
			bob := lab.Start(t, "write within a limit", path, locksOfBob, "19", c.call)
			var call written
			bob.Result(&call)
			require.NoError(t, bob.Wait())
			require.Equal(t, written{c.want, "file too large"}, call)
			require.Equal(t, locksOfBob[:19], content(t, path))
		})
	}

	t.Run("cutting the log back takes the lines that others have appended since", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.log", firstLine)
		bob := lab.Start(t, "append and cut back", path, "bob took hinge.step\n", fmt.Sprint(len(firstLine)+7))
		bob.Reached("failed")
		write(t, open(t, path, appendOnly), "carol took lid.step\n")
		require.Equal(t, firstLine+"bob toocarol took lid.step\n", content(t, path))
		bob.Continue()
		require.NoError(t, bob.Wait())
		require.Equal(t, firstLine, content(t, path), "Carol's line is gone")
	})

	t.Run("a refused write leaves the old document whole if nothing was cut before", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", locksOfAlice)
		require.NoError(t, lab.Run(t, "rewrite within a limit", path, "truncate last", "0"))
		require.Equal(t, locksOfAlice, content(t, path))
	})

	t.Run("a refused write leaves an empty file when O_TRUNC came before it", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", locksOfAlice)
		require.NoError(t, lab.Run(t, "rewrite within a limit", path, "truncate first", "0"))
		require.Empty(t, content(t, path))
	})

	// truncate(2). On Windows a handle that may only append may not set the end of the file: see On each system.
	t.Run("on Unix a file opened with O_APPEND can be truncated", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.log", "alice took bracket.step\n")
		require.NoError(t, open(t, path, appendOnly).Truncate(5))
		require.Equal(t, "alice", content(t, path))
	})
}
