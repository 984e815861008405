package seektruncate

import (
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// RecordSize is the length of every record in a table of records.
	RecordSize = 32
	// HeaderSize is the length of the header that every part begins with.
	HeaderSize = 16
)

// ReadRecord returns record number n of the table in file; the first is number 0.
//
// It neither uses nor moves the file's offset, so any number of goroutines may read through one open file. Past the last
// record the error matches io.EOF. A record of which only a part is there is not returned: the error matches
// io.ErrUnexpectedEOF, which io.EOF does not match.
func ReadRecord(file *os.File, n int) ([]byte, error) {
	if n < 0 {
		return nil, fmt.Errorf("read record %d of %s: records are counted from 0", n, file.Name())
	}
	record := make([]byte, RecordSize)
	read, err := file.ReadAt(record, int64(n)*RecordSize)
	switch {
	case read == RecordSize: // ReadAt may report the end of the file together with the last record
		return record, nil
	case read > 0 && errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read record %d of %s: only %d of %d bytes are there: %w",
			n, file.Name(), read, RecordSize, io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read record %d of %s: the table ends before it: %w", n, file.Name(), err)
	}
	return nil, fmt.Errorf("read record %d: %w", n, err)
}

// ReadHeader reads the header of a part from r, which may be a file, a pipe or a connection, and leaves r right behind it.
//
// It waits for the whole header, in however many pieces it comes. If r ends before the first byte the error matches io.EOF; if
// it ends inside the header, the error matches io.ErrUnexpectedEOF and no header is returned.
func ReadHeader(r io.Reader) ([]byte, error) {
	header := make([]byte, HeaderSize)
	// A single Read may return less than it was asked for, and is right to.
	if n, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("read the header of a part: %d of %d bytes came: %w; send the part again", n, HeaderSize, err)
	}
	return header, nil
}
