package seektruncate_test

import (
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// ZwSetInformationFile, FileEndOfFileInformation, needs FILE_WRITE_DATA, which Go leaves out for O_APPEND (syscall.Open).
func TestAppendOnWindows(t *testing.T) {
	t.Parallel()
	t.Run("on Windows a file opened with O_APPEND cannot be truncated", func(t *testing.T) {
		t.Parallel()
		if lab.Wine() {
			t.Skip("Wine cuts a file through a handle without FILE_WRITE_DATA too")
		}
		path := lab.WriteFile(t, "checkouts.log", "alice took bracket.step\n")
		require.Error(t, open(t, path, appendOnly).Truncate(5))
		require.Equal(t, "alice took bracket.step\n", content(t, path))
	})
}
