package seektruncate

import (
	"fmt"
	"io"
	"math"
	"os"
)

const (
	// RecordSize is the length of every record in a table of records.
	RecordSize = 32
	// HeaderSize is the length of the header that every part begins with.
	HeaderSize = 16
)

// ReadRecord returns record number n of the table in file, a regular file on a disk that is open for reading. The first record is number 0.
//
// ReadRecord neither uses nor moves the file's offset, not even for a moment, so any number of goroutines may read through one open file,
// and a caller may read on where it was. The caller owns the returned bytes. Past the last record, however great n is, the error matches
// io.EOF. If only a part of the record exists, no bytes are returned and the error matches io.ErrUnexpectedEOF, not io.EOF. Any other
// error, such as fs.ErrClosed or that of a negative n, matches neither of these two.
func ReadRecord(file *os.File, n int) ([]byte, error) {
	switch {
	case n < 0:
		return nil, fmt.Errorf("read record %d of %s: records are counted from 0", n, file.Name())
	case int64(n) >= math.MaxInt64/RecordSize: // no file is that long, and its offset would overflow
		return nil, fmt.Errorf("read record %d of %s: the table ends before it: %w", n, file.Name(), io.EOF)
	}
	// TODO: every user of this open file moves the same offset.
	if _, err := file.Seek(int64(n)*RecordSize, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read record %d: %w", n, err)
	}
	record := make([]byte, RecordSize)
	// TODO: how many bytes did Read return?
	if _, err := file.Read(record); err != nil {
		return nil, fmt.Errorf("read record %d: %w", n, err)
	}
	return record, nil
}

// ReadHeader reads the header of a part from r, which may be a file, a pipe or a connection. It begins where r is, and leaves r right
// after the header.
//
// It waits for the whole header, in however many pieces and however late it comes, and for nothing more. It does not close r, sets no
// deadline and removes none. If r ends, with io.EOF, before the first byte, the error matches io.EOF; if r ends inside the header, the
// error matches io.ErrUnexpectedEOF, not io.EOF. Any other error of r, even one that may pass, is returned; it matches neither of these
// two unless r wrapped one of them in it. With an error no header is returned. An error that r returns together with the last byte of
// the header is dropped. The caller owns the returned bytes.
func ReadHeader(r io.Reader) ([]byte, error) {
	header := make([]byte, HeaderSize)
	// TODO: a Read may return less than it was asked for, without an error.
	if _, err := r.Read(header); err != nil {
		return nil, fmt.Errorf("read the header of a part: %w; send the part again", err)
	}
	return header, nil
}
