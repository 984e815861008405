package seektruncate_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

func TestAppendLineAddsWholeLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, old string
		missing   bool
		lines     []string
		want      string
	}{
		{name: "to a log that is not there yet", missing: true, lines: []string{"alice took bracket.step"}, want: "alice took bracket.step\n"},
		{
			name: "behind the lines that are there", old: "alice took bracket.step\n", lines: []string{"bob took hinge.step", "", "alice gave bracket.step"},
			want: "alice took bracket.step\nbob took hinge.step\n\nalice gave bracket.step\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "checkouts.log")
			if !c.missing {
				path = lab.WriteFile(t, "checkouts.log", c.old)
			}
			lesson := lab.Lesson{
				Says:  "AppendLine did not add each line once, at the end, with a newline",
				Did:   fmt.Sprintf("%d calls of AppendLine, one after the other, by one process", len(c.lines)),
				Means: "the log does not tell who took which part",
				Read:  `lessons/03_seek_truncate, "One write, at the end"`,
			}
			for _, line := range c.lines {
				lab.RequireNoError(t, seektruncate.AppendLine(path, line), lesson)
			}
			lab.RequireFile(t, path, c.want, lesson)
		})
	}

	t.Run("but not two for one", func(t *testing.T) {
		t.Parallel()
		const old = "alice took bracket.step\n"
		path := lab.WriteFile(t, "checkouts.log", old)
		lesson := lab.Lesson{
			Says:  "AppendLine took a text with a newline for one line",
			Did:   `AppendLine was given "bob took hinge.step⏎alice gave bracket.step"`,
			Means: "one call forges two entries: the log says that Alice gave back what she still has",
			Read:  `lessons/03_seek_truncate, "One write, at the end"`,
		}
		err := seektruncate.AppendLine(path, "bob took hinge.step\nalice gave bracket.step")
		lab.RequireError(t, err, lesson)
		lab.RequireFile(t, path, old, lesson)
	})
}

// logLine is line number n of one writer, padded to the given length. Every line of a crowd is different, and no part of
// one can be taken for another.
func logLine(writer string, n, length int) string {
	line := fmt.Sprintf("%s took part %04d ", writer, n)
	return line + strings.Repeat(writer[:1], max(0, length-len(line)))
}

// appendLines appends its lines, or until one fails.
func appendLines(w *lab.Worker) error {
	path, writer, count, length := w.Arg(0), w.Arg(1), w.Int(2), w.Int(3)
	for n := range count {
		if err := seektruncate.AppendLine(path, logLine(writer, n, length)); err != nil {
			return err
		}
	}
	return nil
}

func TestAppendLineLosesNoLine(t *testing.T) {
	t.Parallel()
	skipUnderWine(t)
	for _, c := range []struct {
		name          string
		count, length int
	}{
		{"short lines", 1500, 30},
		{"lines longer than a page", 300, 6000},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Not parallel: two crowds at once would only wait for each other.
			enough, mostRounds := lab.Rounds(300), lab.Rounds(10)
			for met, round := 0, 0; met < enough && round < mostRounds; round++ {
				met += crowd(t, lab.Rounds(c.count), c.length)
			}
		})
	}
}

// crowd lets four processes append to a new log at once and demands every line of each. It returns how often the log
// changes from one writer to another: on a busy machine processes that started together may yet run one after the other.
func crowd(t *testing.T, count, length int) (met int) {
	t.Helper()
	path := lab.Path(t, "checkouts.log")
	writers := []string{"alice", "bob", "carol", "dave"}
	var processes []*lab.Process
	for _, writer := range writers {
		processes = append(processes, lab.Launch(t, lab.Options{Hold: true}, "append", path, writer, fmt.Sprint(count), fmt.Sprint(length)))
	}
	for _, p := range processes {
		p.Continue()
	}
	lesson := lab.Lesson{
		Says:  "AppendLine lost lines, or tore them, when four processes appended at once",
		Did:   fmt.Sprintf("4 processes appended %d lines of %d bytes each; every call returned nil", count, length),
		Means: "the log has forgotten who took which part, and nobody was told",
		Read:  `lessons/03_seek_truncate, "The end of the file moves"`,
	}
	for _, p := range processes {
		lab.RequireNoError(t, p.Wait(lesson), lesson)
	}
	return requireLines(t, path, writers, count, length, lesson)
}

// requireLines demands that the log holds every line of every writer once, and nothing else. The order is nobody's promise.
// It returns how often the writer changes from one line to the next.
func requireLines(t *testing.T, path string, writers []string, count, length int, lesson lab.Lesson) (changes int) {
	t.Helper()
	content, err := os.ReadFile(path)
	lab.RequireNoError(t, err, lesson)
	missing := make(map[string]bool)
	for _, writer := range writers {
		for n := range count {
			missing[logLine(writer, n, length)] = true
		}
	}
	strange, example, previous := 0, "", ""
	for line := range strings.SplitSeq(strings.TrimSuffix(string(content), "\n"), "\n") {
		if missing[line] {
			delete(missing, line)
			if line[:1] != previous {
				changes++
			}
			previous = line[:1]
		} else if strange++; strange == 1 {
			example = line
		}
	}
	lesson.Expected = fmt.Sprintf("%d whole lines and nothing else", len(writers)*count)
	lesson.Found = fmt.Sprintf("%d whole lines; %d are gone", len(writers)*count-len(missing), len(missing))
	if strange > 0 {
		lesson.Found += fmt.Sprintf("; %d that nobody wrote, the first: %s", strange, lab.Show([]byte(example)))
	}
	lab.Require(t, len(missing) == 0 && strange == 0, lesson)
	return changes
}

// appendWithoutRoom calls AppendLine in a process that may write no file beyond a length.
func appendWithoutRoom(w *lab.Worker) error {
	if err := lab.LimitFileSize(int64(w.Int(1))); err != nil {
		return err
	}
	return w.Result(outcomeOf(seektruncate.AppendLine(w.Arg(0), w.Arg(2))))
}

// appendUntilStopped appends lines until a file stands at the path of the stop sign, and reports how many.
func appendUntilStopped(w *lab.Worker) error {
	path, writer, length, stop := w.Arg(0), w.Arg(1), w.Int(2), w.Arg(3)
	for n := 0; ; n++ {
		if _, err := os.Stat(stop); err == nil || n == 200_000 {
			return w.Result(n)
		}
		if err := seektruncate.AppendLine(path, logLine(writer, n, length)); err != nil {
			return err
		}
	}
}

// failToAppend calls AppendLine in a process in which every write fails, until the log has changed many times between the
// calls: then the two processes have met, on a busy machine too.
func failToAppend(w *lab.Worker) error {
	path, line := w.Arg(0), w.Arg(1)
	if err := lab.LimitFileSize(0); err != nil {
		return err
	}
	enough, mostCalls := lab.Rounds(200), 50_000
	var previous int64
	for calls, changes := 0, 0; changes < enough && calls < mostCalls; calls++ {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Size() != previous {
			changes++
		}
		previous = info.Size()
		_ = seektruncate.AppendLine(path, line) // that it must report the failure is another test's question
	}
	return nil
}

func TestAppendLineWithoutRoom(t *testing.T) {
	t.Parallel()
	skipWithoutFileSizeLimit(t)

	t.Run("reports a half line", func(t *testing.T) {
		t.Parallel()
		const old = "alice took bracket.step\n"
		path := lab.WriteFile(t, "checkouts.log", old)
		worker := lab.Start(t, "append without room", path, fmt.Sprint(len(old)+7), "bob took hinge.step")
		lesson := lab.Lesson{
			Says:     "AppendLine said nothing of a line that could not be written",
			Did:      "AppendLine ran in a process that could add 7 bytes to the file; the line has 19",
			Expected: "an error",
			Found:    "no error",
			Means:    "Bob works on a part that, by the log, he never took",
			Read:     `lessons/03_seek_truncate, "Half a line"`,
		}
		var call outcome
		worker.Result(&call, lesson)
		lab.Require(t, call.Failed, lesson)
	})

	t.Run("never cuts the log", func(t *testing.T) {
		t.Parallel()
		const length = 30
		path, stop := lab.WriteFile(t, "checkouts.log", ""), lab.Path(t, "stop")
		lesson := lab.Lesson{
			Says:  "AppendLine took another process's lines out of the log when it could not write its own",
			Did:   "Alice's process appended line after line, while every write of Bob's process failed",
			Means: "one program without room on the disk erases what others have written",
			Read:  `lessons/03_seek_truncate, "Half a line"`,
		}
		alice := lab.Start(t, "append until stopped", path, "alice", fmt.Sprint(length), stop)
		bob := lab.Start(t, "fail to append", path, "bob took hinge.step")
		lab.RequireNoError(t, bob.Wait(lesson), lesson)
		if err := os.WriteFile(stop, nil, 0o600); err != nil {
			t.Fatalf("the test cannot stop its worker: %v", err)
		}
		var count int
		alice.Result(&count, lesson)
		requireLines(t, path, []string{"alice"}, count, length, lesson)
	})
}
