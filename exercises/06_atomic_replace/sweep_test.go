package atomicreplace_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example/turnstile/exercises/06_atomic_replace"
	"example/turnstile/internal/lab"
	"example/turnstile/internal/lab/trace"
)

const leftovers = `lessons/06_atomic_replace, "Leftovers"`

func TestSweep(t *testing.T) {
	t.Parallel()

	t.Run("leaves the files of others alone", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		neighbours := []string{"locks.json.tmp", "locks.json.bak", "locks.json-notes.tmp", ".locks.json.swp", ".locks.json.tmp", "parts.json", "plan.tmp", ".locks.json.notes.tmp", ".locks.json.2026.07.tmp"}
		for _, name := range neighbours {
			neighbour := filepath.Join(filepath.Dir(path), name)
			lab.RequireNoError(t, os.WriteFile(neighbour, []byte("mine"), 0o600), lab.Lesson{Says: "the test could not write its own file"})
			age(t, neighbour)
		}
		age(t, path)
		_, err := atomicreplace.Sweep(path, time.Hour)
		lab.RequireNoError(t, err, lab.Lesson{Says: "Sweep failed although there was nothing for it to do", Did: "Sweep in a folder without leftovers", Read: leftovers})
		lab.RequireFile(t, path, before, lab.Lesson{Says: "Sweep removed the file itself", Did: "Sweep beside locks.json", Means: "the list of locks is gone", Read: leftovers})
		var missing []string
		for _, name := range neighbours {
			if !slices.Contains(others(t, path), name) {
				missing = append(missing, name)
			}
		}
		lab.RequireEqual(t, "", strings.Join(missing, ", "), lab.Lesson{
			Says: "Sweep removed files that no WriteFile has made", Did: "Sweep beside locks.json, in a folder with other people's old files", Expected: "all of them are still there",
			Found: "gone: " + strings.Join(missing, ", "), Means: "a program that tidies up has deleted a user's work", Read: leftovers,
		})
	})

	t.Run("beside the file that a link leads to", func(t *testing.T) {
		t.Parallel()
		path, link := lab.WriteFile(t, "locks.json", before), lab.Path(t, "link.json")
		if err := os.Symlink(path, link); err != nil {
			t.Skip("this system or user may not make symbolic links: ", err)
		}
		if _, err := os.Readlink(link); err != nil {
			t.Skip("what this system makes for a symbolic link is none (Wine): ", err)
		}
		leftover := crashLeft(t, path)
		age(t, filepath.Join(filepath.Dir(path), leftover))
		sweep(t, link)
		lab.Require(t, !slices.Contains(others(t, path), leftover), lab.Lesson{
			Says: "Sweep does not follow a symbolic link", Did: "link.json leads to locks.json in another folder, where a crash has left a temporary file; Sweep on link.json",
			Expected: "only locks.json in its folder", Found: "beside it: " + leftover, Means: "WriteFile follows the link and Sweep does not: its leftovers are never found", Read: leftovers,
		})
	})

	t.Run("while a writer is at work", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", before)
		leftover := filepath.Join(filepath.Dir(path), crashLeft(t, path))
		vanished := lab.Rule{Calls: trace.Stats + "," + trace.Removes, Paths: []string{leftover}, Fail: syscall.ENOENT}
		lab.RequireNoError(t, lab.Trace(t, vanished, lab.Options{}, "sweep", path).Wait(), lab.Lesson{
			Says: "Sweep fails because a temporary file vanished", Did: "Sweep listed the folder; then the writer of a temporary file renamed it (strace says \"no such file\" for it)", Expected: "no error",
			Means: "a file that is gone needs no sweeping: on a busy machine Sweep fails now and then, and other leftovers stay", Read: leftovers,
		})
	})

	t.Run("removes what a crash has left", func(t *testing.T) {
		t.Parallel()
		folder := filepath.Join(t.TempDir(), "orders [2026]")
		lab.RequireNoError(t, os.Mkdir(folder, 0o700), lab.Lesson{Says: "the test could not make its own folder"})
		path := filepath.Join(folder, "locks.json")
		lab.RequireNoError(t, os.WriteFile(path, []byte(before), 0o600), lab.Lesson{Says: "the test could not write its own file"})
		leftover := crashLeft(t, path)

		sweep(t, path)
		lab.Require(t, slices.Contains(others(t, path), leftover), lab.Lesson{
			Says: "Sweep removed the temporary file of a writer that may be alive", Did: "a WriteFile was under way a moment ago; Sweep with an age of one hour",
			Expected: leftover + " is still there", Found: "it is gone", Means: "a slow writer's rename fails: a save is lost that would have worked", Read: leftovers,
		})

		age(t, filepath.Join(folder, leftover))
		sweep(t, filepath.Join(folder, "locks")) // another file, whose name begins alike
		lab.Require(t, slices.Contains(others(t, path), leftover), lab.Lesson{
			Says: "Sweep removed another file's temporary file", Did: "a crash left a temporary file of locks.json; Sweep beside a file called locks",
			Expected: leftover + " is still there", Found: "it is gone", Means: "programs that share a folder break each other's saves", Read: leftovers,
		})

		removed, err := atomicreplace.Sweep(path, time.Hour)
		lab.RequireNoError(t, err, lab.Lesson{Says: "Sweep failed", Did: "Sweep beside locks.json", Read: leftovers})
		lab.Require(t, !slices.Contains(others(t, path), leftover), lab.Lesson{
			Says: "Sweep does not remove what a crash has left", Did: "a WriteFile was killed; two hours later, Sweep with an age of one hour, in the folder \"orders [2026]\"",
			Expected: "only locks.json in the folder", Found: "beside it: " + leftover, Means: "leftovers pile up, one for each crash, with copies of the data in them", Read: leftovers,
		})
		lab.RequireEqual(t, filepath.Join(folder, leftover), strings.Join(removed, ", "), lab.Lesson{
			Says: "Sweep does not tell the paths that it removed", Did: "Sweep removed one leftover", Means: "an administrator who asks what was deleted gets no answer", Read: leftovers,
		})
		lab.RequireFile(t, path, before, lab.Lesson{Says: "Sweep changed the file itself", Did: "Sweep beside locks.json", Means: "the list of locks is gone", Read: leftovers})
	})
}

// sweepOnce is Sweep with age 0 in a process: PATH.
func sweepOnce(w *lab.Worker) error {
	_, err := atomicreplace.Sweep(w.Arg(0), 0)
	return err
}

// sweep calls Sweep with an age of one hour.
func sweep(t *testing.T, path string) {
	t.Helper()
	_, err := atomicreplace.Sweep(path, time.Hour)
	lab.RequireNoError(t, err, lab.Lesson{Says: "Sweep failed", Did: "Sweep beside " + filepath.Base(path), Read: leftovers})
}

// age makes a file look as if nobody had written to it for two hours.
func age(t *testing.T, path string) {
	t.Helper()
	past := time.Now().Add(-2 * time.Hour)
	lab.RequireNoError(t, os.Chtimes(path, past, past), lab.Lesson{Says: "the test could not age its own file"})
}

// crashLeft kills a process in the middle of WriteFile and returns the name of the temporary file that it left.
func crashLeft(t *testing.T, path string) string {
	t.Helper()
	for range 5 { // the kill may come too late
		writer := lab.Launch(t, lab.Options{Hold: true}, "write", path, "100000") // 2.5 MB
		writer.Continue()
		for giveUp := time.Now().Add(5 * time.Second); len(others(t, path)) == 0 && unchanged(path) && time.Now().Before(giveUp); {
			runtime.Gosched() // the window is the time of the write and the fsync
		}
		writer.Kill()
		lab.RequireNoError(t, os.WriteFile(path, []byte(before), 0o600), lab.Lesson{Says: "the test could not write its own file"})
		if names := others(t, path); len(names) > 0 {
			return names[0]
		}
	}
	t.Skip("five crashes left no temporary file: nothing to sweep")
	return ""
}

func unchanged(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == int64(len(before))
}
