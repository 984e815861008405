package seektruncate_test

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// POSIX calls what open creates an open file description: it holds the offset, and descriptors refer to it (open(2), "Open
// file descriptions"). On Windows it is the file object that a handle refers to, with its file pointer (SetFilePointer).
func TestOffset(t *testing.T) {
	t.Parallel()

	// os.File.Read, os.File.Write; read(2) and write(2), DESCRIPTION: the offset is incremented by the bytes transferred.
	t.Run("a Read and a Write move the offset by what they transferred", func(t *testing.T) {
		t.Parallel()
		file := create(t, "abcdefgh")
		require.Equal(t, "abc", read(t, file, 3))
		require.EqualValues(t, 3, offset(t, file))
		write(t, file, "XY")
		require.EqualValues(t, 5, offset(t, file))
		require.Equal(t, "abcXYfgh", content(t, file.Name()))
	})

	// lseek(2), DESCRIPTION.
	t.Run("Seek moves the offset and nothing else", func(t *testing.T) {
		t.Parallel()
		file := create(t, locksOfAlice)
		seek(t, file, 10)
		require.EqualValues(t, 10, offset(t, file))
		require.Equal(t, locksOfAlice, content(t, file.Name()))
	})

	// lseek(2): the offset may be set beyond the end; this does not change the size of the file.
	t.Run("Seek beyond the end does not make the file longer", func(t *testing.T) {
		t.Parallel()
		file := create(t, locksOfBob)
		seek(t, file, 1000)
		info, err := file.Stat()
		require.NoError(t, err)
		require.EqualValues(t, len(locksOfBob), info.Size())
	})

	// open(2): each open creates a new open file description.
	t.Run("two opens of one file have two offsets", func(t *testing.T) {
		t.Parallel()
		first := create(t, "abcdefgh")
		second := open(t, first.Name(), os.O_RDONLY)
		require.Equal(t, "abc", read(t, first, 3))
		require.Equal(t, "abc", read(t, second, 3))
	})

	// dup(2): the two descriptors refer to the same open file description and share its offset. DuplicateHandle, Remarks:
	// the duplicate refers to the same object; a file's current position is the object's.
	t.Run("a duplicated descriptor shares the offset", func(t *testing.T) {
		t.Parallel()
		first := create(t, "abcdefgh")
		second := duplicate(t, first)
		require.Equal(t, "abc", read(t, first, 3))
		require.Equal(t, "def", read(t, second, 3))
		require.EqualValues(t, 6, offset(t, first))
	})

	// fork(2): the child's descriptors refer to the parent's open file descriptions. CreateProcess: an inherited handle
	// refers to the same object.
	t.Run("a child process writes at the offset that it shares with its parent", func(t *testing.T) {
		t.Parallel()
		file := create(t, "")
		write(t, file, "parent ")
		executable, err := os.Executable()
		require.NoError(t, err)
		child := exec.CommandContext(t.Context(), executable)
		child.Env = append(os.Environ(), printVariable+"=child ")
		child.Stdout = file
		require.NoError(t, child.Run())
		write(t, file, "parent again")
		require.Equal(t, "parent child parent again", content(t, file.Name()))
	})

	// io.ReaderAt: ReadAt should not affect nor be affected by the underlying seek offset. pread(2): the offset is not changed.
	t.Run("ReadAt and WriteAt leave the offset alone", func(t *testing.T) {
		t.Parallel()
		file := create(t, "abcdefgh")
		seek(t, file, 2)
		bytes := make([]byte, 3)
		_, err := file.ReadAt(bytes, 5)
		require.NoError(t, err)
		require.Equal(t, "fgh", string(bytes))
		_, err = file.WriteAt([]byte("XYZ"), 5)
		require.NoError(t, err)
		require.EqualValues(t, 2, offset(t, file))
		require.Equal(t, "abcdeXYZ", content(t, file.Name()))
	})

	// Two calls, one offset.
	t.Run("the last Seek decides what the next Read returns", func(t *testing.T) {
		t.Parallel()
		shelf := create(t, "[alice's][bob's  ]")
		alice, bob := shelf, shelf // two users of one open file
		seek(t, alice, 0)
		seek(t, bob, 9)
		require.Equal(t, "[bob's  ]", read(t, alice, 9))
		bytes := make([]byte, 9)
		_, err := bob.Read(bytes)
		require.ErrorIs(t, err, io.EOF, "Alice has moved the offset to the end")
	})
}
