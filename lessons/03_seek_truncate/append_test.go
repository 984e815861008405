package seektruncate_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

const appendOnly = os.O_WRONLY | os.O_APPEND | os.O_CREATE

// open(2), O_APPEND: before each write the offset is positioned at the end of the file; the positioning and the write are one
// atomic step. write() in POSIX.1-2017 says it as "no intervening file modification operation shall occur". On Windows Go opens with
// FILE_APPEND_DATA and without FILE_WRITE_DATA (syscall.Open), which appends on local files ("File Access Rights Constants").
func TestAppend(t *testing.T) {
	t.Parallel()

	t.Run("with O_APPEND a write lands at the end, whatever Seek did before", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.log", firstLine)
		file := open(t, path, appendOnly)
		seek(t, file, 0)
		write(t, file, "bob took hinge.step\n")
		require.Equal(t, "alice took bracket.step\nbob took hinge.step\n", content(t, path))
	})

	t.Run("with O_APPEND the first read still starts at the beginning", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.log", "alice took bracket.step\n")
		require.Equal(t, "alice", read(t, open(t, path, os.O_RDWR|os.O_APPEND), 5))
	})

	// os.File.WriteAt: "If file was opened with the O_APPEND flag, WriteAt returns an error." On Linux pwrite(2) would append
	// there, against POSIX (pwrite(2), BUGS); Go refuses it on every system (golang/go#30716).
	t.Run("WriteAt is refused on a file opened with O_APPEND", func(t *testing.T) {
		t.Parallel()
		file := open(t, lab.WriteFile(t, "checkouts.log", "alice"), appendOnly)
		_, err := file.WriteAt([]byte("x"), 0)
		require.EqualError(t, err, "os: invalid use of WriteAt on file opened with O_APPEND")
	})

	t.Run("a write at a place found with Seek overwrites what another process appended since", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.log", "")
		alice := lab.Start(t, "seek, then write", path, "alice took bracket.step\n")
		alice.Reached("at the end")
		require.NoError(t, lab.Run(t, "seek, then write", path, "bob took hinge.step\n", "do not wait"))
		require.Equal(t, "bob took hinge.step\n", content(t, path))
		alice.Continue()
		require.NoError(t, alice.Wait())
		require.Equal(t, "alice took bracket.step\n", content(t, path), "Bob's line is gone")
	})

	t.Run("O_APPEND finds the end at the moment of the write, not of the open", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.log", "")
		alice := lab.Start(t, "open, then append", path, "alice took bracket.step\n")
		alice.Reached("open")
		bob := lab.Start(t, "open, then append", path, "bob took hinge.step\n")
		bob.Reached("open")
		bob.Continue()
		require.NoError(t, bob.Wait())
		alice.Continue()
		require.NoError(t, alice.Wait())
		require.Equal(t, "bob took hinge.step\nalice took bracket.step\n", content(t, path))
	})

	t.Run("between two writes another process's line slips in", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.log", "")
		alice := lab.Start(t, "append in two writes", path, "alice took bracket.step")
		alice.Reached("between")
		write(t, open(t, path, appendOnly), "bob took hinge.step\n")
		alice.Continue()
		require.NoError(t, alice.Wait())
		require.Equal(t, "alice took bracket.stepbob took hinge.step\n\n", content(t, path))
	})

	// fmt.Fprintln formats into a buffer and writes that; bufio.Writer passes a string that does not fit on by itself.
	for _, c := range []struct {
		name  string
		write func(w io.Writer, line string)
		want  int
	}{
		{"a log.Logger makes one write of each message", func(w io.Writer, line string) { log.New(w, "printer: ", 0).Print(line) }, 1},
		{"Fprintln makes one write of a line and its newline", func(w io.Writer, line string) {
			_, _ = fmt.Fprintln(w, line) // the counter does not fail
		}, 1},
		{"a bufio.Writer makes two writes of a line that does not fit its buffer", func(w io.Writer, line string) {
			buffer := bufio.NewWriter(w)
			_, _ = buffer.WriteString(line)
			_ = buffer.WriteByte('\n')
			_ = buffer.Flush()
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var writes counter
			c.write(&writes, strings.Repeat("x", 5000))
			require.EqualValues(t, c.want, writes)
		})
	}

	// write(2) on a regular file has no limit such as the PIPE_BUF of pipes (pipe(7)): on Linux local file systems hold the
	// inode's lock for the whole call (inode_lock in ext4_buffered_write_iter, xfs_file_buffered_write).
	t.Run("lines longer than a page stay whole when each is one write", func(t *testing.T) {
		t.Parallel()
		if lab.Wine() {
			t.Skip("Wine looks for the end of the file, then writes there: it does not append as one step")
		}
		path := lab.WriteFile(t, "checkouts.log", "")
		const writers, lines, length = 4, 100, 10_000
		var crowd []*lab.Process
		for n := range writers {
			crowd = append(crowd, lab.Launch(t, lab.Options{Hold: true},
				"append many lines", path, strings.Repeat(fmt.Sprint(n), length), fmt.Sprint(lines)))
		}
		for _, p := range crowd {
			p.Continue()
		}
		for _, p := range crowd {
			require.NoError(t, p.Wait())
		}
		counts := make(map[string]int)
		for line := range strings.Lines(content(t, path)) {
			require.Equal(t, strings.Repeat(line[:1], length)+"\n", line)
			counts[line[:1]]++
		}
		require.Equal(t, map[string]int{"0": lines, "1": lines, "2": lines, "3": lines}, counts)
	})
}

// A counter counts the writes that reach it. Like a file, it takes strings too.
type counter int

func (c *counter) Write(b []byte) (int, error)       { *c++; return len(b), nil }
func (c *counter) WriteString(s string) (int, error) { *c++; return len(s), nil }

func seekThenWrite(w *lab.Worker) error {
	file, err := os.OpenFile(w.Arg(0), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return errors.Join(err, file.Close())
	}
	if w.Arg(2) == "" {
		w.Reached("at the end")
	}
	_, err = file.WriteString(w.Arg(1))
	return errors.Join(err, file.Close())
}

func openThenAppend(w *lab.Worker) error {
	file, err := os.OpenFile(w.Arg(0), appendOnly, 0o600)
	if err != nil {
		return err
	}
	w.Reached("open")
	_, err = file.WriteString(w.Arg(1))
	return errors.Join(err, file.Close())
}

func appendInTwoWrites(w *lab.Worker) error {
	file, err := os.OpenFile(w.Arg(0), appendOnly, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(w.Arg(1)); err != nil {
		return errors.Join(err, file.Close())
	}
	w.Reached("between")
	_, err = file.WriteString("\n")
	return errors.Join(err, file.Close())
}

func appendManyLines(w *lab.Worker) error {
	file, err := os.OpenFile(w.Arg(0), appendOnly, 0o600)
	if err != nil {
		return err
	}
	for range w.Int(2) {
		if _, err := file.WriteString(w.Arg(1) + "\n"); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return file.Close()
}

// written is what a write told its caller.
type written struct {
	N     int
	Error string
}

// writeWithinLimit makes one write, an append or a WriteAt at the beginning, in a process that may write no file beyond a length.
func writeWithinLimit(w *lab.Worker) error {
	if err := lab.LimitFileSize(int64(w.Int(2))); err != nil {
		return err
	}
	flag, write := appendOnly, (*os.File).Write
	if w.Arg(3) == "WriteAt" {
		flag, write = os.O_WRONLY, func(file *os.File, b []byte) (int, error) { return file.WriteAt(b, 0) }
	}
	file, err := os.OpenFile(w.Arg(0), flag, 0o600)
	if err != nil {
		return err
	}
	var result written
	result.N, err = write(file, []byte(w.Arg(1)))
	if err != nil {
		result.Error = err.(*os.PathError).Err.Error() //nolint:errorlint,forcetypeassert // what os.File.Write documents
	}
	return errors.Join(w.Result(result), file.Close())
}

// appendAndCutBack makes one write in a process that may write no file beyond a length, and then tidies up.
func appendAndCutBack(w *lab.Worker) error {
	if err := lab.LimitFileSize(int64(w.Int(2))); err != nil {
		return err
	}
	file, err := os.OpenFile(w.Arg(0), appendOnly, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if _, err := file.WriteString(w.Arg(1)); err == nil {
		return errors.Join(errors.New("the write did not fail"), file.Close())
	}
	w.Reached("failed")
	return errors.Join(file.Truncate(info.Size()), file.Close())
}

// rewriteWithinLimit writes a document over another in a process that may write no file beyond a length.
func rewriteWithinLimit(w *lab.Worker) error {
	if err := lab.LimitFileSize(int64(w.Int(2))); err != nil {
		return err
	}
	flag := os.O_WRONLY
	if w.Arg(1) == "truncate first" {
		flag |= os.O_TRUNC
	}
	file, err := os.OpenFile(w.Arg(0), flag, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(locksOfBob)
	if err == nil {
		return errors.Join(errors.New("the write did not fail"), file.Close())
	}
	return file.Close()
}

// appendLengthWithinLimit is appendWithinLimit for a text of a given length, whatever the write says.
func appendLengthWithinLimit(w *lab.Worker) error {
	if err := lab.LimitFileSize(int64(w.Int(2))); err != nil {
		return err
	}
	file, err := os.OpenFile(w.Arg(0), appendOnly, 0o600)
	if err != nil {
		return err
	}
	_, _ = file.WriteString(strings.Repeat("x", w.Int(1))) // the kernel's answers are in strace's log
	return file.Close()
}
