package lockfileex_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/10_lockfileex/winfile"
	"example/turnstile/internal/lab"
)

// LockFileEx: "If the locking process opens the file a second time, it cannot access the specified region through this second handle".
func TestOwner(t *testing.T) {
	t.Parallel()
	t.Run("two handles are two owners, in one process too", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 0, 1))
		refused(t, lock(b, exclusive|now, 0, 1))
		refused(t, lock(b, shared|now, 0, 1))
		require.NoError(t, unlock(a, 0, 1))
		require.NoError(t, lock(b, exclusive|now, 0, 1))
	})
	t.Run("another process waits until the lock is given back", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		f := opened(t, path)
		require.NoError(t, lock(f, exclusive, 0, 1))
		p := lab.Start(t, "holder", path)
		p.WaitBlocked()
		require.NoError(t, unlock(f, 0, 1))
		p.Reached("holding")
		refused(t, lock(f, exclusive|now, 0, 1))
		p.Continue()
		require.NoError(t, p.Wait())
		require.NoError(t, lock(f, exclusive|now, 0, 1))
	})
	t.Run("the lock of a process that is killed comes free", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		p := lab.Start(t, "holder", path)
		p.Reached("holding")
		p.Kill()
		require.NoError(t, lock(opened(t, path), exclusive, 0, 1)) // waits: no document says how long
	})
	t.Run("the lock of a handle that is closed comes free", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 0, 1))
		require.NoError(t, a.Close())
		require.NoError(t, lock(b, exclusive, 0, 1)) // waits
	})
	t.Run("in the model, a second after the close", func(t *testing.T) {
		t.Parallel()
		if onWindows {
			t.Skip("the model alone fixes the time that Microsoft leaves open")
		}
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 0, 1))
		require.NoError(t, a.Close())
		refused(t, lock(b, exclusive|now, 0, 1))
	})
	t.Run("after an unlock the next one has the lock at once", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 0, 1))
		require.NoError(t, unlock(a, 0, 1))
		require.NoError(t, a.Close())
		require.NoError(t, lock(b, exclusive|now, 0, 1))
	})
	t.Run("a file that nothing refers to is closed by the garbage collector, and its lock ends", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		func() {
			f, err := winfile.OpenFile(path, os.O_RDWR, 0)
			require.NoError(t, err)
			require.NoError(t, lock(f, exclusive, 0, 1))
		}()
		lab.CollectGarbage()
		require.NoError(t, lock(opened(t, path), exclusive, 0, 1)) // waits
	})
}

// LockFileEx, Remarks; [MS-FSA] 2.1.4.10 and 2.1.5.9.
func TestModes(t *testing.T) {
	t.Parallel()
	t.Run("any number of handles share a lock, and keep an exclusive one out", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		for range 3 {
			require.NoError(t, lock(opened(t, path), shared|now, 0, 1))
		}
		refused(t, lock(opened(t, path), exclusive|now, 0, 1))
	})
	t.Run("an exclusive lock is refused to the handle that has it already", func(t *testing.T) {
		t.Parallel()
		a, _ := two(t)
		require.NoError(t, lock(a, exclusive, 0, 1))
		refused(t, lock(a, exclusive|now, 0, 1))
	})
	t.Run("an exclusive lock is refused to the handle that has a shared one", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, lock(a, shared, 0, 1))
		refused(t, lock(a, exclusive|now, 0, 1))
		require.NoError(t, lock(b, shared|now, 0, 1)) // and the shared one is what it was
		refused(t, lock(b, exclusive|now, 0, 1))
	})
	t.Run("shared over exclusive on one handle needs two unlocks, and the first leaves the shared lock", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 0, 1))
		require.NoError(t, lock(a, shared|now, 0, 1))
		refused(t, lock(b, shared|now, 0, 1))
		require.NoError(t, unlock(a, 0, 1))
		refused(t, lock(b, exclusive|now, 0, 1))
		require.NoError(t, lock(b, shared|now, 0, 1))
		require.NoError(t, unlock(b, 0, 1))
		require.NoError(t, unlock(a, 0, 1))
		require.NoError(t, lock(b, exclusive|now, 0, 1))
	})
	t.Run("two shared locks of one handle need two unlocks", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, lock(a, shared, 0, 1))
		require.NoError(t, lock(a, shared|now, 0, 1))
		require.NoError(t, unlock(a, 0, 1))
		refused(t, lock(b, exclusive|now, 0, 1))
		require.NoError(t, unlock(a, 0, 1))
		require.NoError(t, lock(b, exclusive|now, 0, 1))
	})
	t.Run("an unlock of what is not locked fails", func(t *testing.T) {
		t.Parallel()
		a, _ := two(t)
		require.ErrorIs(t, unlock(a, 0, 1), winfile.ERROR_NOT_LOCKED)
	})
	t.Run("a handle cannot unlock what another one has locked", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 0, 1))
		require.ErrorIs(t, unlock(b, 0, 1), winfile.ERROR_NOT_LOCKED)
		refused(t, lock(b, exclusive|now, 0, 1))
	})
}
