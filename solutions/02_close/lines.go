package close

import (
	"bufio"
	"fmt"
	"iter"
	"os"

	"example/turnstile/exercises/02_close/count"
)

// WriteLines replaces the content of the file at path with lines, each as it is and followed by a newline. It changes neither the
// slice nor any other file, and leaves no other file behind.
//
// It creates a missing file with mode 0666 before umask, and no directory. An existing file keeps its permissions. WriteLines may put
// a new file in the place of the old one: whether links still lead to it is not promised.
//
// A nil error means that the kernel has accepted every byte and that Close reported nothing. Otherwise errors.Is finds the error of
// the kernel, and an old file still exists: it holds its old content or the first part of the new, perhaps none, never a mixture.
// WriteLines is not atomic: a reader can find the file half written, and a process crash can leave it so.
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
// and a line may have any length. Each time a path comes, its file is read to the end, even a pipe, which has no size.
//
// CountLines closes each file before it asks for the next path. The first file that cannot be opened or read ends the count:
// CountLines ends the sequence and returns 0 and an error in which errors.Is finds the cause. An error of Close may do the same.
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
