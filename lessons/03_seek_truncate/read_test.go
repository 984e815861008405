package seektruncate_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"example/turnstile/internal/lab"
	"github.com/stretchr/testify/require"
)

// io.Reader: "Read conventionally returns what is available instead of waiting for more." read(2), RETURN VALUE.
func TestShortReads(t *testing.T) {
	t.Parallel()

	t.Run("a Read from a pipe returns what is there, without an error", func(t *testing.T) {
		t.Parallel()
		reader, writer, err := os.Pipe()
		require.NoError(t, err)
		defer func() { require.NoError(t, errors.Join(reader.Close(), writer.Close())) }()
		write(t, writer, "ISO-103")
		header := make([]byte, 16)
		n, err := reader.Read(header)
		require.NoError(t, err)
		require.Equal(t, 7, n)
		require.Equal(t, make([]byte, 9), header[7:], "the rest of the buffer is what it was")
	})

	t.Run("ReadFull goes on until it has everything", func(t *testing.T) {
		t.Parallel()
		reader, writer := io.Pipe()
		go func() {
			for _, piece := range []string{"ISO-103", "03-21", " v1;"} {
				_, _ = io.WriteString(writer, piece) // an error would show in what is read
			}
		}()
		header := make([]byte, 16)
		_, err := io.ReadFull(reader, header)
		require.NoError(t, err)
		require.Equal(t, "ISO-10303-21 v1;", string(header))
		require.NoError(t, reader.Close())
	})

	t.Run("ReadFull tells nothing from half of it", func(t *testing.T) {
		t.Parallel()
		_, err := io.ReadFull(strings.NewReader(""), make([]byte, 16))
		require.Equal(t, io.EOF, err)
		_, err = io.ReadFull(strings.NewReader("ISO-103"), make([]byte, 16))
		require.Equal(t, io.ErrUnexpectedEOF, err)
		require.NotErrorIs(t, err, io.EOF)
	})

	// os.File.ReadAt: "ReadAt always returns a non-nil error when n < len(b). At end of file, that error is io.EOF."
	t.Run("ReadAt of half a record returns the half with io.EOF", func(t *testing.T) {
		t.Parallel()
		file := open(t, lab.WriteFile(t, "shelf.tab", "[alice's][bob"), os.O_RDONLY)
		record := make([]byte, 9)
		n, err := file.ReadAt(record, 9)
		require.Equal(t, 4, n)
		require.Equal(t, io.EOF, err)
		n, err = file.ReadAt(record, 18)
		require.Zero(t, n)
		require.Equal(t, io.EOF, err, "the same error as for half a record")
	})

	// bufio.NewReader: a buffer of 4096 bytes, filled with one Read of what is there.
	t.Run("a bufio.Reader takes more from its source than you read from it", func(t *testing.T) {
		t.Parallel()
		part := strings.NewReader("ISO-10303-21 v1;the rest of the part")
		_, err := io.ReadFull(bufio.NewReader(part), make([]byte, 16))
		require.NoError(t, err)
		require.Zero(t, part.Len())
	})

	// The Go specification, "Integer overflow": the high bits are discarded.
	t.Run("an offset of 1<<59 records of 32 bytes is 0", func(t *testing.T) {
		t.Parallel()
		record := int64(1) << 59
		require.Zero(t, record*32)
	})

	// io.SectionReader: ReadAt underneath, an offset of its own on top.
	t.Run("two SectionReaders of one file have two offsets", func(t *testing.T) {
		t.Parallel()
		file := open(t, lab.WriteFile(t, "shelf.tab", "[alice's][bob's  ]"), os.O_RDONLY)
		first, second := io.NewSectionReader(file, 0, 9), io.NewSectionReader(file, 9, 9)
		bytes := make([]byte, 4)
		for _, c := range []struct {
			from *io.SectionReader
			want string
		}{{first, "[ali"}, {second, "[bob"}, {first, "ce's"}, {second, "'s  "}} {
			_, err := io.ReadFull(c.from, bytes)
			require.NoError(t, err)
			require.Equal(t, c.want, string(bytes))
		}
		require.Zero(t, offset(t, file))
	})
}
