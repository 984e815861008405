//go:build unix && !aix && !solaris

package repository_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/14_repository/objects"
	repository "example/turnstile/solutions/14_repository"
)

func TestAPipeIsNotAnObject(t *testing.T) {
	t.Parallel()
	r, dir := newRepository(t, repository.Options{})
	pipe := filepath.Join(dir, objects.Name(objects.ID{1}))
	require.NoError(t, os.MkdirAll(filepath.Dir(pipe), 0o700))
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	_, err := r.Get(t.Context(), objects.ID{1})
	require.ErrorIs(t, err, fs.ErrInvalid)
	found, err := listed(r)
	require.NoError(t, err)
	require.Empty(t, found)
}
