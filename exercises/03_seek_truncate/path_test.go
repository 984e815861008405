package seektruncate_test

import (
	"os"
	"path/filepath"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

// sameLength is as long as firstLine: these tests ask nothing about the end of a document.
const sameLength = "carol gave bracket.step."

// bothFunctions are the two that take a path, each with what it makes of a file that holds firstLine when it is given sameLength.
var bothFunctions = []struct{ name, want string }{
	{"Rewrite", sameLength},
	{"AppendLine", firstLine + sameLength + "\n"},
}

func call(function, path string) error {
	if function == "Rewrite" {
		return seektruncate.Rewrite(path, []byte(sameLength))
	}
	return seektruncate.AppendLine(path, sameLength)
}

// elsewhere makes a call on a relative path after the program has changed its working directory.
func elsewhere(w *lab.Worker) error {
	if err := os.Chdir(w.Arg(0)); err != nil {
		return err
	}
	return w.Result(lab.Returned{Err: call(w.Arg(1), "checkouts.log")})
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
				start, now := lab.WriteFile(t, "checkouts.log", firstLine), lab.WriteFile(t, "checkouts.log", firstLine)
				lesson := lesson
				lesson.Did = "the program changed its working directory, then called " + f.name + ` with the path "checkouts.log"`
				worker := lab.Launch(t, lab.Options{Dir: filepath.Dir(start)}, "elsewhere", filepath.Dir(now), f.name)
				var returned lab.Returned
				worker.Result(&returned, lesson)
				lab.RequireNoError(t, worker.Wait(lesson), lesson)
				lab.RequireFile(t, start, firstLine, lesson)
				lab.RequireNoError(t, returned.Err, lesson)
				lab.RequireFile(t, now, f.want, lesson)
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

func TestNoCallWaitsForALock(t *testing.T) {
	t.Parallel()
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
