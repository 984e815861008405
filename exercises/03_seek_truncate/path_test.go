package seektruncate_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

// sameLength is as long as firstLine: these tests ask nothing about the end of a document.
const sameLength = "carol gave bracket.step."

// bothFunctions are the two that take a path, each with what it makes of a file that holds firstLine when it is given sameLength.
var bothFunctions = []struct{ name, want string }{
	{"Rewrite", sameLength},
	{"AppendLine", firstLine + sameLength + "\n"},
}

func call(function, path string) error { return callWith(function, path, sameLength) }

func callWith(function, path, text string) error {
	if function == "Rewrite" {
		return seektruncate.Rewrite(path, []byte(text))
	}
	return seektruncate.AppendLine(path, text)
}

// elsewhere makes a call on a relative path after the program has changed its working directory.
func elsewhere(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	return w.Result(lab.Returned{Err: call(w.Arg(1), "~/checkouts.log")})
}

func TestAPathIsTakenAsGiven(t *testing.T) {
	t.Parallel()
	for _, f := range bothFunctions {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Says:  f.name + " changed a file in another directory",
				Means: "what it wrote is in a file that no program reads, and that file has lost what it held",
				Read:  `lessons/03_seek_truncate, "The fix"`,
			}
			t.Run("from the working directory of now", func(t *testing.T) {
				t.Parallel()
				// The directory named ~ is nobody's home: that is a matter of shells.
				before, after := t.TempDir(), t.TempDir()
				start, now := filepath.Join(before, "~", "checkouts.log"), filepath.Join(after, "~", "checkouts.log")
				for _, path := range []string{start, now} {
					prepared(t, errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(firstLine), 0o600)))
				}
				lesson := lesson
				lesson.Did = "the program changed its working directory, then called " + f.name + ` with the path "~/checkouts.log"`
				worker := lab.Launch(t, lab.Options{Dir: before}, "elsewhere", after, f.name)
				var returned lab.Returned
				worker.Result(&returned, lesson)
				lab.RequireNoError(t, worker.Wait(lesson), lesson)
				lab.RequireFile(t, start, firstLine, lesson)
				lab.RequireNoError(t, returned.Err, lesson)
				lab.RequireFile(t, now, f.want, lesson)
			})
			t.Run("with a name that looks like a mistake", func(t *testing.T) {
				t.Parallel()
				skipOnWindows(t, "Windows takes a dot and a space from the end of a name")
				path := lab.WriteFile(t, " $HOME %41 [x] Log. ", firstLine)
				lesson := lesson
				lesson.Says = f.name + " changed the path that it was given"
				lesson.Did = f.name + " was called with a file whose name is " + lab.Show([]byte(filepath.Base(path))) + ", with a space at each end"
				err := call(f.name, path)
				requireAlone(t, path, lesson)
				lab.RequireNoError(t, err, lesson)
				lab.RequireFile(t, path, f.want, lesson)
			})
			t.Run("of a file that has no other name", func(t *testing.T) {
				t.Parallel()
				if runtime.GOOS != "linux" {
					t.Skip("only Linux opens a removed file by the path of its handle")
				}
				removed := lab.WriteFile(t, "checkouts.log", firstLine)
				file := open(t, removed)
				prepared(t, os.Remove(removed))
				lesson := lesson
				lesson.Says = f.name + " changed the path that it was given"
				lesson.Did = f.name + " was called with /proc/self/fd/N, which is what /dev/stdout leads to, for an open file without a name"
				lesson.Means = "a path that the kernel can open, such as that of a standard output, cannot be used"
				lab.RequireNoError(t, call(f.name, fmt.Sprintf("/proc/self/fd/%d", file.Fd())), lesson)
				got, err := io.ReadAll(file)
				prepared(t, err)
				lab.RequireEqual(t, f.want, string(got), lesson)
			})
			t.Run("with .. after a symbolic link", func(t *testing.T) {
				t.Parallel()
				skipOnWindows(t, "Windows takes .. out of a path before it looks for a link")
				meant, mistaken := lab.WriteFile(t, "checkouts.log", firstLine), lab.WriteFile(t, "checkouts.log", firstLine)
				target, link := filepath.Join(filepath.Dir(meant), "sub"), filepath.Join(filepath.Dir(mistaken), "link")
				prepared(t, os.Mkdir(target, 0o700))
				prepared(t, os.Symlink(target, link))
				lesson := lesson
				lesson.Did = f.name + " was called with the path link/../checkouts.log, where link leads to another directory"
				err := call(f.name, link+"/../checkouts.log")
				lab.RequireFile(t, mistaken, firstLine, lesson)
				lab.RequireNoError(t, err, lesson)
				lab.RequireFile(t, meant, f.want, lesson)
			})
		})
	}
}

// What a call does is felt at its file and nowhere else.
func TestNoCallIsFeltElsewhere(t *testing.T) {
	t.Parallel()
	t.Run("it waits for no lock", waitsForNoLock)
	t.Run("it waits for no other call", waitsForNoOther)
	t.Run("it asks for no more", asksForNoMore)
}

func waitsForNoLock(t *testing.T) {
	for _, f := range bothFunctions {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "checkouts.log", firstLine)
			holdLocks(t, path)
			lesson := lab.Lesson{
				Says:  f.name + " waited for a lock, or gave up because of one",
				Did:   "another program held a lock on the file, of each of the kernel's kinds; then " + f.name,
				Means: "a program that holds a lock for a day, for reasons of its own, stops every other",
				Read:  `lessons/03_seek_truncate, "The fix"`,
			}
			var err error
			lab.Finishes(t, func() { err = call(f.name, path) }, lesson)
			lab.RequireNoError(t, err, lesson)
			lab.RequireFile(t, path, f.want, lesson)
		})
	}
}

// slow is what comes of two calls at once, of which the first waits in its middle until the second has returned.
type slow struct {
	First, Second lab.Returned
	Strange       int // how many bytes of the first are not its own
}

func waitsForNoOther(t *testing.T) {
	for _, f := range []struct{ name, worker, did, read string }{
		{"Rewrite", "slow rewrite", "a Rewrite waited for the kernel; meanwhile another rewrote the same file", "The fix"},
		{"AppendLine", "slow file", "an AppendLine waited for a slow file; another appended to a log at the same path", "One write, at the end"},
		{"ReadHeader", "slow sender", "a ReadHeader waited for a late sender; meanwhile another read another part", "A read may return less"},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{
				Says:  f.name + " failed while another call of it waited",
				Did:   f.did,
				Means: "one slow file or sender stops or spoils what has nothing to do with it",
				Read:  `lessons/03_seek_truncate, "` + f.read + `"`,
			}
			pipe := lab.Path(t, "pipe")
			if f.worker == "slow file" {
				if err := makePipe(pipe); err != nil {
					t.Skip("this system has no named pipe among its files: ", err)
				}
			}
			// In a process of its own: a lock that it never gets back is not one that other tests wait for.
			worker := lab.Start(t, f.worker, pipe, lab.WriteFile(t, "checkouts.log", firstLine))
			var both slow
			worker.Result(&both, lesson)
			lab.RequireNoError(t, worker.Wait(lesson), lesson)
			lab.RequireNoError(t, both.Second.Err, lesson)
			lab.RequireNoError(t, both.First.Err, lesson)
			lesson.Says = f.name + " wrote another call's bytes"
			lesson.Expected, lesson.Found = "no byte of another call", fmt.Sprintf("%d bytes that the call was not given", both.Strange)
			lesson.Means = "two goroutines of one program write each other's lines, and no call returned an error"
			lab.Require(t, both.Strange == 0, lesson)
		})
	}
}

// besideASlowRewrite stops a Rewrite before each of its calls, where the system can, and rewrites the same file there.
func besideASlowRewrite(w *lab.Worker) error {
	var both slow
	err := lab.Watch(func() { both.First.Err = call("Rewrite", w.Arg(1)) }, func(string) {
		both.Second.Err = errors.Join(both.Second.Err, call("Rewrite", w.Arg(1)))
	})
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, w.Result(both))
}

// callOnce makes a call on a file, and one on an empty one, and an AppendLine on a missing one as well.
func callOnce(w *lab.Worker) error {
	function, path := w.Arg(0), w.Arg(1)
	err := errors.Join(call(function, path), call(function, path+".empty"))
	if function == "AppendLine" {
		err = errors.Join(err, call(function, path+".new"))
	}
	return w.Result(done{Returned: lab.Returned{Err: err}})
}

// asksForNoMore looks at what a call asks of the kernel. Some of it would be felt on a slow disk, in another goroutine, or at a path where
// there is nothing any more.
func asksForNoMore(t *testing.T) {
	for _, f := range bothFunctions {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			lesson := lab.Lesson{Did: f.name + ", seen through strace", Read: `lessons/03_seek_truncate, "The fix"`}
			path := lab.WriteFile(t, "checkouts.log", firstLine)
			prepared(t, os.WriteFile(path+".empty", nil, 0o600))
			calls := "openat,?open,?creat,umask,chdir,fchdir,flock,fcntl,sync_file_range,msync," + trace.Syncs
			worker := lab.Trace(t, lab.Rule{Calls: calls}, lab.Options{}, "call", f.name, path)
			var returned done
			lesson.Says = f.name + " failed"
			worker.Result(&returned, lesson)
			lab.RequireNoError(t, worker.Wait(lesson), lesson)
			lab.RequireNoError(t, returned.Returned.Err, lesson)
			for _, c := range worker.Calls() {
				asks := func(what ...string) bool {
					return slices.ContainsFunc(what, func(w string) bool { return strings.Contains(c.Name+" "+c.Args, w) })
				}
				opens := strings.HasPrefix(c.Name, "open") || c.Name == "creat"
				lesson.Found = c.Short(filepath.Dir(path))
				switch {
				case opens && !c.Within(filepath.Dir(path)): // Go's own
				case asks("sync", "SYNC"):
					lesson.Says, lesson.Expected = f.name+" waited for the disk", "no fsync and no O_SYNC, which the contract rules out"
					lesson.Means = "a call takes as long as the disk needs, a hundred times as long as a write"
					lab.Fail(t, lesson)
				case asks("umask", "chdir"):
					lesson.Says, lesson.Expected = f.name+" changed something of the whole process", "a call that leaves umask and working directory alone"
					lesson.Means = "a file that another goroutine makes at this moment may be written by everyone, or is in another directory"
					lab.Fail(t, lesson)
				case asks("LOCK_", "F_SETLK", "F_OFD_SETLK"):
					lesson.Says, lesson.Expected = f.name+" took a lock", "a call without locks, since the contract rules them out"
					lesson.Means = "a program that asks for the lock at this moment, and does not wait for it, gives up"
					lab.Fail(t, lesson)
				case opens && asks("O_TRUNC", "creat"), f.name == "Rewrite" && opens && asks("O_CREAT"):
					lesson.Says, lesson.Expected = f.name+" opened the file in a way that makes or empties one", "a call without O_TRUNC"
					if f.name == "Rewrite" {
						lesson.Expected += " and O_CREATE"
					}
					lesson.Means = "whatever was checked before, it may be another file by now, or another program may have written to it"
					lab.Fail(t, lesson)
				}
			}
		})
	}
}
