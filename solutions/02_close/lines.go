package close

import (
	"bufio"
	"fmt"
	"iter"
	"os"

	"example/turnstile/exercises/02_close/count"
)

// WriteLines makes lines, each as it is and followed by a newline, the content of the file at path. It opens the file once, which
// creates a missing one with mode 0666 before umask, empties it, writes, and closes it. It does nothing else with this file or any
// other, and leaves the slice as it is.
//
// A nil error means that the kernel has accepted every byte and that Close reported nothing. Otherwise errors.Is finds the error of
// the kernel, and the file holds its old content or the first part of the new, perhaps none. WriteLines is not atomic: a reader can
// find the file half written, and a process crash can leave it so.
func WriteLines(path string, lines []string) error {
	return With(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666, func(f *os.File) error {
		w := bufio.NewWriter(f)
		for _, line := range lines {
			fmt.Fprintln(w, line) // w keeps the first error, and Flush returns it
		}
		return w.Flush()
	})
}

// CountLines returns how many lines the files at paths have together. Blank lines count, a last line without a newline counts,
// and a line may have any length. Each time a path comes, CountLines opens its file once, reads it to the end, even a pipe, and closes
// it before it asks for the next path. It does nothing else with the file.
//
// The first file that cannot be opened or read ends the count: CountLines ends the sequence and returns 0 and an error in which
// errors.Is finds the cause. It may drop an error of Close, since it has written nothing.
func CountLines(paths iter.Seq[string]) (int, error) {
	total := 0
	for path := range paths {
		err := With(path, os.O_RDONLY, 0, func(f *os.File) error {
			lines, err := count.Lines(f)
			total += lines
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}
