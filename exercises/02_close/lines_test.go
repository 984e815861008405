package close_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	close "example/turnstile/exercises/02_close"
	"example/turnstile/internal/lab"
)

func TestWriteLinesWritesEveryLine(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "report.txt", "yesterday's report\n")
	err := close.WriteLines(path, []string{"bracket.step alice", "gear.step bob"})
	lab.RequireNoError(t, err, lab.Lesson{
		Says:  "WriteLines failed",
		Did:   "WriteLines wrote two short lines to report.txt",
		Means: "the evening's report is missing",
		Read:  `lessons/02_close, "A buffer that nobody empties"`,
	})
	lab.RequireFile(t, path, "bracket.step alice\ngear.step bob\n", lab.Lesson{
		Says:  "WriteLines returned nil and left lines out of the file",
		Did:   "WriteLines wrote two short lines to report.txt",
		Means: "the lines stay in the program's memory until it ends, and are gone then; nobody is told",
		Read:  `lessons/02_close, "A buffer that nobody empties"`,
	})

	long := slices.Repeat([]string{"bracket.step alice"}, 1000) // more than any usual buffer holds, and no multiple of it
	lab.RequireNoError(t, close.WriteLines(path, long), lab.Lesson{
		Says:  "WriteLines failed",
		Did:   "WriteLines wrote 1000 lines to report.txt",
		Means: "the evening's report is missing",
		Read:  `lessons/02_close, "A buffer that nobody empties"`,
	})
	info, err := os.Stat(path)
	lab.RequireNoError(t, err, lab.Lesson{Says: "The report is gone", Did: "WriteLines wrote 1000 lines to report.txt"})
	lab.RequireEqual(t, 19_000, info.Size(), lab.Lesson{
		Says:     "WriteLines returned nil and left the last lines out of the file",
		Did:      "WriteLines wrote 1000 lines of 19 bytes to report.txt",
		Expected: "19000 bytes",
		Found:    fmt.Sprintf("%d bytes", info.Size()),
		Means:    "the report looks complete and ends in the middle of a line",
		Read:     `lessons/02_close, "A buffer that nobody empties"`,
	})

	lesson := lab.Lesson{
		Says:  "WriteLines left old lines behind the new ones",
		Did:   "report.txt held 1000 lines; WriteLines wrote one",
		Means: "the report of a quiet day ends in parts that came back long ago",
		Read:  `lessons/02_close, "Your turn"`,
	}
	lab.RequireNoError(t, close.WriteLines(path, []string{"gear.step bob"}), lesson)
	lab.RequireFile(t, path, "gear.step bob\n", lesson)

	lesson.Says = "WriteLines did not make an empty report of no lines"
	lesson.Did = "WriteLines wrote no lines at all to report.txt"
	lesson.Means = "a day on which no part came back has a report with something in it"
	lab.RequireNoError(t, close.WriteLines(path, nil), lesson)
	lab.RequireFile(t, path, "", lesson)

	lesson.Says = "WriteLines did not create the missing report"
	lesson.Did = "there was no report.txt; WriteLines wrote one line"
	lesson.Means = "the first report in a new folder is lost"
	missing := lab.Path(t, "report.txt")
	lab.RequireNoError(t, close.WriteLines(missing, []string{"gear.step bob"}), lesson)
	lab.RequireFile(t, missing, "gear.step bob\n", lesson)
}

// The sequence of paths is the test's: when CountLines asks for the next path, the test stands between two files.
func TestCountLinesClosesAFileBeforeTheNext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var paths []string
	for name, content := range map[string]string{"bracket.txt": "1\n2\n", "gear.txt": "", "hinge.txt": "1\n2\n3"} {
		path := filepath.Join(dir, name)
		write(t, path, content)
		paths = append(paths, path)
	}
	slices.Sort(paths)
	stillOpen := ""
	total, err := close.CountLines(func(yield func(string) bool) {
		for i, path := range paths {
			if !yield(path) {
				return
			}
			if open, err := isOpen(path); err == nil && open && stillOpen == "" {
				stillOpen = fmt.Sprintf("%s was open when path %d was asked for", filepath.Base(path), i+2)
			}
		}
	})
	lab.RequireNoError(t, err, lab.Lesson{
		Says:  "CountLines failed",
		Did:   "CountLines went through three small files",
		Means: "the shop does not know how many entries it has",
		Read:  `lessons/02_close, "defer runs when the function ends"`,
	})
	lab.RequireEqual(t, 5, total, lab.Lesson{
		Says:  "CountLines counted wrong",
		Did:   "CountLines went through three files: two lines, none, and three lines of which the last has no newline",
		Means: "the shop does not know how many entries it has",
		Read:  `lessons/02_close, "Your turn"`,
	})
	lab.Require(t, stillOpen == "", lab.Lesson{
		Says:     "CountLines still had a file open when it went to the next",
		Did:      "CountLines went through three files; before it got each next path, the test looked at the file before",
		Expected: "the file is closed before the next one is opened",
		Found:    stillOpen,
		Means:    "a folder with more files than the process may have open cannot be counted at all",
		Read:     `lessons/02_close, "defer runs when the function ends"`,
	})
}

func TestCountLinesClosesAFileThatItCannotRead(t *testing.T) {
	t.Parallel()
	worker := lab.Start(t, "count lines of a file and a folder", lab.WriteFile(t, "gear.txt", "1\n2\n"), t.TempDir())
	var seen unreadable
	worker.Result(&seen)
	did := "CountLines was given a file of two lines, and then a folder, which can be opened and not read"
	lab.RequireError(t, worker.Wait(), lab.Lesson{
		Says:  "CountLines took a folder for an empty file",
		Did:   did,
		Means: "a wrong path in the list goes unnoticed, and the sum is too small",
		Read:  `lessons/02_close, "The way out"`,
	})
	lab.Require(t, !seen.StillOpen, lab.Lesson{
		Says:     "CountLines left a file open that it could not read",
		Did:      did,
		Expected: "CountLines closes what it has opened, and returns the error",
		Found:    "it returned the error, and the folder is still open",
		Means:    "every unreadable file costs a handle, until the program can open nothing any more",
		Read:     `lessons/02_close, "A handle is borrowed"`,
	})
	lab.RequireEqual(t, 0, seen.Total, lab.Lesson{
		Says:  "CountLines returned half a sum beside its error",
		Did:   did,
		Means: "half a sum looks like a sum: whoever prints it first and looks at the error later misleads the shop",
		Read:  `lessons/02_close, "Your turn"`,
	})
	requireEndAtFirstFailure(t)
}

// requireEndAtFirstFailure demands that a file which cannot be opened ends the count.
func requireEndAtFirstFailure(t *testing.T) {
	t.Helper()
	good, missing := lab.WriteFile(t, "gear.txt", "1\n2\n"), lab.Path(t, "bracket.txt")
	var asked []string
	total, err := close.CountLines(func(yield func(string) bool) {
		for _, path := range []string{good, missing, good} {
			asked = append(asked, filepath.Base(path))
			if !yield(path) {
				return
			}
		}
	})
	lesson := lab.Lesson{
		Says:  "CountLines passed over a file that is not there",
		Did:   "CountLines was given gear.txt, then bracket.txt, which does not exist, then gear.txt once more",
		Means: "a list that was moved or lost is not missed, and the sum is too small",
		Read:  `lessons/02_close, "The way out"`,
	}
	lab.RequireErrorIs(t, err, fs.ErrNotExist, lesson)
	lesson.Says = "CountLines returned half a sum beside its error"
	lesson.Means = "half a sum looks like a sum: whoever prints it first and looks at the error later misleads the shop"
	lab.RequireEqual(t, 0, total, lesson)
	lesson.Says = "CountLines went on after a file that it could not open"
	lesson.Means = "a thousand files are read for a sum that is not returned"
	lesson.Expected, lesson.Found = "two paths are asked for", fmt.Sprintf("%d paths were asked for: %s", len(asked), strings.Join(asked, ", "))
	lab.Require(t, len(asked) == 2, lesson)
}

type unreadable struct {
	StillOpen bool
	Total     int
}

// countLinesOfAFolder reports whether the folder is still open and what was counted, and returns the error of CountLines.
func countLinesOfAFolder(w *lab.Worker) error {
	withoutCollector()
	total, err := close.CountLines(slices.Values([]string{w.Arg(0), w.Arg(1)}))
	stillOpen, unknown := isOpen(w.Arg(1))
	if unknown != nil {
		return unknown
	}
	return errors.Join(err, w.Result(unreadable{stillOpen, total}))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	lab.RequireNoError(t, os.WriteFile(path, []byte(content), 0o600), lab.Lesson{
		Says:  "The test could not make its files",
		Means: "this is a matter of the machine, not of your code",
	})
}
