package seektruncate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

const firstLine = "alice took bracket.step\n"

func TestAppendLineAddsWholeLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2<<20)
	for _, c := range []struct {
		name, old string
		missing   bool
		lines     []string
		want      string
	}{
		{name: "to a log that does not exist yet", missing: true, lines: []string{"alice took bracket.step"}, want: firstLine},
		{
			name: "after the lines that exist", old: firstLine,
			lines: []string{"bob took hinge.step", "bob took hinge.step", "", "alice gave bracket.step"},
			want:  firstLine + "bob took hinge.step\nbob took hinge.step\n\nalice gave bracket.step\n",
		},
		{name: "as they are", old: firstLine, lines: []string{" \t100% of \x00 %s \xff\r"}, want: firstLine + " \t100% of \x00 %s \xff\r\n"},
		{
			name: "of any length", old: firstLine, lines: []string{long, long[:65_535], "x"},
			want: firstLine + long + "\n" + long[:65_535] + "\nx\n",
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
				Means: "the log does not say who took which part",
				Read:  `lessons/03_seek_truncate, "The fix"`,
			}
			for _, line := range c.lines {
				lab.RequireNoError(t, seektruncate.AppendLine(path, line), lesson)
			}
			lab.RequireFile(t, path, c.want, lesson)
			lesson.Says = "AppendLine left another file behind"
			requireAlone(t, path, lesson)
		})
	}
	for _, old := range []string{firstLine, ""} {
		t.Run(fmt.Sprintf("through a symbolic link to a file of %d bytes", len(old)), func(t *testing.T) {
			t.Parallel()
			path, link := lab.WriteFile(t, "checkouts.log", old), lab.Path(t, "link.log")
			symlink(t, path, link)
			lesson := lab.Lesson{
				Says:  "AppendLine did not follow a symbolic link to the log",
				Did:   "AppendLine was called with the path of a symbolic link to checkouts.log",
				Means: "a log that lies on another disk cannot be written, or is split in two",
				Read:  `lessons/03_seek_truncate, "One write, at the end"`,
			}
			if old == "" {
				prepared(t, os.Remove(path))
				lesson.Did = "AppendLine was called with the path of a symbolic link to a log that did not exist yet"
			}
			lab.RequireNoError(t, seektruncate.AppendLine(link, "bob took hinge.step"), lesson)
			lab.RequireFile(t, path, old+"bob took hinge.step\n", lesson)
			info, err := os.Lstat(link)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, fs.ModeSymlink, info.Mode().Type(), lesson)
		})
	}
}

func TestAppendLineRefusesANewline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, line string }{
		{"in the middle", "bob took hinge.step\nalice gave bracket.step"},
		{"at the end", "bob took hinge.step\n"},
		{"at the beginning", "\nbob took hinge.step"},
		{"alone", "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path, missing := lab.WriteFile(t, "checkouts.log", firstLine), lab.Path(t, "missing.log")
			lesson := lab.Lesson{
				Says:  "AppendLine took a text with a newline for one line",
				Did:   "AppendLine was given " + lab.Show([]byte(c.line)),
				Means: "one call makes two entries, and one of them is empty, or forged: that Alice gave back what she still has",
				Read:  `lessons/03_seek_truncate, "One write, at the end"`,
			}
			lab.RequireError(t, seektruncate.AppendLine(path, c.line), lesson)
			lab.RequireFile(t, path, firstLine, lesson)
			lab.RequireError(t, seektruncate.AppendLine(missing, c.line), lesson)
			lab.RequireNoFile(t, missing, lesson)
			open, err := lab.IsOpen(path)
			prepared(t, err)
			requireClosed(t, "AppendLine", done{LeftOpen: open}, lesson)
		})
	}
}

func TestAppendLineLeavesTheRestAlone(t *testing.T) {
	t.Parallel()

	t.Run("a half line of others", func(t *testing.T) {
		t.Parallel()
		const half = firstLine + "carol to"
		path := lab.WriteFile(t, "checkouts.log", half)
		lesson := lab.Lesson{
			Says:     "AppendLine changed what others had written",
			Did:      "the log ended in a half line, without a newline; AppendLine added a line",
			Expected: "the half line as it was, and the new line directly after it",
			Means:    "the author of the half line may be about to complete it: what is cut is gone, and what stands between splits it",
			Read:     `lessons/03_seek_truncate, "Half a line"`,
		}
		lab.RequireNoError(t, seektruncate.AppendLine(path, "bob took hinge.step"), lesson)
		got := content(t, path)
		lesson.Found = lab.Show([]byte(got))
		lab.Require(t, got == half+"bob took hinge.step\n", lesson)
	})
	t.Run("what it may not read", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t, "Windows has no permission bits")
		path := filepath.Join(lab.SharedDir(t), "checkouts.log")
		prepared(t, os.WriteFile(path, []byte(firstLine), 0o600))
		prepared(t, os.Chmod(path, 0o222))
		lesson := lab.Lesson{
			Says:  "AppendLine needs more than the right to write",
			Did:   "AppendLine on a log with mode --w--w--w-, by a user who is not root",
			Means: "a log to which all may add, and which few may read, cannot be used",
			Read:  `lessons/03_seek_truncate, "One write, at the end"`,
		}
		call := runAppendAs(t, lab.Options{Unprivileged: true}, lesson, path, "bob took hinge.step", unlimited)
		lab.RequireNoError(t, call.Returned.Err, lesson)
		prepared(t, os.Chmod(path, 0o600))
		lab.RequireFile(t, path, firstLine+"bob took hinge.step\n", lesson)
	})
	t.Run("the mode of the log", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t, "Windows has no permission bits")
		path := lab.WriteFile(t, "checkouts.log", firstLine)
		prepared(t, os.Chmod(path, 0o620))
		lesson := lab.Lesson{
			Says:  "AppendLine changed the mode of the log",
			Did:   "the log had mode -rw--w----; AppendLine added a line",
			Means: "a private log can be read by all, or a shared one no longer written",
			Read:  `lessons/03_seek_truncate, "One write, at the end"`,
		}
		lab.RequireNoError(t, seektruncate.AppendLine(path, "bob took hinge.step"), lesson)
		requireMode(t, path, 0o620, lesson)
	})
	t.Run("and the umask", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t, "Windows has no umask")
		for _, c := range []struct{ mask, want fs.FileMode }{{0o002, 0o664}, {0o077, 0o600}} {
			path := lab.Path(t, "checkouts.log")
			lesson := lab.Lesson{
				Says:  "AppendLine did not leave the mode of a new log to the umask",
				Did:   fmt.Sprintf("AppendLine created a log in a process with umask %03o", c.mask),
				Means: "the group that shares the log cannot append to it, or all can read a private one",
				Read:  `lessons/03_seek_truncate, "One write, at the end"`,
			}
			call := runAppend(t, lesson, path, "bob took hinge.step", unlimited, fmt.Sprint(int(c.mask)))
			lab.RequireNoError(t, call.Returned.Err, lesson)
			requireMode(t, path, c.want, lesson)
		}
	})
	t.Run("and a missing directory", func(t *testing.T) {
		t.Parallel()
		directory := lab.Path(t, "mistyped")
		lesson := lab.Lesson{
			Says:  "AppendLine made a directory",
			Did:   "AppendLine was called with a path whose directory is missing",
			Means: "a mistyped path becomes a second log, and each of the two is half of the truth",
			Read:  `lessons/03_seek_truncate, "One write, at the end"`,
		}
		err := seektruncate.AppendLine(filepath.Join(directory, "checkouts.log"), "bob took hinge.step")
		lab.RequireNoFile(t, directory, lesson)
		lesson.Says = "AppendLine did not report that the directory is missing"
		lab.RequireErrorIs(t, err, fs.ErrNotExist, lesson)
	})
}

func requireMode(t *testing.T, path string, want fs.FileMode, lesson lab.Lesson) {
	t.Helper()
	info, err := os.Stat(path)
	lab.RequireNoError(t, err, lesson)
	lab.RequireEqual(t, want, info.Mode(), lesson)
}

// appendLine appends one line, perhaps in a process that may write no file beyond a length, perhaps with a umask.
func appendLine(w *lab.Worker) error {
	if err := limit(w, 2); err != nil {
		return err
	}
	if w.Arg(3) != "" {
		setUmask(w.Int(3))
	}
	path := w.Arg(0)
	call, err := doneWith(path, seektruncate.AppendLine(path, w.Arg(1)))
	return errors.Join(w.Result(call), err)
}

func runAppend(t *testing.T, lesson lab.Lesson, path string, args ...string) (call done) {
	t.Helper()
	return runAppendAs(t, lab.Options{}, lesson, path, args...)
}

func runAppendAs(t *testing.T, o lab.Options, lesson lab.Lesson, path string, args ...string) (call done) {
	t.Helper()
	worker := lab.Launch(t, o, "append", append([]string{path}, args...)...)
	worker.Result(&call, lesson)
	lab.RequireNoError(t, worker.Wait(lesson), lesson)
	return call
}

// others append with one write in append mode, as any program may, and note what they have appended. They stop after some lines: an
// AppendLine that reads the log comes to its end.
type others struct{ lines []string }

func (o *others) append(t *testing.T, path string) {
	t.Helper()
	const most = 20
	if len(o.lines) == most {
		return
	}
	line := fmt.Sprintf("carol took part-%04d.step\n", len(o.lines))
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	prepared(t, err)
	_, err = file.WriteString(line)
	prepared(t, errors.Join(err, file.Close()))
	o.lines = append(o.lines, line)
}

// requireAll demands that the log holds each line of the others in one piece.
func (o *others) requireAll(t *testing.T, path string, lesson lab.Lesson) {
	t.Helper()
	got := content(t, path)
	for _, line := range o.lines {
		lesson.Expected, lesson.Found = "a line "+lab.Show([]byte(line)), lab.Show([]byte(got))
		lab.Require(t, strings.Contains(got, line), lesson)
	}
}

// Another process appends a line after each system call that AppendLine makes: the crowd below meets such a moment by chance.
func TestAppendLineAppendsWhereTheEndIsNow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, old string
		missing   bool
		length    int
	}{
		{name: "a short line", old: firstLine, length: 30},
		{name: "a line of 5,000,000 bytes", old: firstLine, length: 5_000_000},
		{name: "the first line of all", missing: true, length: 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "checkouts.log")
			if !c.missing {
				path = lab.WriteFile(t, "checkouts.log", c.old)
			}
			line := logLine("bob", 1, c.length)
			lesson := lab.Lesson{
				Says:  "AppendLine lost or split another process's line",
				Did:   "another process appended a line after each system call of AppendLine",
				Means: "the log has forgotten who took which part, and no call returned an error",
				Read:  `lessons/03_seek_truncate, "One write, at the end"`,
			}
			var carol others
			var returned lab.Returned
			worker := lab.Step(t, stops, filepath.Dir(path), "step", path, logLine("bob", 1, 0), unlimited, fmt.Sprint(c.length))
			worker.Call("append", &returned, func(stop lab.Stop) {
				made := lesson
				made.Says = "AppendLine made another file while it worked"
				made.Means = "a process crash leaves it there, and a lock that stays behind stops every writer"
				made.Did = "another process listed the directory, which is TMPDIR as well, after AppendLine's call of " + stop.Call.Name
				requireAlone(t, path, made)
				carol.append(t, path)
			}, lesson)
			lab.RequireNoError(t, returned.Err, lesson)
			carol.requireAll(t, path, lesson)

			lesson.Says = "AppendLine lost or split its own line"
			got := content(t, path)
			lesson.Expected, lesson.Found = "once the line "+lab.Show([]byte(line)), lab.Show([]byte(got))
			lab.Require(t, strings.Count("\n"+got, "\n"+line+"\n") == 1, lesson)
			lesson.Says = "AppendLine wrote something that is not a line of the log"
			all := len(c.old) + len(strings.Join(carol.lines, "")) + len(line) + 1
			lesson.Expected, lesson.Found = fmt.Sprintf("%d bytes", all), fmt.Sprintf("%d bytes: %s", len(got), lab.Show([]byte(got)))
			lab.Require(t, len(got) == all, lesson)
		})
	}
}

func TestAppendLineReportsALineThatDoesNotFit(t *testing.T) {
	t.Parallel()
	skipOnWindows(t, noLimit)
	for _, c := range []struct{ room, length int }{{7, 19}, {7, 100_000}, {19, 19}} { // in the last only the newline does not fit
		room, length := c.room, c.length
		path := lab.WriteFile(t, "checkouts.log", firstLine)
		lesson := lab.Lesson{
			Says:     "AppendLine reported nothing although a part of its line is missing",
			Did:      fmt.Sprintf("AppendLine in a process that could add %d bytes to the file; the line has %d and its newline", room, length),
			Expected: "an error",
			Found:    "no error",
			Means:    "Bob works on a part that, by the log, he never took",
			Read:     `lessons/03_seek_truncate, "Half a line"`,
		}
		call := runAppend(t, lesson, path, logLine("bob", 1, length), fmt.Sprint(len(firstLine)+room))
		lab.Require(t, call.Returned.Err != nil, lesson)
		requireClosed(t, "AppendLine", call, lesson)
	}
}

// A half line is in the log, and others have appended after it before AppendLine gets its error. AppendLine must not take its part back.
// If there is room again by then, it must not pretend that two parts are one line.
func TestAppendLineLeavesAHalfLineAsItIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		full          func(*testing.T) fullLog
		append, again bool // others append meanwhile; there is room again after the refusal
	}{
		{"alone", limitedLog, false, false},
		{"when others have appended", limitedLog, true, false},
		{"when others have appended to the log that it created", newLimitedLog, true, false},
		{"when there is room again", limitedLog, false, true},
		{"when both happen", limitedLog, true, true},
		{"when others have appended on a full disk", logOnAFullDisk, true, true},
		{"when there is room again on a full disk", logOnAFullDisk, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			log := c.full(t)
			lesson := lab.Lesson{
				Says:     "AppendLine took something out of the log",
				Did:      fmt.Sprintf("the kernel took %d bytes of AppendLine's line and refused the rest", bytesOfRoom),
				Expected: "a log that never gets shorter",
				Means:    "between a look at the log and the cut others may append: one program without room erases what they have written",
				Read:     `lessons/03_seek_truncate, "Half a line"`,
			}
			const line = "bob took hinge.step"
			var carol others
			var returned lab.Returned
			worker := lab.Step(t, stops, filepath.Dir(log.path), "step", log.path, line, log.limit)
			refused, longest := false, len(log.old)
			worker.Call("append", &returned, func(stop lab.Stop) {
				now := content(t, log.path)
				lesson.Found = fmt.Sprintf("%d bytes, and %d after its call of %s", longest, len(now), stop.Call.Name)
				lab.Require(t, len(now) >= longest, lesson)
				half := strings.Contains(now, line[:bytesOfRoom])
				if half && stop.Call.Errno != "" && !refused && c.again {
					refused = true
					log.makeRoom(worker.PID())
				}
				if half && c.append && (refused || log.limit != unlimited) {
					carol.append(t, log.path)
				}
				longest = len(content(t, log.path))
			}, lesson)
			carol.requireAll(t, log.path, lesson)

			added := strings.TrimPrefix(content(t, log.path), log.old)
			lesson.Means = "the log holds a line that begins twice, or two halves in different places, and Bob's program believes it"
			lesson.Says = "AppendLine returned nil for a line that is not in the log"
			lesson.Expected, lesson.Found = "an error, or the line "+lab.Show([]byte(line+"\n")), "no error, and "+lab.Show([]byte(added))
			lab.Require(t, returned.Err != nil || strings.Contains("\n"+added, "\n"+line+"\n"), lesson)

			lesson.Means = "what others append next, and a reader who checks each line, meet what nobody wrote"
			lesson.Says = "AppendLine added something else than the first part of its line"
			for _, other := range carol.lines {
				added = strings.Replace(added, other, "", 1)
			}
			lesson.Expected, lesson.Found = "with its error at most the first part of "+lab.Show([]byte(line)), lab.Show([]byte(added))
			lab.Require(t, returned.Err == nil || strings.HasPrefix(line, added), lesson)
		})
	}
}

const bytesOfRoom = 7

// A fullLog is a log with room for bytesOfRoom bytes.
type fullLog struct {
	path, old, limit string
	makeRoom         func(pid int)
}

// limitedLog has a limit of the process that appends.
func limitedLog(t *testing.T) fullLog {
	t.Helper()
	path := lab.WriteFile(t, "checkouts.log", firstLine)
	return fullLog{path, firstLine, fmt.Sprint(len(firstLine) + bytesOfRoom), func(pid int) { prepared(t, liftFileSizeLimit(pid)) }}
}

// newLimitedLog does not exist yet.
func newLimitedLog(t *testing.T) fullLog {
	t.Helper()
	return fullLog{path: lab.Path(t, "checkouts.log"), limit: fmt.Sprint(bytesOfRoom)}
}

// logOnAFullDisk has a few bytes left in the last block of a disk without another one.
func logOnAFullDisk(t *testing.T) fullLog {
	t.Helper()
	dir, _ := lab.SmallDisk(t, 256<<10)
	const block = 4096
	old := strings.Repeat("-", block-bytesOfRoom-1) + "\n"
	path, filler := filepath.Join(dir, "checkouts.log"), filepath.Join(dir, "filler")
	prepared(t, os.WriteFile(path, []byte(old), 0o600))
	full := os.WriteFile(filler, make([]byte, 1<<20), 0o600)
	if full == nil {
		t.Fatal("the small disk is not small")
	}
	return fullLog{path, old, unlimited, func(int) { prepared(t, os.Remove(filler)) }}
}

func TestAppendLineReportsARefusedStep(t *testing.T) {
	t.Parallel()
	for _, r := range []refusal{openRefused, writeRefused, closeRefused} {
		t.Run(r.step, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				path := lab.WriteFile(t, "checkouts.log", firstLine)
				lesson := lab.Lesson{
					Says:  "AppendLine did not return the kernel's error",
					Did:   fmt.Sprintf("AppendLine, while the kernel refuses to %s the log: %v", r.step, errno),
					Means: "Bob works on a part that, by the log, he may never have taken",
					Read:  `lessons/03_seek_truncate, "When the kernel refuses"`,
				}
				call, met := withRefusal(t, r, errno, lesson, "append", path, "bob took hinge.step", unlimited)
				lab.Require(t, met, lab.Lesson{Says: "AppendLine made no call to " + r.step + " the log", Did: lesson.Did, Read: lesson.Read})
				lab.RequireErrorIs(t, call.Returned.Err, errno, lesson)
				if r.step != "close" {
					requireClosed(t, "AppendLine", call, lesson)
					lesson.Says = "AppendLine went on by another way after the kernel had refused"
					lesson.Means = "a way that is not append mode overwrites what others append at the same time"
					lab.RequireFile(t, path, firstLine, lesson)
				}
			}, r.errnos...)
		})
	}
	t.Run("for whatever reason", func(t *testing.T) {
		passesNoReasonOver(t, change{"AppendLine", firstLine, sameLength, firstLine + sameLength + "\n"})
	})
	t.Run("and the second one as well", func(t *testing.T) {
		t.Parallel()
		requireBothErrors(t, "AppendLine", "write", lab.WriteFile(t, "checkouts.log", firstLine), "append", "bob took hinge.step", "0")
	})
	t.Run("and closes the log when all went well", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "checkouts.log", firstLine)
		lesson := lab.Lesson{Says: "AppendLine failed", Did: "AppendLine added a line to a log", Read: `lessons/03_seek_truncate, "The fix"`}
		call := runAppend(t, lesson, path, "bob took hinge.step", unlimited)
		lab.RequireNoError(t, call.Returned.Err, lesson)
		requireClosed(t, "AppendLine", call, lesson)
	})
}
