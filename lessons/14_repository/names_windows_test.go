package repository_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func TestWindows(t *testing.T) {
	t.Parallel()

	// os.Root: "When GOOS=windows, file names may not reference Windows reserved device names such as NUL and COM1."
	t.Run("a Root refuses the names of devices, in each letter case", func(t *testing.T) {
		t.Parallel()
		_, parts := beside(t)
		for _, name := range []string{"NUL", "nul", "COM1", "con", `x\..\..\secret`, `C:\secret`} {
			require.Error(t, parts.WriteFile(name, nil, 0o600), name)
		}
	})

	// CreateFileW: without FILE_SHARE_DELETE in all handles, DeleteFile fails. os.Open does not ask for it, os.Root does.
	t.Run("a file that os.Open has open cannot be removed, and one that a Root has open can", func(t *testing.T) {
		t.Parallel()
		dir, parts := beside(t)
		file, err := os.Open(filepath.Join(dir, "parts", "bracket"))
		require.NoError(t, err)
		if lab.Wine() && parts.Remove("bracket") == nil {
			t.Skip("Wine removes it all the same")
		}
		require.Error(t, parts.Remove("bracket"))
		require.NoError(t, file.Close())
		file, err = parts.Open("bracket")
		require.NoError(t, err)
		defer file.Close()
		require.NoError(t, parts.Remove("bracket"))
	})
}
