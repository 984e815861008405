package close_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/internal/lab"

	close "example/turnstile/exercises/02_close"
)

func TestWriteLinesWritesEveryLine(t *testing.T) {
	t.Parallel()
	name := "report.txt"
	requireWrittenOver := func(before string, lines []string, did string, lesson lab.Lesson) {
		t.Helper()
		path := lab.WriteFile(t, name, before)
		lesson.Did = did
		writeLines(t, path, lines, lesson)
		want := ""
		if len(lines) > 0 {
			want = strings.Join(lines, "\n") + "\n"
		}
		lab.RequireFile(t, path, want, lesson)
	}
	two := []string{"bracket.step alice", "gear.step bob"}
	requireWrittenOver("", two, "WriteLines wrote two short lines to an empty report.txt", lab.Lesson{
		Says:  "WriteLines returned nil and left lines out of the file",
		Means: "the lines stay in the program's memory and are gone when it ends; no call reports it",
		Read:  sectionBuffer,
	})
	const yesterday = "yesterday's report\n"
	requireWrittenOver(yesterday, []string{"gear"}, "WriteLines wrote one line that is shorter than yesterday's report", lab.Lesson{
		Says:  "WriteLines left old lines in the file",
		Means: "parts that came back yesterday are still on today's list",
		Read:  sectionTurn,
	})
	asLong := []string{"bracket.step carol"}
	requireWrittenOver(yesterday, asLong, "WriteLines wrote one line that is as long as yesterday's report", lab.Lesson{
		Says:  "WriteLines left old lines in the file",
		Means: "a report that happens to have the length of the old one is not written",
		Read:  sectionTurn,
	})
	requireWrittenOver(yesterday, nil, "WriteLines wrote no lines over yesterday's report", lab.Lesson{
		Says:  "WriteLines did not make an empty report of no lines",
		Means: "on a day without checkouts the report is not empty",
		Read:  sectionTurn,
	})
	asTheyAre := lab.Lesson{
		Says:  "WriteLines changed the lines",
		Means: "the report is not what the caller wrote",
		Read:  sectionTurn,
	}
	requireWrittenOver(yesterday, []string{"", "100% brass %d", "", " two blanks  ", "tab\t", "\r", "\xff", "two\nlines\n", "", ""},
		"WriteLines wrote blank lines, lines with a percent sign or what is not UTF-8, and lines that end in white space or a newline",
		asTheyAre)
	requireWrittenOver(yesterday, []string{""}, "WriteLines wrote one line, which is blank", asTheyAre)
	requireWrittenOver(yesterday, []string{"first", strings.Repeat("a", 200_000), "last"},
		"WriteLines wrote a line of 200,000 bytes between two short ones", asTheyAre)
	asTheyAre.Says = "WriteLines returned nil and left the last lines out of the file"
	requireWrittenOver(yesterday, slices.Repeat([]string{"bracket.step alice"}, 10_000), // more than a buffer holds, and not a multiple of it
		"WriteLines wrote 10,000 lines of 19 bytes", asTheyAre)
	name = strings.Repeat("r", 251) + ".txt"
	if err := os.WriteFile(lab.Path(t, name), nil, 0o600); err == nil { // the longest name that most systems allow
		requireWrittenOver(yesterday, two, "WriteLines wrote two lines to a report whose name has 255 bytes", asTheyAre)
	}
}

func TestWriteLinesCreatesTheReportAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, sibling := filepath.Join(dir, "report.txt"), lab.Path(t, "sibling.txt")
	neighbours := []string{"report.txt.bak", "report.txt.new", "report.txt.tmp"}
	for _, name := range neighbours {
		write(t, filepath.Join(dir, name), "of another program")
	}
	requireOthersAsTheyWere := func() {
		t.Helper()
		for _, name := range neighbours {
			lab.RequireFile(t, filepath.Join(dir, name), "of another program", lab.Lesson{
				Says:  "WriteLines changed or removed a file of another program",
				Did:   name + " belonged to another program; WriteLines wrote report.txt",
				Means: "another program loses its file because the name looked free",
				Read:  sectionTurn,
			})
		}
	}
	lesson := lab.Lesson{
		Says:  "WriteLines did not create the missing report",
		Did:   "there was no report.txt; WriteLines wrote one line",
		Means: "the first report in a new directory is lost",
		Read:  sectionTurn,
	}
	lines := []string{"gear.step bob"}
	writeLines(t, path, lines, lesson)
	_, err := os.Stat(path)
	lab.RequireNoError(t, err, lesson)
	lesson.Says = "WriteLines returned nil and left lines out of the new file"
	lesson.Means = "the lines stay in the program's memory and are gone when it ends; no call reports it"
	lesson.Read = sectionBuffer
	lab.RequireFile(t, path, "gear.step bob\n", lesson)
	requireOthersAsTheyWere()
	lesson.Read = sectionTurn
	f, err := os.OpenFile(sibling, os.O_CREATE|os.O_WRONLY, 0o666)
	requireMachine(t, errors.Join(err, f.Close()))
	lesson.Says = "WriteLines gave the new report another mode"
	lesson.Means = "people of the workshop cannot read the report, or people outside can"
	lab.RequireEqual(t, mode(t, sibling), mode(t, path), lesson)

	requireMachine(t, os.Chmod(path, 0o600))
	before, err := os.Stat(path)
	requireMachine(t, err)
	lesson.Says, lesson.Did = "WriteLines changed the mode of an existing report", "report.txt was private (0600); WriteLines wrote it again"
	writeLines(t, path, lines, lesson)
	after, err := os.Stat(path)
	requireMachine(t, err)
	lab.RequireEqual(t, before.Mode(), after.Mode(), lesson)
	requireOthersAsTheyWere()
	lesson = lesson.Say("WriteLines put another file in the place of the report")
	lesson = withExpected(lesson, "the same file, with other content", "another file")
	lesson.Means = "a program that has the report open, or knows it by another name, goes on with yesterday's"
	lab.Require(t, os.SameFile(before, after), lesson)
	requireClosed(t, path, lab.Lesson{
		Says:  "WriteLines left the report open",
		Did:   "WriteLines had returned; then the test asked the kernel which files are open",
		Means: "each report costs a handle until the process can open nothing more",
		Read:  sectionWhy,
	})

	directory := filepath.Join(dir, "directory")
	requireMachine(t, os.Mkdir(directory, 0o700))
	for name, bad := range map[string]string{
		"a missing directory": filepath.Join(dir, "missing", "report.txt"), "an empty path": "", "the path of a directory": directory,
	} {
		result := leave(t, "WriteLines", func() error { return close.WriteLines(bad, lines) })
		requireReturned(t, "WriteLines", result)
		lesson := lab.Lesson{
			Says:  "WriteLines did not report " + name,
			Did:   "WriteLines was called with " + name + ", which os.Create refuses",
			Means: "a mistyped path goes unnoticed",
			Read:  sectionTurn,
		}
		_, created := os.Create(bad)
		want := errors.Unwrap(created)
		lab.RequireErrorIs(t, result.err, want, lesson)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	requireMachine(t, err)
	lab.RequireEqual(t, "directory, report.txt, "+strings.Join(neighbours, ", "), strings.Join(baseNames(names), ", "), lab.Lesson{
		Says:  "WriteLines left other names in the directory",
		Did:   "WriteLines wrote report.txt twice and was refused a directory and a missing one; then the test listed the names",
		Means: "a mistyped path becomes a directory, temporary files pile up, or a file of another program is gone",
		Read:  sectionTurn,
	})
}

func writeLines(t *testing.T, path string, lines []string, lesson lab.Lesson) {
	t.Helper()
	whole := append(slices.Clone(lines), "the next report", "of the same caller") // append finds room behind lines
	before := strings.Join(whole, "\n")
	result := leave(t, "WriteLines", func() error { return close.WriteLines(path, whole[:len(lines)]) })
	requireReturned(t, "WriteLines", result)
	lab.RequireNoError(t, result.err, lab.Lesson{
		Says:  "WriteLines returned an error although nothing failed",
		Did:   lesson.Did,
		Means: "the workshop treats the evening's report as lost",
		Read:  sectionBuffer,
	})
	lab.Require(t, strings.Join(whole, "\n") == before, lab.Lesson{
		Says:     "WriteLines changed the caller's slice",
		Did:      lesson.Did + "; the lines were the first part of a longer slice",
		Expected: "the slice holds what it held before",
		Found:    "the slice, or the part behind the lines, holds something else",
		Means:    "a caller that writes a list in two halves loses a line of the second one, and no call reports it",
		Read:     sectionTurn,
	})
}

func TestCountLinesCountsEveryLine(t *testing.T) {
	t.Parallel()
	total, err := countLines(t)
	none := lab.Lesson{
		Says:  "CountLines counted wrong",
		Did:   "CountLines was given no path",
		Means: "a workshop without lists has no entries, which is not a failure",
		Read:  sectionTurn,
	}
	lab.RequireNoError(t, err, none)
	lab.RequireEqual(t, 0, total, none)
	for _, test := range []struct {
		name, content string
		lines         int
	}{
		{"three short lines", "bracket\ngear\nhinge\n", 3},
		{"an empty file", "", 0},
		{"a last line without a newline", "bracket\ngear", 2},
		{"blank lines", "\n\nbracket\n\n", 4},
		{"one blank line and no other", "\n", 1},
		{"lines that end in CR LF", "bracket\r\n\r\ngear\r\n", 3},
		{"a line of 200,000 bytes between two short ones", "first\n" + strings.Repeat("a", 200_000) + "\nlast\n", 3},
		{"a line of 17 MiB", strings.Repeat("a", 17<<20) + "\n", 1}, // more than a program sets aside
		{"100,000 lines", strings.Repeat("gear\n", 100_000), 100_000},
		{"NUL bytes", strings.Repeat("a\x00b\n", 1_000) + "\x00", 1_001}, // to other programs the mark of what is no text
		{"one line with what other programs take for the end of one", "a\rb\vc\fd\u0085e\u2028f\n", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // where CountLines hangs, the test waits once and not for each row
			path, empty := lab.WriteFile(t, "parts.txt", test.content), lab.WriteFile(t, "empty.txt", "")
			lesson := lab.Lesson{
				Says:  "CountLines counted wrong",
				Did:   "CountLines was given one file: " + test.name,
				Means: "the workshop does not know how many entries it has",
				Read:  sectionTurn,
			}
			total, err := countLines(t, path)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, test.lines, total, lesson)
			if len(test.content) > 1<<20 {
				return // a small buffer is slow, and not wrong
			}
			lesson.Did = "CountLines was given the same file twice, and an empty one between: " + test.name
			total, err = countLines(t, path, empty, path)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, 2*test.lines, total, lesson)
		})
	}
}

func countLines(t *testing.T, paths ...string) (total int, err error) {
	t.Helper()
	result := leave(t, "CountLines", func() (err error) { total, err = close.CountLines(slices.Values(paths)); return err })
	requireReturned(t, "CountLines", result)
	return total, result.err
}

// The sequence of paths is the test's: when CountLines asks for the next path, the test stands between two files.
func TestCountLinesClosesAFileBeforeTheNext(t *testing.T) {
	t.Parallel()
	var paths []string
	for range 3 {
		paths = append(paths, lab.WriteFile(t, "parts.txt", "1\n2\n"))
	}
	total, stillOpen := 0, ""
	result := leave(t, "CountLines", func() (err error) {
		total, err = close.CountLines(func(yield func(string) bool) {
			for i, path := range paths {
				if !yield(path) {
					return
				}
				if open, err := isOpen(path); err == nil && open && stillOpen == "" {
					stillOpen = fmt.Sprintf("file %d was open when path %d was asked for", i+1, i+2)
				}
			}
			// As long as before and, as cp -p leaves it, as old: that the file is another one, only its content tells.
			last := paths[len(paths)-1]
			info, err := os.Stat(last)
			requireMachine(t, err)
			write(t, last, "123\n")
			requireMachine(t, os.Chtimes(last, info.ModTime(), info.ModTime()))
			yield(last)
		})
		return err
	})
	requireReturned(t, "CountLines", result)
	lesson := lab.Lesson{
		Says:  "CountLines still had a file open when it went to the next",
		Did:   "CountLines went through three files; before it got each next path, the test looked at the file before",
		Means: "with more files than the process may have open, the count fails",
		Read:  sectionLoop,
	}
	lab.RequireNoError(t, result.err, lesson)
	lab.RequireEqual(t, "", stillOpen, withExpected(lesson, "each file is closed before the next path is asked for", stillOpen))
	lab.RequireEqual(t, 3*2+1, total, lab.Lesson{
		Says:  "CountLines did not count what a file held when its turn came",
		Did:   "CountLines was given three files of two lines; then the third became one line of the same size and time; its path came again",
		Means: "the sum is made of what the files held at some other time",
		Read:  sectionTurn,
	})
}

func withExpected(l lab.Lesson, expected, found string) lab.Lesson {
	l.Expected, l.Found = expected, found
	return l
}

// The refused file stands between two good ones. The worker's process is its own, so that a leaked handle stays visible.
func TestCountLinesEndsAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, path string }{
		{"a missing file", "missing.txt"},
		{"a directory, which can be opened and not read", "."},
		{"a file in a missing directory", "missing/gear.txt"},
		{"a path that leads through a file", "gear.txt/gear.txt"},
		{"an empty path", ""},
		{"a name with a NUL byte", "a\x00b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			good := lab.WriteFile(t, "gear.txt", "1\n2\n") // of its own: on Windows the test of what is open refuses others the file
			path := test.path
			if path != "" {
				path = filepath.Join(filepath.Dir(good), path)
			}
			worker := lab.Start(t, "count lines and stop", good, path)
			var seen stopped
			lesson := lab.Lesson{
				Says:  "CountLines passed over a file that it could not read",
				Did:   "CountLines was given a file of two lines, then " + test.name + ", then the first file again",
				Means: "a list that was moved or lost is not missed, and the sum is too small",
				Read:  sectionTurn,
			}
			receive(t, worker, "CountLines", &seen)
			if seen.Readable {
				t.Skipf("this system reads %s like a file", test.name)
			}
			lab.Require(t, seen.Err != "", withExpected(lesson, "an error", fmt.Sprintf("no error, and the sum %d", seen.Total)))
			lesson.Says = "CountLines lost the cause of its error"
			lesson.Means = "the caller cannot tell a missing file from a wrong path or a broken disk"
			lab.Require(t, seen.Cause, withExpected(lesson, "errors.Is finds what os.ReadFile reports for that path", shorten(seen.Err)))
			lesson.Says = "CountLines left a file open that it could not read"
			lesson.Means = "each unreadable file costs a handle, until the program can open nothing more"
			lesson.Read = sectionWhy
			lab.Require(t, !seen.StillOpen, withExpected(lesson, "CountLines closes what it has opened, and returns the error",
				"it returned the error, and the file or directory is still open"))
			requireNothingMore(t, seen, lesson)
		})
	}
	t.Run("a file that the kernel refuses once", requireEndAtARefusedOpen)
	t.Run("a call of the kernel that fails", requireAllOrNothing)
	t.Run("a file that may only be read", requireReadingAlone)
}

// Some of these error numbers other code passes over, or takes for a reason to try again.
func requireEndAtARefusedOpen(t *testing.T) {
	t.Helper()
	path := lab.WriteFile(t, "gear.txt", "1\n2\n")
	for _, errno := range []error{syscall.ELOOP, syscall.ENXIO, syscall.EMFILE, syscall.EACCES} {
		total := 0
		var calls []string
		var machine error
		result := leave(t, "CountLines", func() (err error) {
			calls, machine = lab.RefuseOne(0, errno, func() { total, err = close.CountLines(slices.Values([]string{path, path})) })
			return err
		})
		requireReturned(t, "CountLines", result)
		lab.RequireRefuse(t, machine)
		if len(calls) == 0 || calls[0] != "openat" {
			t.Skip("the call that was refused is not the open")
		}
		lesson := lab.Lesson{
			Says:  "CountLines went on after the kernel had refused an open",
			Did:   fmt.Sprintf("CountLines was given the same file of two lines twice; the kernel refused the first open: %q", errno),
			Means: "a list that cannot be read is not missed, and the sum is too small",
			Read:  sectionTurn,
		}
		lab.RequireErrorIs(t, result.err, errno, lesson)
		lesson.Says = "CountLines returned half a sum beside its error"
		lab.RequireEqual(t, 0, total, lesson)
	}
}

// In turn, the kernel refuses each call with which CountLines opens, examines or closes the file.
func requireAllOrNothing(t *testing.T) {
	path := lab.WriteFile(t, "gear.txt", "1\n2\n")
	for made := 0; ; made++ {
		total := 0
		var calls []string
		var machine error
		result := leave(t, "CountLines", func() (err error) {
			calls, machine = lab.RefuseOne(made, syscall.EIO, func() { total, err = close.CountLines(slices.Values([]string{path})) })
			return err
		})
		requireReturned(t, "CountLines", result)
		lab.RequireRefuse(t, machine)
		if made >= len(calls) {
			return
		}
		lesson := lab.Lesson{
			Says:  "CountLines counted wrong after a refused call",
			Did:   fmt.Sprintf("CountLines was given a file of two lines; its call %d, %s, was refused: %q", made+1, calls[made], syscall.EIO),
			Means: "half a sum looks like a sum: a caller that prints it before it checks the error misleads the workshop",
			Read:  sectionTurn,
		}
		want := 2
		if result.err != nil {
			want = 0
			lab.RequireErrorIs(t, result.err, syscall.EIO, lesson.Say("CountLines lost the cause of its error"))
		}
		lab.RequireEqual(t, want, total, lesson)
	}
}

func requireReadingAlone(t *testing.T) {
	path, total := lab.WriteFile(t, "gear.txt", "1\n2\n"), 0
	var machine error
	result := leave(t, "CountLines", func() (err error) {
		machine = lab.Refuse("open for writing", syscall.EACCES, func() { total, err = close.CountLines(slices.Values([]string{path})) })
		return err
	})
	requireReturned(t, "CountLines", result)
	lab.RequireRefuse(t, machine)
	lesson := lab.Lesson{
		Says:  "CountLines asked for more than reading",
		Did:   "CountLines was given a file of two lines, which the kernel opened for reading and for nothing else",
		Means: "a list that belongs to another person, or lies on a read-only disk, is not counted",
		Read:  sectionTurn,
	}
	lab.RequireNoError(t, result.err, lesson)
	lab.RequireEqual(t, 2, total, lesson)
}

func requireNothingMore(t *testing.T, seen stopped, lesson lab.Lesson) {
	t.Helper()
	lesson.Read = sectionTurn
	lesson.Says = "CountLines returned half a sum beside its error"
	lesson.Means = "half a sum looks like a sum: a caller that prints it before it checks the error misleads the workshop"
	lab.RequireEqual(t, 0, seen.Total, lesson)
	lesson.Says = "CountLines went on after a file that it could not read"
	lesson.Means = "a thousand files are read for a sum that is not returned"
	lab.Require(t, seen.Ended, lab.Lesson{
		Says:     "CountLines returned and left the sequence of paths in the middle",
		Did:      lesson.Did,
		Expected: "the sequence ends, and the calls that it has deferred run",
		Found:    "it waits for a next turn that never comes",
		Means:    "a sequence that lists a directory or a table keeps its handle: a leak on the exit path with an error",
		Read:     sectionWhy,
	})
	lab.Require(t, seen.Asked == 2, withExpected(lesson, "CountLines asks for 2 paths", fmt.Sprintf("it asked for %d", seen.Asked)))
}

type stopped struct {
	Total, Asked     int
	Err              string
	Cause, StillOpen bool
	Ended            bool // the sequence of paths was left before CountLines returned
	Readable         bool // the system reads even this
}

func countLinesAndStop(w *lab.Worker) error {
	withoutCollector()
	good, bad := w.Arg(0), w.Arg(1)
	_, want := os.ReadFile(bad)
	var seen stopped
	total, err := close.CountLines(func(yield func(string) bool) {
		defer func() { seen.Ended = true }()
		for _, path := range []string{good, bad, good} {
			seen.Asked++
			if !yield(path) {
				return
			}
		}
	})
	seen.Total, seen.Err = total, text(err)
	seen.Readable = want == nil
	seen.Cause = want != nil && errors.Is(err, errors.Unwrap(want))
	for _, path := range []string{good, bad} {
		if open, err := isOpen(path); err == nil && open {
			seen.StillOpen = true
		}
	}
	return w.Result(seen)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func baseNames(paths []string) []string {
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names
}
