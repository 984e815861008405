package seektruncate_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

func TestWhatTheKernelSees(t *testing.T) {
	t.Parallel()

	// internal/poll.FD.Write: one write(2) for up to 1 GiB, and another one after a partial write.
	for _, c := range []struct {
		name         string
		length, room int
		calls        []string
	}{
		{"a WriteString of a mebibyte is one write", 1 << 20, 1 << 20, []string{"= 1048576"}},
		{"after a partial write Go writes the rest with a second one", 20, 7, []string{"= 7", "= -1 EFBIG"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.log", "")
			wrap, log := lab.Strace(t, "-P", path, "-e", "trace=write", "-e", "signal=none")
			worker := lab.Launch(t, lab.Options{Wrap: wrap}, "append a length within a limit", path, fmt.Sprint(c.length), fmt.Sprint(c.room))
			require.NoError(t, worker.Wait())
			var calls []string
			for line := range strings.Lines(content(t, log)) {
				if strings.Contains(line, "write(") {
					calls = append(calls, line)
				}
			}
			require.Len(t, calls, len(c.calls))
			for i, result := range c.calls {
				require.Contains(t, calls[i], result)
			}
		})
	}

	// lseek(2), "Seeking file data and holes"; inode(7), st_blocks. Not every file system keeps holes as such.
	t.Run("a hole takes no blocks on the disk", func(t *testing.T) {
		t.Parallel()
		const length = 64 << 20
		file := create(t, "")
		require.NoError(t, file.Truncate(length))
		info, err := os.Stat(file.Name())
		require.NoError(t, err)
		require.EqualValues(t, length, info.Size())
		stat, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		require.Less(t, stat.Blocks*512, int64(1<<20), "64 MiB of hole")
	})
}
