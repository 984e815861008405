package seektruncate_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

// logLine is line number n of one writer, padded to the given length. Every line of a crowd is different, and no part of one can be
// mistaken for another.
func logLine(writer string, n, length int) string {
	line := fmt.Sprintf("%s took part %04d ", writer, n)
	return line + strings.Repeat(writer[:1], max(0, length-len(line)))
}

// appendMany appends its lines from two goroutines, each until one of its calls fails.
func appendMany(w *lab.Worker) error {
	path, writer, count, length := w.Arg(0), w.Arg(1), w.Int(2), w.Int(3)
	errs := make([]error, 2)
	var group sync.WaitGroup
	for g := range errs {
		group.Go(func() {
			for n := g; n < count && errs[g] == nil; n += len(errs) {
				errs[g] = seektruncate.AppendLine(path, logLine(writer, n, length))
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func TestAppendLineLosesNoLineInACrowd(t *testing.T) {
	t.Parallel()
	skipUnderWine(t)
	for _, c := range []struct {
		name          string
		count, length int
	}{
		{"short lines", 500, 30},
		{"lines longer than a page", 100, 6000},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Not parallel: two crowds at once would only wait for each other.
			const enough, mostRounds = 200, 10
			for met, round := 0, 0; met < enough && round < lab.Rounds(mostRounds); round++ {
				met += crowd(t, lab.Rounds(c.count), c.length)
			}
		})
	}
}

// crowd lets four processes append to a new log at once and demands every line of each. It returns how often the log changes from one
// writer to another: on a busy machine processes that started together may yet run one after the other.
func crowd(t *testing.T, count, length int) (met int) {
	t.Helper()
	path := lab.Path(t, "checkouts.log")
	writers := []string{"alice", "bob", "carol", "dave"}
	var processes []*lab.Process
	for _, writer := range writers {
		processes = append(processes, lab.Launch(t, lab.Options{Hold: true}, "append many", path, writer, fmt.Sprint(count), fmt.Sprint(length)))
	}
	for _, p := range processes {
		p.Continue()
	}
	lesson := lab.Lesson{
		Says:  "AppendLine lost lines, or split them, when four processes appended at once",
		Did:   fmt.Sprintf("4 processes appended %d lines of %d bytes each, with 2 goroutines each; every call returned nil", count, length),
		Means: "the log has forgotten who took which part, and no call returned an error",
		Read:  `lessons/03_seek_truncate, "One write, at the end"`,
	}
	for _, p := range processes {
		lab.RequireNoError(t, p.Wait(lesson), lesson)
	}
	return requireLines(t, path, writers, count, length, lesson)
}

// requireLines demands that the log holds every line of every writer once, and nothing else. No order is promised. It returns how often the
// writer changes from one line to the next.
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
	lesson.Found = fmt.Sprintf("%d whole lines; %d are missing", len(writers)*count-len(missing), len(missing))
	if len(missing) == 0 {
		lesson.Says = "AppendLine wrote more than its line when four processes appended at once"
		lesson.Means = "the log holds what no call appended, and a reader must guess what it says"
	}
	if strange > 0 {
		lesson.Found += fmt.Sprintf("; %d that no call wrote, the first: %s", strange, lab.Show([]byte(example)))
	}
	lab.Require(t, len(missing) == 0 && strange == 0, lesson)
	return changes
}

// appendFailed calls AppendLine in a process in which every write fails, until the log has changed often between the calls: then the two
// processes have met. It stands at "ready" before, so that the other one has not come to its end by then.
func appendFailed(w *lab.Worker) error {
	if err := lab.LimitFileSize(0); err != nil {
		return err
	}
	w.Reached("ready")
	const enough, mostCalls = 100, 200_000
	var previous int64
	for calls, changes := 0, 0; changes < enough && calls < mostCalls; calls++ {
		info, err := os.Stat(w.Arg(0))
		if err != nil {
			return err
		}
		if info.Size() != previous {
			changes++
		}
		previous = info.Size()
		_ = seektruncate.AppendLine(w.Arg(0), "bob took hinge.step") // that it must report the failure is another test's question
	}
	return nil
}

// The kernel's own schedule, where no strace forces one.
func TestAppendLineThatFailsNeverCutsTheLog(t *testing.T) {
	t.Parallel()
	skipOnWindows(t, noLimit)
	path := lab.WriteFile(t, "checkouts.log", "")
	lesson := lab.Lesson{
		Says:  "AppendLine took other processes' lines out of the log when it could not write its own",
		Did:   "one process appended line after line, while the kernel refused every write of AppendLine in another",
		Means: "one program without room erases what others have written",
		Read:  `lessons/03_seek_truncate, "Half a line"`,
	}
	bob := lab.Start(t, "append failed", path)
	bob.Reached("ready", lesson)
	stop, written := make(chan struct{}), make(chan string, 1)
	go func() { written <- appendUntil(path, stop) }()
	bob.Continue()
	err := bob.Wait(lesson)
	close(stop)
	want := <-written
	lab.RequireNoError(t, err, lesson)
	lab.RequireFile(t, path, want, lesson)
}

// appendUntil appends lines, each with one write in append mode, until it is stopped or the log is long, and returns what it has written.
func appendUntil(path string, stop <-chan struct{}) string {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err.Error()
	}
	var written strings.Builder
	const most = 200_000 // on a busy machine the other process may have to wait for its turn
	for n := 0; n < most; n++ {
		select {
		case <-stop:
			n = most
		default:
		}
		line := logLine("carol", n, 30) + "\n"
		if _, err := file.WriteString(line); err != nil {
			return err.Error()
		}
		written.WriteString(line)
	}
	if err := file.Close(); err != nil {
		return err.Error()
	}
	return written.String()
}
