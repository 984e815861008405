package seektruncate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// AppendLine adds line, however long, and a newline at the end of the file at path. If there is no file, or a symbolic link to none, it
// creates one, with mode 0666 less the umask, and no other file or directory. It needs no permission to read.
//
// Any number of goroutines and processes may append to one file on a local file system at the same time, with AppendLine or with one
// write of their own in append mode. When AppendLine returns nil, the line is in the file once, in one piece, and no other line was lost
// or split: the kernel finds the end of the file and writes there as one step, and the line goes out in one write. The exception is a
// write that the kernel takes only in part: Go then writes the rest with a second one. On NFS lines may be lost.
//
// A line that holds a newline is refused, and nothing is written or created. After any other error the file may hold the first part of
// the line, without a newline, and the next line follows it directly. AppendLine never shortens or removes the file, nor completes a half
// line of others, because it does not know what others have appended since.
func AppendLine(path, line string) (err error) {
	if strings.Contains(line, "\n") {
		return fmt.Errorf("append to %s: the line holds a newline; append its parts one by one", path)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("append a line: %w; check the directory and who may write there", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	// TODO: another process may append between any two of these three calls.
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("append a line: %w", err)
	}
	if _, err := file.WriteString(line); err != nil {
		return fmt.Errorf("append a line: %w; a part of it may be in the file", err)
	}
	if _, err := file.WriteString("\n"); err != nil {
		return fmt.Errorf("append a line: %w; it is in the file without its newline", err)
	}
	return nil
}
