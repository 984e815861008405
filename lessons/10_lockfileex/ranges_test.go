package lockfileex_test

import (
	"io"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/10_lockfileex/winfile"
)

// LockFileEx, UnlockFile; [MS-FSA] 2.1.4.10, 2.1.5.8.
func TestRanges(t *testing.T) {
	t.Parallel()
	t.Run("two ranges that do not overlap are two locks", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 0, 4))
		require.NoError(t, lock(b, exclusive|now, 4, 4))
		refused(t, lock(b, exclusive|now, 3, 1))
	})
	t.Run("a range beyond the end of the file can be locked, and on an empty file, too", func(t *testing.T) {
		t.Parallel()
		path := list(t, "")
		a, b := opened(t, path), opened(t, path)
		require.NoError(t, lock(a, exclusive, math.MaxInt64, 1))
		refused(t, lock(b, exclusive|now, math.MaxInt64, 1))
		size, err := a.Size()
		require.NoError(t, err)
		require.Zero(t, size)
	})
	t.Run("a range of no bytes at offset 0 keeps no one out", func(t *testing.T) {
		t.Parallel()
		notWine(t, "refuses a second range of no bytes")
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 0, 0))
		require.NoError(t, lock(b, exclusive|now, 0, 0))
		require.NoError(t, lock(b, exclusive|now, 0, 8))
	})
	t.Run("an unlock must name exactly the range that was locked", func(t *testing.T) {
		t.Parallel()
		a, _ := two(t)
		require.NoError(t, lock(a, exclusive, 0, 4))
		require.ErrorIs(t, unlock(a, 0, 2), winfile.ERROR_NOT_LOCKED)
		require.ErrorIs(t, unlock(a, 0, 5), winfile.ERROR_NOT_LOCKED)
		require.NoError(t, unlock(a, 0, 4))
	})
	t.Run("two ranges side by side cannot be unlocked as one", func(t *testing.T) {
		t.Parallel()
		a, _ := two(t)
		require.NoError(t, lock(a, exclusive, 0, 4))
		require.NoError(t, lock(a, exclusive, 4, 4))
		require.ErrorIs(t, unlock(a, 0, 8), winfile.ERROR_NOT_LOCKED)
	})
	t.Run("the low half alone of an offset is another offset", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		var offset uint64 = 1<<63 + 3
		require.NoError(t, winfile.LockFileEx(a.Handle(), exclusive, 0, 1, 0, &winfile.Overlapped{Offset: uint32(offset)}))
		require.NoError(t, lock(b, exclusive|now, offset, 1))
		refused(t, lock(b, exclusive|now, 3, 1))
	})
	t.Run("the numbers of bytes are one length in two halves, and not an offset", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, winfile.LockFileEx(a.Handle(), exclusive, 0, 0, 1, &winfile.Overlapped{})) // 0 and 1: 4 GiB from offset 0 on
		refused(t, lock(b, exclusive|now, 0, 1))
		refused(t, lock(b, exclusive|now, 1<<32-1, 1))
		require.NoError(t, lock(b, exclusive|now, 1<<32, 1))
	})
	t.Run("the offset of the file does not move the range", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		_, err := a.WriteAt([]byte("abc"), 5)
		require.NoError(t, err)
		require.NoError(t, lock(a, exclusive, 0, 1))
		refused(t, lock(b, exclusive|now, 0, 1))
	})
	t.Run("a range that goes beyond offset 1<<64-1 is refused", func(t *testing.T) {
		t.Parallel()
		a, _ := two(t)
		err := lock(a, exclusive|now, 2, math.MaxUint64)
		require.Error(t, err)
		require.NotErrorIs(t, err, winfile.ERROR_LOCK_VIOLATION)
	})
}

// LockFileEx: "Locking a portion of a file for exclusive access denies all other processes both read and write access to the specified
// region of the file."
func TestMandatory(t *testing.T) {
	t.Parallel()
	byteOf := make([]byte, 1)
	t.Run("a read of a range that another handle has locked exclusively fails, in the same process too", func(t *testing.T) {
		t.Parallel()
		notWine(t, "reads locked ranges")
		path := list(t, "12345678")
		a, b := opened(t, path), opened(t, path)
		require.NoError(t, lock(a, exclusive, 4, 2))
		_, err := b.ReadAt(byteOf, 4)
		refused(t, err)
		_, err = winfile.ReadFile(path)
		refused(t, err)
	})
	t.Run("a write into a range that another handle has locked fails", func(t *testing.T) {
		t.Parallel()
		notWine(t, "writes into locked ranges")
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 4, 2))
		_, err := b.WriteAt([]byte("x"), 5)
		refused(t, err)
		require.NoError(t, unlock(a, 4, 2))
		require.NoError(t, lock(a, shared, 4, 2))
		_, err = b.WriteAt([]byte("x"), 5)
		refused(t, err)
	})
	t.Run("the handle with the exclusive lock reads and writes", func(t *testing.T) {
		t.Parallel()
		a, _ := two(t)
		require.NoError(t, lock(a, exclusive, 0, 8))
		_, err := a.WriteAt([]byte("x"), 0)
		require.NoError(t, err)
		content, err := a.ReadAll()
		require.NoError(t, err)
		require.Equal(t, "x2345678", string(content))
	})
	t.Run("a shared lock lets all handles read, and none write, not even its own", func(t *testing.T) {
		t.Parallel()
		notWine(t, "writes into locked ranges")
		a, b := two(t)
		require.NoError(t, lock(a, shared, 0, 8))
		for _, f := range []*winfile.File{a, b} {
			_, err := f.ReadAll()
			require.NoError(t, err)
			_, err = f.WriteAt([]byte("x"), 0)
			refused(t, err)
		}
	})
	t.Run("bytes beside the range are everyone's", func(t *testing.T) {
		t.Parallel()
		a, b := two(t)
		require.NoError(t, lock(a, exclusive, 4, 2))
		_, err := b.ReadAt(make([]byte, 4), 0)
		require.NoError(t, err)
		_, err = b.WriteAt([]byte("xy"), 6)
		require.NoError(t, err)
	})
	t.Run("a lock beyond the end leaves all bytes of the file to everyone", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		a, b := opened(t, path), opened(t, path)
		require.NoError(t, lock(a, exclusive, math.MaxInt64, 1))
		content, err := winfile.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "12345678", string(content))
		_, err = b.WriteAt([]byte("9"), 8)
		require.NoError(t, err)
		_, err = b.ReadAt(byteOf, 9)
		require.ErrorIs(t, err, io.EOF)
	})
}

// LockFileEx on hFile and on asynchronous I/O; Go's syscall.Open for Windows.
func TestHandles(t *testing.T) {
	t.Parallel()
	t.Run("a handle for reading alone gets an exclusive lock", func(t *testing.T) {
		t.Parallel()
		f, err := winfile.OpenFile(list(t, "12345678"), os.O_RDONLY, 0)
		require.NoError(t, lock(closing(t, f, err), exclusive|now, 0, 1))
	})
	t.Run("an append-only handle is refused", func(t *testing.T) {
		t.Parallel()
		notWine(t, "locks an append-only handle")
		f, err := winfile.OpenFile(list(t, "12345678"), os.O_WRONLY|os.O_APPEND, 0)
		require.ErrorIs(t, lock(closing(t, f, err), exclusive|now, 0, 1), winfile.ERROR_ACCESS_DENIED)
	})
	t.Run("on an overlapped handle LockFileEx does not wait: it returns ERROR_IO_PENDING", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		a, b := opened(t, path), overlapped(t, path)
		require.NoError(t, lock(a, exclusive, 0, 1))
		require.ErrorIs(t, lock(b, exclusive, 0, 1), winfile.ERROR_IO_PENDING)
		refused(t, lock(opened(t, path), shared|now, 0, 1))
	})
	t.Run("GetOverlappedResult waits until a pending request has its lock", func(t *testing.T) {
		t.Parallel()
		notWine(t, "reports a pending request as granted")
		path := list(t, "12345678")
		a, b, c := opened(t, path), overlapped(t, path), opened(t, path)
		require.NoError(t, lock(a, shared, 0, 1))
		request := at(0)
		require.ErrorIs(t, winfile.LockFileEx(b.Handle(), exclusive, 0, 1, 0, request), winfile.ERROR_IO_PENDING)
		var done uint32
		require.ErrorIs(t, winfile.GetOverlappedResult(b.Handle(), request, &done, false), winfile.ERROR_IO_INCOMPLETE)
		require.NoError(t, unlock(a, 0, 1))
		require.NoError(t, winfile.GetOverlappedResult(b.Handle(), request, &done, true))
		refused(t, lock(c, shared|now, 0, 1))
	})
	t.Run("with LOCKFILE_FAIL_IMMEDIATELY an overlapped handle is like any other", func(t *testing.T) {
		t.Parallel()
		path := list(t, "12345678")
		a, b := opened(t, path), overlapped(t, path)
		require.NoError(t, lock(a, exclusive, 0, 1))
		refused(t, lock(b, exclusive|now, 0, 1))
		require.NoError(t, unlock(a, 0, 1))
		require.NoError(t, lock(b, exclusive|now, 0, 1))
	})
}

func overlapped(t *testing.T, path string) *winfile.File {
	t.Helper()
	f, err := winfile.OpenWith(path, os.O_RDWR, 0, winfile.FILE_SHARE_READ|winfile.FILE_SHARE_WRITE, winfile.FILE_FLAG_OVERLAPPED)
	return closing(t, f, err)
}
