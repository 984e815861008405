package close

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"os"
)

// WriteLines makes lines the whole content of the file at path, each followed by a newline. It creates a missing file
// with the mode 0666 before umask.
//
// An error means that the file may hold a part of the lines, or nothing; a nil error, that the operating system has taken
// every byte. Readers may see the file half written, and a crash may leave it so.
func WriteLines(path string, lines []string) error {
	return With(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666, func(f *os.File) error {
		w := bufio.NewWriter(f)
		for _, line := range lines {
			fmt.Fprintln(w, line)
		}
		// TODO: where are the lines now? Who hears of it if they cannot be written?
		return nil
	})
}

// CountLines returns how many lines the files have together. A last line without a newline counts.
//
// It has one file open at a time, however many there are: each is closed before the next path is asked for. The first
// file that cannot be opened or read ends the count, with 0 and the error.
func CountLines(paths iter.Seq[string]) (int, error) {
	total := 0
	for path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		// TODO: when does this run?
		defer f.Close()
		lines, err := countLines(f)
		if err != nil {
			return 0, err
		}
		total += lines
	}
	return total, nil
}

// countLines counts the lines that r still has. There is nothing to mend here.
func countLines(r io.Reader) (int, error) {
	lines, last := 0, byte('\n')
	buffer := make([]byte, 32*1024)
	for {
		n, err := r.Read(buffer)
		if n > 0 {
			lines += bytes.Count(buffer[:n], []byte{'\n'})
			last = buffer[n-1]
		}
		switch {
		case err == io.EOF && last != '\n':
			return lines + 1, nil
		case err == io.EOF:
			return lines, nil
		case err != nil:
			return 0, err
		}
	}
}
