//go:build unix

package seektruncate_test

import (
	"fmt"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// RLIMIT_FSIZE stands for a full disk: write(2), DESCRIPTION, names both as reasons for a partial write.
func TestAFullDisk(t *testing.T) {
	t.Parallel()

	t.Run("a write that runs out of room leaves the first part of the line, without a newline", func(t *testing.T) {
		t.Parallel()
		const old, line = "alice took bracket.step\n", "bob took hinge.step\n"
		path := lab.WriteFile(t, "checkouts.log", old)
		bob := lab.Start(t, "append within a limit", path, line, fmt.Sprint(len(old)+7))
		var call written
		bob.Result(&call)
		require.NoError(t, bob.Wait())
		require.Equal(t, written{7, "file too large"}, call)
		require.Equal(t, old+"bob too", content(t, path))

		write(t, open(t, path, appendOnly), "carol took lid.step\n")
		require.Equal(t, old+"bob toocarol took lid.step\n", content(t, path), "the next line stands right behind the half one")
	})

	t.Run("a refused write leaves the old document whole when nothing was cut before", func(t *testing.T) {
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
