package flock_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/08_flock/bins"
)

// The package that the exercise gives ready-made keeps what its comments promise.

func TestBins(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "stock.json")
	_, err := bins.Read(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, bins.Write(path, bins.Stock{}), fs.ErrNotExist)
	require.NoFileExists(t, path)

	for _, content := range []string{"", "null", "[]", `{"bracket":1`, `{"bracket":"1"}`, `{"bracket":1}}`} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := bins.Read(path)
		require.ErrorContains(t, err, "damaged", content)
	}
	require.NoError(t, os.WriteFile(path, []byte(`{"bracket":100,"hinge":4}  `), 0o600))
	stock, err := bins.Read(path)
	require.NoError(t, err)
	require.Equal(t, bins.Stock{"bracket": 100, "hinge": 4}, stock)
	delete(stock, "bracket")
	require.NoError(t, bins.Write(path, stock))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `{"hinge":4}`, string(content))
}
