// Package rows reads and writes the workshop's table of parts: a file of rows that all have the same size, so that one can be changed
// without the others. It knows nothing of locks. Each function opens the file and closes it again.
package rows

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Size is the size of a row in bytes: row n begins at byte n × Size of the file.
const Size = 32

// A Row says how many of a part are in stock. In the file it is one line of text: the part, the number to the right, and a newline.
type Row struct {
	Part   string
	Number int
}

// ErrNoRow is matched by the error of a Read or a Write of a row that the table does not have.
var ErrNoRow = errors.New("the table has no such row")

// Read returns row n of the table at path. A row that Write would refuse is damaged, and an error.
func Read(path string, n int64) (row Row, err error) {
	if n < 0 {
		return Row{}, fmt.Errorf("read row %d of %s: %w; rows count from 0", n, path, ErrNoRow)
	}
	file, err := os.Open(path)
	if err != nil {
		return Row{}, fmt.Errorf("read the table: %w; a new table is an empty file", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return readAt(file, n)
}

// ReadAll returns all rows of the table at path.
func ReadAll(path string) (all []Row, err error) {
	count, err := Len(path)
	for n := int64(0); n < count && err == nil; n++ {
		var row Row
		row, err = Read(path, n)
		all = append(all, row)
	}
	return all, err
}

// Len returns how many rows the table at path has. A file that ends within a row is damaged, and an error.
func Len(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("read the table: %w; a new table is an empty file", err)
	}
	if info.Size()%Size != 0 {
		return 0, fmt.Errorf("read the table: %s is damaged: it ends within a row; restore it from a copy", path)
	}
	return info.Size() / Size, nil
}

// Write writes row n of the table at path, which must exist. n may be one more than the last row, which makes the table longer. A row
// that does not fit is an error, and then nothing is written; so is any error of the system.
func Write(path string, n int64, row Row) (err error) {
	text, ok := line(row)
	if !ok {
		return fmt.Errorf("write row %d of %s: %q and %d do not fit in %d bytes; choose a shorter name, without blanks",
			n, path, row.Part, row.Number, Size)
	}
	count, err := Len(path)
	if err != nil {
		return err
	}
	if n < 0 || n > count {
		return fmt.Errorf("write row %d of %s, which has %d: %w; the next new row is %d", n, path, count, ErrNoRow, count)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write the table: %w; this user must be allowed to write it", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.WriteAt([]byte(text), n*Size); err != nil {
		return fmt.Errorf("write row %d: %w; make room, and look what %s holds", n, err, path)
	}
	return nil
}

// line returns the row as the file holds it, if it fits.
func line(row Row) (text string, ok bool) {
	text = fmt.Sprintf("%-19s %11d\n", row.Part, row.Number)
	return text, len(text) == Size && !strings.ContainsAny(row.Part, " \n")
}

func readAt(file *os.File, n int64) (Row, error) {
	text := make([]byte, Size)
	if n > (1<<63-1)/Size {
		return Row{}, fmt.Errorf("read row %d of %s: %w; no file is that long", n, file.Name(), ErrNoRow)
	}
	switch length, err := file.ReadAt(text, n*Size); {
	case errors.Is(err, io.EOF) && length == 0:
		return Row{}, fmt.Errorf("read row %d of %s: %w; the last row is before it", n, file.Name(), ErrNoRow)
	case err != nil:
		return Row{}, fmt.Errorf("read row %d of %s: %w; the file may be cut off", n, file.Name(), err)
	}
	part, number, found := strings.Cut(string(text[:Size-1]), " ")
	value, err := strconv.Atoi(strings.TrimSpace(number))
	row := Row{Part: part, Number: value}
	if _, fits := line(row); !fits || !found || err != nil || text[Size-1] != '\n' {
		return Row{}, fmt.Errorf("read row %d of %s: %q is damaged; restore it from a copy", n, file.Name(), text)
	}
	return row, nil
}
