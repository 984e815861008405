//go:build unix

package close_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	close "example/turnstile/exercises/02_close"
	"example/turnstile/internal/lab"
)

// Windows has no such limits for a process (see lab.LimitFileSize and lab.LimitHandles), hence the build tag.

// The content fits into any usual buffer, so that nothing reaches the system before the buffer is emptied.
func TestWriteLinesReportsAFullDisk(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "report.txt", "")
	err := lab.Run(t, "write lines under a size limit", path)
	lab.RequireError(t, err, lab.Lesson{
		Says:  "WriteLines returned nil although the disk took nothing",
		Did:   "in a process that may not make files larger than 8 bytes, WriteLines wrote 40",
		Means: "a full disk looks like a finished report: Alice closes the shop and the list of who has what is lost",
		Read:  `lessons/02_close, "A buffer that nobody empties"`,
	})
}

func writeLinesUnderALimit(w *lab.Worker) error {
	if err := lab.LimitFileSize(8); err != nil {
		return err
	}
	return close.WriteLines(w.Arg(0), []string{strings.Repeat("a", 19), strings.Repeat("b", 19)})
}

func TestCountLinesNeedsFewHandles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range files {
		write(t, filepath.Join(dir, fmt.Sprintf("part%03d.txt", i)), "one line\n")
	}
	worker := lab.Start(t, "count lines with few handles", dir)
	var total int
	lesson := lab.Lesson{
		Says:  "CountLines ran out of handles",
		Did:   fmt.Sprintf("in a process that may have %d files open, CountLines went through %d", handles, files),
		Means: "what works with the ten files of the test folder fails with the thousand of the workshop",
		Read:  `lessons/02_close, "defer runs when the function ends"`,
	}
	worker.Result(&total, lesson)
	lab.RequireNoError(t, worker.Wait(), lesson)
	lab.RequireEqual(t, files, total, lab.Lesson{
		Says:  "CountLines counted wrong",
		Did:   fmt.Sprintf("CountLines went through %d files of one line", files),
		Means: "the shop does not know how many entries it has",
		Read:  `lessons/02_close, "Your turn"`,
	})
}

const files, handles = 100, 40

func countLinesWithFewHandles(w *lab.Worker) error {
	withoutCollector()
	paths, err := filepath.Glob(filepath.Join(w.Arg(0), "*.txt"))
	if err != nil {
		return err
	}
	if err := lab.LimitHandles(handles); err != nil {
		return err
	}
	total, err := close.CountLines(slices.Values(paths))
	return errors.Join(err, w.Result(total))
}
