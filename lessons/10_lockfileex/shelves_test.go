package lockfileex_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/10_lockfileex/winfile"
)

// beyond is the high half of an offset: 1<<31 times four gigabytes. Lengths of files are int64, so no file has a byte there.
const beyond = 1 << 31

// atShelf runs work while no other handle works at the shelf. Each shelf has a byte of its own, beyond the end of the list of all shelves.
func atShelf(list *winfile.File, shelf uint32, work func() error) (err error) {
	at := &winfile.Overlapped{Offset: shelf, OffsetHigh: beyond}
	if err := winfile.LockFileEx(list.Handle(), winfile.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, at); err != nil {
		return fmt.Errorf("lock shelf %d: %w", shelf, err)
	}
	defer func() { err = errors.Join(err, winfile.UnlockFileEx(list.Handle(), 0, 1, 0, at)) }()
	return work()
}

func TestShelves(t *testing.T) {
	t.Parallel()
	t.Run("each shelf has its own lock, and everyone reads the list", func(t *testing.T) {
		t.Parallel()
		path := list(t, "bolts\nhinges\n")
		a, b := opened(t, path), opened(t, path)
		require.NoError(t, atShelf(a, 1, func() error {
			refused(t, winfile.LockFileEx(b.Handle(), exclusive|now, 0, 1, 0, &winfile.Overlapped{Offset: 1, OffsetHigh: beyond}))
			_, err := winfile.ReadFile(path)
			return errors.Join(err, atShelf(b, 2, func() error { return nil }))
		}))
		require.NoError(t, atShelf(b, 1, func() error { return nil }))
	})
}
