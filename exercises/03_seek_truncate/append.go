package seektruncate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// AppendLine adds line and a newline at the end of the file at path, which is created if it is not there.
//
// Any number of goroutines and processes may append to one file on a local file system at the same time: when AppendLine
// returns nil, the line stands in the file once and whole, and it has overwritten nobody else's. It needs no lock for
// that, since the system finds the end of the file and writes there as one step, and the line goes out in one write.
//
// A line that holds a newline is refused and nothing is written. After any other error the file may hold the first part
// of the line, without a newline, and the next line that anybody appends stands right behind it: AppendLine cannot take the
// part back, because it does not know what others have appended since. Network file systems that have no append of their own
// (NFS) may lose lines. AppendLine does not wait for the disk: what the last lines are after a power cut is not promised.
func AppendLine(path, line string) (err error) {
	if strings.Contains(line, "\n") {
		return fmt.Errorf("append to %s: the line holds a newline; append its parts one by one", path)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644) // what the umask leaves of it
	if err != nil {
		return fmt.Errorf("append a line: %w; check the folder and who may write there", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	// TODO: another process may append between any two of these three calls.
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("append a line: %w", err)
	}
	if _, err := file.WriteString(line); err != nil {
		return fmt.Errorf("append a line: %w; a part of it may stand in the file", err)
	}
	if _, err := file.WriteString("\n"); err != nil {
		return fmt.Errorf("append a line: %w; it stands in the file without its newline", err)
	}
	return nil
}
