package contention_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/08_flock/bins"
	"example/turnstile/exercises/12_contention/shelf"
)

// The package that the exercise gives ready-made keeps what its comments promise.

func TestFind(t *testing.T) {
	directory := t.TempDir()
	directory, err := filepath.EvalSymlinks(directory)
	require.NoError(t, err)
	t.Chdir(directory)
	_, err = shelf.Find("a.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoFileExists(t, "a.json.lock")
	for _, name := range []string{"a.json", "b.json"} {
		require.NoError(t, os.WriteFile(name, []byte(`{"bracket":5}`), 0o600))
	}
	a, err := shelf.Find("a.json")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(directory, "a.json"), a.Stock)
	require.Equal(t, a.Stock+".lock", a.Lock)
	again, err := shelf.Find(filepath.Join(directory, "sub", "..", "a.json"))
	require.NoError(t, err)
	require.Equal(t, a.Lock, again.Lock)
	require.True(t, a.Same(again))
	require.Zero(t, a.Compare(again))
	b, err := shelf.Find("b.json")
	require.NoError(t, err)
	require.False(t, a.Same(b))
	require.Equal(t, a.Compare(b), -b.Compare(a))
	require.NotZero(t, a.Compare(b))
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(a.Lock)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	require.NoError(t, os.Symlink("a.json", "link"))
	link, err := shelf.Find("link")
	require.NoError(t, err)
	require.Equal(t, a.Lock, link.Lock)
	require.NoError(t, os.MkdirAll(filepath.Join("x", "y"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join("x", "a.json"), []byte("{}"), 0o600))
	require.NoError(t, os.Symlink(filepath.Join("x", "y"), "y"))
	beside, err := shelf.Find("y/../a.json") // not the one beside the link
	require.NoError(t, err)
	require.Equal(t, filepath.Join(directory, "x", "a.json"), beside.Stock)
	require.NoError(t, os.Link("a.json", "hard"))
	hard, err := shelf.Find("hard")
	require.NoError(t, err)
	require.True(t, a.Same(hard))
	require.NotZero(t, a.Compare(hard))
}

func TestWriteBoth(t *testing.T) {
	t.Parallel()
	path := [2]string{}
	s := [2]shelf.Shelf{}
	for i, name := range []string{"a.json", "b.json"} {
		path[i] = filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path[i], []byte(`{"bracket":5}`), 0o600))
		found, err := shelf.Find(path[i])
		require.NoError(t, err)
		s[i] = found
	}
	require.NoError(t, shelf.WriteBoth(s[0], bins.Stock{"bracket": 4}, s[1], bins.Stock{"bracket": 6}))
	stock, err := s[1].Read()
	require.NoError(t, err)
	require.Equal(t, bins.Stock{"bracket": 6}, stock)

	require.NoError(t, os.Remove(path[1]))
	require.ErrorIs(t, shelf.WriteBoth(s[0], bins.Stock{}, s[1], bins.Stock{}), fs.ErrNotExist)
	content, err := os.ReadFile(path[0])
	require.NoError(t, err)
	require.Equal(t, `{"bracket":4}`, string(content))
}
