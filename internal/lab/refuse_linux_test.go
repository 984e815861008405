package lab_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/internal/lab"
)

// Unlike other sets, this one is about an argument: a lock that was taken before can be given back.
func TestRefuseFlock(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	require.NoError(t, err)
	defer f.Close()
	for _, how := range []int{syscall.LOCK_SH, syscall.LOCK_EX | syscall.LOCK_NB} {
		var locked, unlocked error
		err = lab.Refuse("flock", syscall.ENOLCK, func() {
			locked, unlocked = syscall.Flock(int(f.Fd()), how), syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		})
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		require.NoError(t, err)
		require.ErrorIs(t, locked, syscall.ENOLCK)
		require.NoError(t, unlocked)
	}
}
