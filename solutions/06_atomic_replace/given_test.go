package atomicreplace_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/06_atomic_replace/place"
)

// What the given packages promise beyond what the exercise's tests ask.

func TestPlace(t *testing.T) {
	t.Parallel()

	t.Run("names temporary files that it knows again, of at most 255 bytes", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		long := strings.Repeat("n", 220)
		for _, name := range []string{"locks.json", ".locks", "é", strings.Repeat("é", 127), long + "1", long + "2"} {
			at := place.Place{Path: filepath.Join(dir, name)}
			dir, temp := filepath.Split(at.TempName())
			require.Equal(t, at.Dir(), dir)
			require.LessOrEqual(t, len(temp), 255)
			require.True(t, at.IsTemp(temp), temp)
			require.NotEqual(t, temp, filepath.Base(at.TempName()))
			for _, other := range []string{"locks", "locks.jso", long + "3", "other"} {
				require.False(t, place.Place{Path: filepath.Join(dir, other)}.IsTemp(temp), "%s for %s", temp, other)
			}
		}
		at := place.Place{Path: filepath.Join(dir, "locks.json")}
		for _, name := range []string{
			"", ".locks.json.tmp", ".locks.json..tmp", ".locks.json.swp", ".locks.json." + strings.Repeat("a", 26) + ".tmp",
			".locks.json." + strings.Repeat("A", 25) + ".tmp", "locks.json." + strings.Repeat("A", 26) + ".tmp",
			".locks.json." + strings.Repeat("A", 26),
		} {
			require.False(t, at.IsTemp(name), name)
		}
	})

	t.Run("refuses what no rename may replace", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		for _, path := range []string{"", dir, dir + string(os.PathSeparator), os.DevNull} {
			if path == os.DevNull && runtime.GOOS == "windows" {
				continue
			}
			_, err := place.Find(path)
			require.ErrorIs(t, err, fs.ErrInvalid, "%q", path)
		}
	})

	t.Run("finds a file, and a place where there is none", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "locks.json")
		at, err := place.Find(path)
		require.NoError(t, err)
		require.Equal(t, path, at.Path)
		require.Nil(t, at.Old)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		at, err = place.Find(path)
		require.NoError(t, err)
		require.NotNil(t, at.Old)
	})

	t.Run("takes a relative path from the working directory, without cleaning", func(t *testing.T) {
		t.Parallel()
		working, err := os.Getwd()
		require.NoError(t, err)
		at, err := place.Find(filepath.Join("wrong", "nowhere.json"))
		require.NoError(t, err)
		require.Equal(t, filepath.Join(working, "wrong", "nowhere.json"), at.Path)
		if runtime.GOOS != "windows" {
			at, err = place.Find("wrong/../nowhere.json")
			require.NoError(t, err)
			require.Equal(t, working+"/wrong/../nowhere.json", at.Path)
		}
	})
}
