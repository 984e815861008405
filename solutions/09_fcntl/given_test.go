package fcntl_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/09_fcntl/rows"
)

// The package that the exercise gives ready-made keeps what its comments promise.

func TestRows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "parts.table")
	_, err := rows.Read(path, 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = rows.Len(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, rows.Write(path, 0, rows.Row{Part: "nut"}), fs.ErrNotExist)
	require.NoFileExists(t, path)

	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, rows.Write(path, 0, rows.Row{Part: "bracket", Number: 1}))
	require.NoError(t, rows.Write(path, 1, rows.Row{Part: "hinge", Number: -4}))
	require.NoError(t, rows.Write(path, 0, rows.Row{Part: "nineteen-characters", Number: 99999999999}))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "nineteen-characters 99999999999\nhinge                        -4\n", string(content))
	all, err := rows.ReadAll(path)
	require.NoError(t, err)
	require.Equal(t, []rows.Row{{Part: "nineteen-characters", Number: 99999999999}, {Part: "hinge", Number: -4}}, all)

	for _, n := range []int64{-1, 3, 1 << 59, 1<<63 - 1} {
		require.ErrorIs(t, rows.Write(path, n, rows.Row{Part: "nut"}), rows.ErrNoRow, n)
	}
	for _, n := range []int64{-1, 2, 1 << 59, 1<<63 - 1} {
		_, err := rows.Read(path, n)
		require.ErrorIs(t, err, rows.ErrNoRow, n)
	}
	for _, row := range []rows.Row{{Part: strings.Repeat("x", 20)}, {Part: "nut", Number: 1e11}, {Part: "two words"}, {Part: "two\nlines"}} {
		require.ErrorContains(t, rows.Write(path, 1, row), "do not fit", row)
	}
	unchanged, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(content), string(unchanged))

	require.NoError(t, os.WriteFile(path, content[:40], 0o600))
	_, err = rows.Len(path)
	require.ErrorContains(t, err, "damaged")
	_, err = rows.Read(path, 1)
	require.Error(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("x", 32)), 0o600))
	_, err = rows.Read(path, 0)
	require.ErrorContains(t, err, "damaged")
}
