package openmodes_test

import (
	"os"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() { workersOfThisSystem["write file"] = writeFile }

func writeFile(w *lab.Worker) error { return os.WriteFile(w.Arg(0), []byte("{}"), 0o600) }

// What Linux does where POSIX leaves it open, or says nothing.
func TestLinux(t *testing.T) {
	t.Parallel()
	// open(2), NOTES: "The (undefined) effect of O_RDONLY | O_TRUNC varies among implementations."
	t.Run("O_RDONLY with O_TRUNC empties the file on Linux", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
		openFile(t, path, os.O_RDONLY|os.O_TRUNC)
		requireContent(t, "", path)
	})
	// open(2), O_EXCL: "In general, the behavior of O_EXCL is undefined if it is used without O_CREAT."
	t.Run("O_EXCL without O_CREATE opens a file that is there on Linux", func(t *testing.T) {
		path := lab.WriteFile(t, "bracket.ticket", "alice")
		_, err := openFile(t, path, os.O_WRONLY|os.O_EXCL).WriteString("bob")
		require.NoError(t, err)
		requireContent(t, "bobce", path)
	})
	// fcntl(2), F_GETFL.
	t.Run("O_SYNC stays with the open file, and the kernel tells it", func(t *testing.T) {
		f := openFile(t, lab.WriteFile(t, "locks.json", ""), os.O_WRONLY|os.O_SYNC)
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		require.NoError(t, err)
		require.Equal(t, unix.O_SYNC, flags&unix.O_SYNC)
	})
	// fifo(7): POSIX leaves it undefined.
	t.Run("O_RDWR opens a FIFO without waiting on Linux", func(t *testing.T) {
		path := lab.Path(t, "locks.json")
		require.NoError(t, unix.Mkfifo(path, 0o600))
		openFile(t, path, os.O_RDWR)
	})
	// Go's os package, WriteFile: "a failure mid-operation can leave the file in a partially written state".
	t.Run("os.WriteFile on a full disk leaves an empty file where there was a full one", func(t *testing.T) {
		path := lab.WriteFile(t, "locks.json", `{"bracket.step":"alice"}`)
		wrap, _ := lab.Strace(t, "-P", path, "-e", "inject=write:error=ENOSPC")
		err := lab.Launch(t, lab.Options{Wrap: wrap}, "write file", path).Wait()
		require.ErrorContains(t, err, "no space left on device")
		requireContent(t, "", path)
	})
}
