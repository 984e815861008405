package lockfileex_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/10_lockfileex/winfile"
	"example/turnstile/internal/lab"
)

// The facts of this lesson are asked of package winfile: of Windows itself in a Windows build, and of its model elsewhere.

func TestMain(m *testing.M) { lab.Main(m, lab.Workers{"holder": holder}) }

const (
	now       = winfile.LOCKFILE_FAIL_IMMEDIATELY
	exclusive = winfile.LOCKFILE_EXCLUSIVE_LOCK
	shared    = 0
)

// holder opens the file at PATH, takes an exclusive lock on its first byte, and stands at "holding". Then it unlocks.
func holder(w *lab.Worker) error {
	f, err := winfile.OpenFile(w.Arg(0), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := lock(f, exclusive, 0, 1); err != nil {
		return err
	}
	w.Reached("holding")
	return errors.Join(unlock(f, 0, 1), f.Close())
}

func list(t *testing.T, content string) (path string) {
	t.Helper()
	requireKnown(t)
	return lab.WriteFile(t, "jobs.txt", content)
}

// opened opens the file once more, for reading and writing, until the test ends.
func opened(t *testing.T, path string) *winfile.File {
	t.Helper()
	f, err := winfile.OpenFile(path, os.O_RDWR, 0)
	return closing(t, f, err)
}

func closing(t *testing.T, f *winfile.File, err error) *winfile.File {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// two opens a file of eight bytes twice.
func two(t *testing.T) (a, b *winfile.File) {
	t.Helper()
	path := list(t, "12345678")
	return opened(t, path), opened(t, path)
}

func at(offset uint64) *winfile.Overlapped {
	return &winfile.Overlapped{Offset: uint32(offset & 0xffffffff), OffsetHigh: uint32(offset >> 32)}
}

func lock(f *winfile.File, flags uint32, offset, length uint64) error {
	return winfile.LockFileEx(f.Handle(), flags, 0, uint32(length&0xffffffff), uint32(length>>32), at(offset))
}

func unlock(f *winfile.File, offset, length uint64) error {
	return winfile.UnlockFileEx(f.Handle(), 0, uint32(length&0xffffffff), uint32(length>>32), at(offset))
}

// refused demands that the lock is not free.
func refused(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, winfile.ERROR_LOCK_VIOLATION)
}

func requireKnown(t *testing.T) {
	t.Helper()
	if _, err := winfile.OpenFile(lab.Path(t, "no such file"), os.O_RDONLY, 0); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
}

// notWine skips what Wine does otherwise than Windows (docs/wine.md).
func notWine(t *testing.T, does string) {
	t.Helper()
	if lab.Wine() {
		t.Skip("Wine " + does + "; Windows, by its documents, does not")
	}
}
