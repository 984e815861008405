package lockmanager_test

import (
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

func TestNames(t *testing.T) {
	t.Parallel()
	t.Run("four spellings are one file", func(t *testing.T) {
		t.Parallel()
		directory := filepath.Dir(lab.WriteFile(t, "bracket.step", "a drawing"))
		require.NoError(t, os.Mkdir(filepath.Join(directory, "x"), 0o700))
		for _, spelling := range []string{"bracket.step", "./bracket.step", ".//bracket.step", "x/../bracket.step"} {
			content, err := os.ReadFile(directory + "/" + spelling)
			require.NoError(t, err)
			require.Equal(t, "a drawing", string(content))
		}
	})
	t.Run("path.Clean makes one of a part's spellings, and lets others out of the directory", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "a/b", path.Clean("./a//x/../b"))
		require.Equal(t, "../b", path.Clean("a/../../b"))
		require.Equal(t, "/a", path.Clean("/a"))
		require.Equal(t, `a\b`, path.Clean(`a\b`))
	})
	// https://github.com/git-lfs/git-lfs/issues/2138
	t.Run("a backslash is a letter of a name on Unix, and a slash on Windows", func(t *testing.T) {
		t.Parallel()
		directory := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(directory, "a"), 0o700))
		require.NoError(t, os.WriteFile(directory+`/a\b`, nil, 0o600))
		_, err := os.Stat(filepath.Join(directory, "a", "b"))
		require.Equal(t, runtime.GOOS == "windows", err == nil)
	})
	// https://github.com/git-lfs/git-lfs/issues/2496
	t.Run("names that differ in the letters' case are one file on Windows, and two on Linux", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS != "windows" && runtime.GOOS != "linux" {
			t.Skip("it depends on the disk here")
		}
		name := lab.WriteFile(t, "bracket.step", "")
		_, err := os.Stat(filepath.Join(filepath.Dir(name), "Bracket.STEP"))
		require.Equal(t, runtime.GOOS == "windows", err == nil)
	})
	t.Run("strings.EqualFold finds pairs that ToLower leaves apart", func(t *testing.T) {
		t.Parallel()
		require.True(t, strings.EqualFold("ΣΤΕΠ", "στεπ"))
		require.True(t, strings.EqualFold("ΚΌΣΜΟΣ", "κόσμος"))
		require.NotEqual(t, strings.ToLower("ΚΌΣΜΟΣ"), strings.ToLower("κόσμος"), "the last letter has two small forms")
	})
	t.Run("EqualFold takes é in one code point and in two for different", func(t *testing.T) {
		t.Parallel()
		require.False(t, strings.EqualFold("caf\u00e9", "cafe\u0301"))
	})
}
