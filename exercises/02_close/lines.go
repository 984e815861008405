package close

import (
	"bufio"
	"fmt"
	"iter"
	"os"

	"example/turnstile/exercises/02_close/count"
)

// WriteLines replaces the content of the file at path with lines, each as it is and followed by a newline. lines stays the
// caller's: WriteLines does not change it.
//
// It creates a missing file with mode 0666 before umask, and no directory. An existing file keeps its mode. WriteLines changes no
// other file and, when it returns, has left none behind. It may put a new file in the place of the old one: whether links and
// other names still lead to the file is not promised.
//
// A nil error means that the kernel has accepted every byte and that Close reported nothing. Otherwise errors.Is finds what the
// kernel reported for the open, a write or the close, and the file holds its old content or the first part of the new lines, or
// is empty, never a mixture; WriteLines never removes it. WriteLines is not atomic: a reader can see the file half written, and a
// process crash can leave it so.
func WriteLines(path string, lines []string) error {
	return With(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666, func(f *os.File) error {
		w := bufio.NewWriter(f)
		for _, line := range lines {
			fmt.Fprintln(w, line)
		}
		return nil // TODO: where are the lines now? Who learns that they could not be written?
	})
}

// CountLines returns how many lines the files at paths have together. Blank lines count, a last line without a newline counts,
// and a line may have any length. Each file is read to its end, even a pipe, which has no size. A path that comes twice is read twice
// and counts twice.
//
// It has one file open at a time: it closes each file before it asks for the next path. The first file that cannot be opened
// or read ends the count: CountLines asks for no further path, ends the sequence, and returns 0 and an error in which errors.Is
// finds the cause. An error of Close may end the count too; whether it does is not promised.
func CountLines(paths iter.Seq[string]) (int, error) {
	total := 0
	for path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		defer f.Close() // TODO: when does this run?
		lines, err := count.Lines(f)
		if err != nil {
			return 0, err
		}
		total += lines
	}
	return total, nil
}
