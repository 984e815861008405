//go:build unix

package fcntl_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// fcntl(2), "Advisory record locking": "The locks are owned by the process", so to say.
func TestOwner(t *testing.T) {
	t.Parallel()

	t.Run("another process is another owner", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32")
		p[1].busy("posix exclusive f 0 32")
		p[1].waits("posix-wait exclusive f 0 32")
	})
	t.Run("two opens in one process are one owner", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("open g", "posix exclusive f 0 32", "posix exclusive g 0 32")
	})
	t.Run("goroutines, and the threads they run in, are one owner", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("open g", "posix-wait exclusive f 0 32", "thread posix-wait exclusive g 0 32")
	})

	// fcntl(2): "If a process closes any file descriptor referring to a file, then all of the process's locks on that file are released,
	// regardless of the file descriptor(s) on which the locks were obtained."
	t.Run("closing any descriptor of the file ends all of the process's locks on it", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("open g", "posix exclusive f 0 32", "posix exclusive f 32 32", "close g")
		p[1].must("posix exclusive f 0 64")
	})
	t.Run("a read of the file through another descriptor ends the lock when that one is closed", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32", "read g")
		p[1].busy("posix exclusive f 0 32") // still
		p[0].must("close g")
		p[1].must("posix exclusive f 0 32")
	})
	t.Run("a descriptor that was opened by another name of the file ends it too", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32", "link g", "close g")
		p[1].must("posix exclusive f 0 32")
	})
	t.Run("and so does a duplicate", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32", "duplicate f g", "close g")
		p[1].must("posix exclusive f 0 32")
	})

	t.Run("an owner that is killed has no lock any more", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32")
		p[0].Kill()
		p[1].must("posix exclusive f 0 32")
	})
	t.Run("a program that does not ask for the lock reads and writes as it likes", func(t *testing.T) {
		t.Parallel()
		path, p := programs(t, 1)
		p[0].must("posix exclusive f 0 0")
		require.NoError(t, os.WriteFile(path, []byte("not asked"), 0o600))
	})
}

// fcntl(2), F_GETLK
func TestAsking(t *testing.T) {
	t.Parallel()
	t.Run("F_GETLK names a lock that is in the way, and its process", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 32 32")
		require.Equal(t, "exclusive 32+32 by process", p[1].do("ask-posix exclusive f 0 0"))
		require.Equal(t, "free", p[1].do("ask-posix exclusive f 0 32"))
	})
	t.Run("F_GETLK does not report the process's own locks", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("open g", "posix exclusive f 0 32")
		require.Equal(t, "free", p[0].do("ask-posix exclusive g 0 32"))
	})
	// eclipse-iceoryx/iceoryx2#1718, haskell/unix#44
	t.Run("to ask through a second descriptor, and to close it, ends one's own lock", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32", "open g")
		require.Equal(t, "free", p[0].do("ask-posix exclusive g 0 32"))
		p[1].busy("posix exclusive f 0 32") // asking alone does no harm
		p[0].must("close g")
		p[1].must("posix exclusive f 0 32")
	})
	t.Run("an answer is out of date at once", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		require.Equal(t, "free", p[0].do("ask-posix exclusive f 0 32"))
		p[1].must("posix exclusive f 0 32")
		p[0].busy("posix exclusive f 0 32")
	})
}

func TestRanges(t *testing.T) {
	t.Parallel()
	t.Run("ranges that do not overlap do not see each other", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32")
		p[1].must("posix exclusive f 32 32")
		p[0].busy("posix exclusive f 32 1")
		p[1].busy("posix exclusive f 31 1")
	})
	t.Run("shared locks of the same bytes go together", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 3)
		p[0].must("posix shared f 0 64")
		p[1].must("posix shared f 32 32")
		p[2].busy("posix exclusive f 32 32")
	})
	t.Run("bytes behind the end of the file can be locked", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 6400 32")
		p[1].busy("posix exclusive f 6400 32")
	})
	t.Run("length 0 is everything from the start on, however much the file grows", func(t *testing.T) {
		t.Parallel()
		path, p := programs(t, 2)
		p[0].must("posix exclusive f 32 0")
		require.NoError(t, os.Truncate(path, 6400))
		p[1].busy("posix exclusive f 6368 32")
		p[1].busy("posix exclusive f 1000000 1")
		p[1].must("posix exclusive f 0 32")
	})
	t.Run("a range as long as the file does not hold what is appended", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 64")
		p[1].must("posix exclusive f 64 32")
	})
	t.Run("l_whence SEEK_CUR counts from where the handle stands", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("seek f 32", "posix exclusive f 0 32 current")
		p[1].must("posix exclusive f 0 32")
		p[1].busy("posix exclusive f 32 32")
	})
	t.Run("SEEK_END counts from the end that the file has at this moment", func(t *testing.T) {
		t.Parallel()
		path, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32 end")
		require.NoError(t, os.Truncate(path, 96))
		p[1].must("posix exclusive f 0 32 end")
		p[1].busy("posix exclusive f 64 32")
	})
	t.Run("a negative length is the bytes before the start", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 64 -32")
		p[1].must("posix exclusive f 64 32")
		p[1].busy("posix exclusive f 32 32")
	})
	t.Run("a range that begins before the file is EINVAL", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		require.Equal(t, "EINVAL", p[0].do("posix exclusive f 0 -32"))
		require.Equal(t, "EINVAL", p[0].do("posix exclusive f -32 32"))
	})
	t.Run("an unlock in the middle leaves two locks", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 64", "posix none f 16 32")
		p[1].must("posix exclusive f 16 32")
		p[1].busy("posix exclusive f 0 16")
		p[1].busy("posix exclusive f 48 16")
	})
	t.Run("locks do not count: one unlock ends two locks of the same bytes", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32", "posix exclusive f 0 64", "posix none f 0 32")
		p[1].must("posix exclusive f 0 32")
	})
}

func TestModes(t *testing.T) {
	t.Parallel()
	// fcntl(2), EBADF: "cmd is F_SETLK or F_SETLKW and the file descriptor open mode doesn't match with the type of lock requested."
	t.Run("an exclusive lock through a handle for reading is EBADF", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("read g", "posix shared g 0 32")
		require.Equal(t, "EBADF", p[0].do("posix exclusive g 0 32"))
	})
	t.Run("a shared lock through a handle for writing is EBADF", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 1)
		p[0].must("write g", "posix exclusive g 0 32")
		require.Equal(t, "EBADF", p[0].do("posix shared g 0 32"))
	})
	t.Run("an upgrade that is refused keeps the shared lock", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 3)
		p[0].must("posix shared f 0 32")
		p[1].must("posix shared f 0 32")
		p[0].busy("posix exclusive f 0 32")
		p[1].must("posix none f 0 32")
		p[2].busy("posix exclusive f 0 32")
	})
}

// fcntl(2), EDEADLK and BUGS, "Deadlock detection".
func TestDeadlock(t *testing.T) {
	t.Parallel()
	t.Run("of two processes that wait for each other, one gets EDEADLK", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32")
		p[1].must("posix exclusive f 32 32")
		p[0].waits("posix-wait exclusive f 32 32")
		require.Equal(t, "EDEADLK", p[1].do("posix-wait exclusive f 0 32"))
		p[1].must("posix none f 32 32") // it still has its lock, and must give it back
		require.Equal(t, "ok", p[0].end())
	})
	t.Run("of two readers that upgrade, one gets EDEADLK", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix shared f 0 32")
		p[1].must("posix shared f 0 32")
		p[0].waits("posix-wait exclusive f 0 32")
		require.Equal(t, "EDEADLK", p[1].do("posix-wait exclusive f 0 32"))
	})
	// golang/go#32817
	t.Run("a thread gets EDEADLK although another thread of its process could go on", func(t *testing.T) {
		t.Parallel()
		_, p := programs(t, 2)
		p[0].must("posix exclusive f 0 32")
		p[1].must("posix exclusive f 32 32")
		p[1].waits("posix-wait exclusive f 0 32")
		require.Equal(t, "EDEADLK", p[0].do("thread posix-wait exclusive f 32 32"))
		p[0].must("posix none f 0 32") // the first thread was not waiting for anything
		require.Equal(t, "ok", p[1].end())
	})
}
