package seektruncate_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

func TestRewriteLeavesExactlyTheNewDocument(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new string }{
		{"a shorter one", locksOf("alice", 1), locksOf("bob", 1)},
		{"an empty one", locksOf("alice", 1), ""},
		{"a longer one", locksOf("bob", 1), locksOf("alice", 1)},
		{"the first one", "", locksOf("bob", 1)},
		{"a shorter one of many parts", locksOf("alice", 8_000), locksOf("bob", 8_000)},
		{"one with spaces", locksOf("alice", 1), "{ \"a\" : 1 }\n"},
		{"one with bytes of any kind", locksOf("alice", 8_000), "\xef\xbb\xbf { } \xff\r\n" + strings.Repeat("\x00", 65_536) + " \n\n"},
		{"one of more than a mebibyte", locksOf("alice", 8_000), locksOf("bob", 50_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", c.old)
			err := seektruncate.Rewrite(path, []byte(c.new))
			lesson := lessonOf(content(t, path), c.old, c.new)
			lab.RequireNoError(t, err, lesson)
			lab.RequireFile(t, path, c.new, lesson)
		})
	}
}

// lessonOf says in which way a file is not the new document, so that each mistake has a name of its own.
func lessonOf(got, old, new string) lab.Lesson {
	lesson := lab.Lesson{
		Says:  "Rewrite did not leave exactly the new document",
		Did:   fmt.Sprintf("locks.json held %d bytes; Rewrite replaced them with %d", len(old), len(new)),
		Means: "the file is not what was saved, nor JSON perhaps: the next program that reads it fails, or takes a part and reports nothing",
		Read:  `lessons/03_seek_truncate, "Why it happens"`,
	}
	switch {
	case len(got) > len(new) && strings.HasPrefix(got, new):
		lesson.Says = "Rewrite left the old tail after the new document"
	case strings.HasPrefix(got, "\x00"):
		lesson.Says = "Rewrite left a hole of zero bytes before the new document"
		lesson.Read = `lessons/03_seek_truncate, "The hole"`
	case old != "" && strings.HasPrefix(got, old):
		lesson.Says = "Rewrite wrote after the old document instead of over it"
	}
	return lesson
}

func TestRewriteKeepsTheFile(t *testing.T) {
	t.Parallel()
	// Carol's document is as long as Alice's: where it is written, a test asks nothing about the end.
	alice, bob, carol := locksOf("alice", 1), locksOf("bob", 1), locksOf("carol", 1)
	replaced := lab.Lesson{
		Says:  "Rewrite put another file in the place of the old one",
		Means: "programs that have the file open, or know it by another name, keep working with the old document",
		Read:  `lessons/03_seek_truncate, "The fix"`,
	}
	t.Run("for a program that has it open", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", alice)
		viewer := open(t, path)
		lesson := replaced
		lesson.Did = "a program had locks.json open before Rewrite, and read through that handle afterwards"
		lab.RequireNoError(t, seektruncate.Rewrite(path, []byte(carol)), lesson)
		seen, err := io.ReadAll(viewer)
		lab.RequireNoError(t, err, lesson)
		lab.RequireEqual(t, carol, string(seen), lesson)
	})
	t.Run("under its other name", func(t *testing.T) {
		t.Parallel()
		path, other := lab.WriteFile(t, "locks.json", alice), lab.Path(t, "other name.json")
		if err := os.Link(path, other); err != nil {
			t.Skipf("no hard links here: %v", err)
		}
		lesson := replaced
		lesson.Did = "locks.json had a second name (a hard link); after Rewrite the test read the file by that name"
		lab.RequireNoError(t, seektruncate.Rewrite(path, []byte(carol)), lesson)
		lab.RequireFile(t, other, carol, lesson)
	})
	t.Run("behind a symbolic link", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", alice)
		link := filepath.Join(filepath.Dir(path), "link.json")
		symlink(t, "locks.json", link)
		lesson := replaced
		lesson.Did = "Rewrite was called with the path of a symbolic link to locks.json"
		lesson.Means = "programs that know the file by its own name keep working with the old document"
		lab.RequireNoError(t, seektruncate.Rewrite(link, []byte(bob)), lesson.Say("Rewrite did not follow a symbolic link to the file"))
		followed := lesson
		if got := content(t, path); got != alice {
			followed = lessonOf(got, alice, bob)
			followed.Did = lesson.Did
		}
		lab.RequireFile(t, path, bob, followed)
		lesson.Says = "Rewrite replaced a symbolic link with a file"
		info, err := os.Lstat(link)
		lab.RequireNoError(t, err, lesson)
		lab.RequireEqual(t, fs.ModeSymlink, info.Mode().Type(), lesson)
	})
	t.Run("with its mode", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t, "Windows has no permission bits")
		for _, mode := range []fs.FileMode{0o600, 0o646} {
			path := lab.WriteFile(t, "locks.json", alice)
			prepared(t, os.Chmod(path, mode))
			lesson := lab.Lesson{
				Says:  "Rewrite changed the mode of the file",
				Did:   fmt.Sprintf("locks.json had mode %v; Rewrite replaced its content", mode),
				Means: "a private document can be read by all, or a shared one no longer",
				Read:  `lessons/03_seek_truncate, "The fix"`,
			}
			lab.RequireNoError(t, seektruncate.Rewrite(path, []byte(bob)), lesson)
			info, err := os.Stat(path)
			lab.RequireNoError(t, err, lesson)
			lab.RequireEqual(t, mode, info.Mode(), lesson)
		}
	})
	t.Run("of another owner", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t, "Windows has no permission bits")
		path := filepath.Join(lab.SharedDir(t), "locks.json")
		prepared(t, os.WriteFile(path, []byte(alice), 0o600))
		prepared(t, os.Chmod(path, 0o666))
		lesson := lab.Lesson{
			Says:  "Rewrite needs more than the right to write the file",
			Did:   "Rewrite of a file with mode -rw-rw-rw-, by a user who is neither root nor its owner",
			Means: "a document that a group shares can be saved by one of them only",
			Read:  `lessons/03_seek_truncate, "The fix"`,
		}
		var call done
		worker := lab.Launch(t, lab.Options{Unprivileged: true}, "rewrite", path, "bob", "1", unlimited)
		worker.Result(&call, lesson)
		lab.RequireNoError(t, worker.Wait(lesson), lesson)
		lab.RequireNoError(t, call.Returned.Err, lesson)
		lab.RequireFile(t, path, bob, lesson)
	})
	t.Run("and makes no other", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", alice)
		lesson := lab.Lesson{
			Says:  "Rewrite left another file behind",
			Did:   "Rewrite replaced locks.json, which was alone in its directory",
			Means: "copies pile up, and a copy of a private document is one more place to protect",
			Read:  `lessons/03_seek_truncate, "The fix"`,
		}
		lab.RequireNoError(t, seektruncate.Rewrite(path, []byte(bob)), lesson)
		requireAlone(t, path, lesson)
	})
	t.Run("and touches no other, not even for a moment", func(t *testing.T) {
		t.Parallel()
		path, next := lab.WriteFile(t, "locks.json", alice), locksOf("carol and her friends", 1)
		opened, other := open(t, path), lab.WriteFile(t, "next.json", next)
		made := lab.Lesson{
			Says:  "Rewrite made another file while it worked",
			Means: "a process crash leaves it there, and a copy of a private document is one more place to protect",
			Read:  `lessons/03_seek_truncate, "The fix"`,
		}
		var returned lab.Returned
		worker := lab.Step(t, stops, filepath.Dir(path), "step", path, carol, unlimited)
		worker.Call("rewrite", &returned, func(stop lab.Stop) {
			made.Did = "another process listed the directory, which is TMPDIR as well, after Rewrite's call of " + stop.Call.Name
			requireAlone(t, path, made)
			if strings.Contains(content(t, path), carol) {
				prepared(t, os.Rename(other, path))
			}
		}, made)
		lesson := lab.Lesson{
			Says:  "Rewrite changed a file that it had not opened",
			Did:   "another process put a new file at the path as soon as Rewrite had written to the old one",
			Means: "the path is looked up twice, and what is cut off belongs to another document",
			Read:  `lessons/03_seek_truncate, "The fix"`,
		}
		lab.RequireFile(t, path, next, lesson)
		lab.RequireNoError(t, returned.Err, lesson)
		lesson.Says = "Rewrite did not finish the file that it had opened"
		got, err := io.ReadAll(opened)
		lab.RequireNoError(t, err, lesson)
		lab.RequireEqual(t, carol, string(got), lesson)
	})
}

func TestRewriteRefusesAMissingFile(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for _, c := range []struct{ name, path, made string }{
		{"in a directory", filepath.Join(directory, "locks.json"), filepath.Join(directory, "locks.json")},
		{"in a missing directory", filepath.Join(directory, "missing", "locks.json"), filepath.Join(directory, "missing")},
	} {
		t.Run(c.name, func(t *testing.T) {
			lesson := lab.Lesson{
				Says:  "Rewrite made a file where there was none",
				Did:   "Rewrite was called with a path at which there is nothing",
				Means: "a mistyped path becomes a second locks.json, and each of the two is half of the truth",
				Read:  `lessons/03_seek_truncate, "The fix"`,
			}
			err := seektruncate.Rewrite(c.path, []byte(locksOf("bob", 1)))
			lab.RequireNoFile(t, c.made, lesson)
			lesson.Says = "Rewrite did not report that the file is missing"
			lesson.Means = "the caller cannot tell a missing file from a broken one"
			lab.RequireErrorIs(t, err, fs.ErrNotExist, lesson)
		})
	}
}

// rewrite calls Rewrite on its file, perhaps in a process that may write no file beyond a length.
func rewrite(w *lab.Worker) error {
	if err := limit(w, 3); err != nil {
		return err
	}
	path, document := w.Arg(0), locksOf(w.Arg(1), w.Int(2))
	call, err := doneWith(path, seektruncate.Rewrite(path, []byte(document)))
	return errors.Join(w.Result(call), err)
}

func TestRewriteShortensTheFileLast(t *testing.T) {
	t.Parallel()

	t.Run("so that a refused write leaves the old document", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t, noLimit)
		for _, parts := range []int{1, 8_000} {
			old := locksOf("alice", parts)
			path := lab.WriteFile(t, "locks.json", old)
			lesson := lab.Lesson{
				Says:  "Rewrite destroyed the old document before the new one was written",
				Did:   fmt.Sprintf("Rewrite of %d bytes in a process in which the kernel refuses every write", len(locksOf("bob", parts))),
				Means: "one refused write, and the file that says who has which part is gone",
				Read:  `lessons/03_seek_truncate, "Truncate last"`,
			}
			call := runRewrite(t, lesson, path, "bob", fmt.Sprint(parts), "0")
			lab.RequireFile(t, path, old, lesson)
			requireReported(t, call, lesson)
		}
	})
	t.Run("also when a write stops in the middle", func(t *testing.T) {
		t.Parallel()
		skipOnWindows(t, noLimit)
		const room = 19 // of 22 bytes
		alice, bob := locksOf("alice", 1), locksOf("bob", 1)
		path := lab.WriteFile(t, "locks.json", alice)
		lesson := lab.Lesson{
			Says:     "Rewrite shortened a document that it could not replace",
			Did:      fmt.Sprintf("Rewrite of %d bytes over %d; the kernel took %d and refused the rest", len(bob), len(alice), room),
			Expected: "the old document, or the beginning of the new one and the rest of the old",
			Means:    "what the refused write left of the old document is cut off as well",
			Read:     `lessons/03_seek_truncate, "Truncate last"`,
		}
		call := runRewrite(t, lesson, path, "bob", "1", fmt.Sprint(room))
		got := content(t, path)
		lesson.Found = lab.Show([]byte(got))
		lab.Require(t, got == alice || got == bob[:room]+alice[room:], lesson)
		requireReported(t, call, lesson)
	})
	t.Run("so that no reader meets an empty file", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct{ old, new string }{{"alice", "bob"}, {"bob", "alice"}} {
			old, new := locksOf(c.old, 1), locksOf(c.new, 1)
			path := lab.WriteFile(t, "locks.json", old)
			lesson := lab.Lesson{
				Says:     "Rewrite shortened the file before the new document was in it",
				Expected: fmt.Sprintf("at no moment fewer than %d bytes", min(len(old), len(new))),
				Means:    "a reader at this moment, or after a process crash, finds neither document",
				Read:     `lessons/03_seek_truncate, "Truncate last"`,
			}
			worker := lab.Step(t, stops, filepath.Dir(path), "step", path, new, unlimited)
			var returned lab.Returned
			worker.Call("rewrite", &returned, func(stop lab.Stop) {
				lesson.Did = "another process read locks.json after Rewrite's call of " + stop.Call.Name
				got := content(t, path)
				lesson.Found = fmt.Sprintf("%d bytes: %s", len(got), lab.Show([]byte(got)))
				lab.Require(t, len(got) >= min(len(old), len(new)), lesson)
				lesson := lesson.Say("Rewrite wrote what is in neither document")
				lesson.Expected = "each byte from the old document or from the new one"
				lesson.Means = "a process crash leaves bytes in the file that no program has written, in place of those that it could be mended with"
				lab.Require(t, mixed(got, old, new), lesson)
			}, lesson)
			lab.RequireNoError(t, returned.Err, lesson)
		}
	})
	t.Run("and cuts off what came before it wrote", cutsOffWhatCameMeanwhile)
}

// What Rewrite learns of the file before it writes may be wrong by then.
func cutsOffWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	old, new := locksOf("bob", 1), locksOf("alice", 1)
	path := lab.WriteFile(t, "locks.json", old)
	lesson := lab.Lesson{
		Says:  "Rewrite left something behind the new document",
		Means: "the file is neither document, and no program can read it",
		Read:  `lessons/03_seek_truncate, "Truncate last"`,
	}
	worker := lab.Step(t, stops, filepath.Dir(path), "step", path, new, unlimited)
	for moment, more := 1, true; more; moment++ { // one moment at a time: a second addition would be noticed where the first is
		prepared(t, os.WriteFile(path, []byte(old), 0o600))
		more = false
		var returned lab.Returned
		worker.Call("rewrite", &returned, func(stop lab.Stop) {
			if stop.Number == moment && content(t, path) == old {
				lesson.Did = "another process appended to locks.json after Rewrite's call of " + stop.Call.Name + ", before Rewrite wrote"
				prepared(t, os.WriteFile(path, []byte(old+strings.Repeat(" ", 100)), 0o600))
				more = true
			}
		}, lesson)
		lab.RequireNoError(t, returned.Err, lesson)
		lab.RequireFile(t, path, new, lesson)
	}
}

// mixed reports whether each byte is that of one of the two at its place.
func mixed(got, old, new string) bool {
	for i := range len(got) {
		if !(i < len(old) && got[i] == old[i]) && !(i < len(new) && got[i] == new[i]) {
			return false
		}
	}
	return true
}

func runRewrite(t *testing.T, lesson lab.Lesson, path string, args ...string) (call done) {
	t.Helper()
	worker := lab.Start(t, "rewrite", append([]string{path}, args...)...)
	worker.Result(&call, lesson)
	lab.RequireNoError(t, worker.Wait(lesson), lesson)
	return call
}

// requireReported demands that a Rewrite which could not write said so, and closed the file.
func requireReported(t *testing.T, call done, lesson lab.Lesson) {
	t.Helper()
	lesson.Says = "Rewrite reported nothing although a write failed"
	lesson.Expected, lesson.Found = "an error", "no error"
	lesson.Means = "the program goes on as if the new document were in the file"
	lab.Require(t, call.Returned.Err != nil, lesson)
	requireClosed(t, "Rewrite", call, lesson)
}

func requireClosed(t *testing.T, function string, call done, lesson lab.Lesson) {
	t.Helper()
	lesson.Says = function + " left the file open"
	lesson.Expected, lesson.Found = "no open handle to the file when "+function+" has returned", "one is still open"
	lesson.Means = "handles run out after some hundred calls (lesson 02)"
	lab.Require(t, !call.LeftOpen, lesson)
}

func TestRewriteReportsARefusedStep(t *testing.T) {
	t.Parallel()
	for _, r := range []refusal{openRefused, writeRefused, cutRefused, closeRefused} {
		t.Run(r.step, func(t *testing.T) {
			t.Parallel()
			lab.EachErrno(t, func(t *testing.T, errno error) {
				alice, bob := locksOf("alice", 1), locksOf("bob", 1)
				path := lab.WriteFile(t, "locks.json", alice)
				lesson := lab.Lesson{
					Says:  "Rewrite did not return the kernel's error",
					Did:   fmt.Sprintf("Rewrite, while the kernel refuses to %s locks.json: %v", r.step, errno),
					Means: "the caller believes that the new document is in the file, and nothing else will tell",
					Read:  `lessons/03_seek_truncate, "When the kernel refuses"`,
				}
				call, met := withRefusal(t, r, errno, lesson, "rewrite", path, "bob", "1", unlimited)
				if !met { // another design does without this step
					lab.RequireNoError(t, call.Returned.Err, lesson)
					lab.RequireFile(t, path, bob, lesson)
					return
				}
				lab.RequireErrorIs(t, call.Returned.Err, errno, lesson)
				if r.step != "close" { // strace refuses a close by leaving it out
					requireClosed(t, "Rewrite", call, lesson)
				}
				if r.step == "open" || r.step == "write" {
					lesson.Says = "Rewrite changed the document although the kernel had refused to " + r.step + " it"
					lesson.Means = "it cut the file first, or went on by another way, and the old document has paid for it"
					lab.RequireFile(t, path, alice, lesson)
				}
			}, r.errnos...)
		})
	}
	t.Run("for whatever reason", func(t *testing.T) {
		passesNoReasonOver(t,
			change{"Rewrite", locksOf("alice", 1), locksOf("bob", 1), locksOf("bob", 1)},
			change{"Rewrite", locksOf("bob", 1), locksOf("alice", 1), locksOf("alice", 1)},
		)
	})
	t.Run("and the second one as well", func(t *testing.T) {
		t.Parallel()
		requireBothErrors(t, "Rewrite", "write", lab.WriteFile(t, "locks.json", locksOf("alice", 1)), "rewrite", "bob", "1", "0")
	})
	t.Run("and the second one as well, after the write", func(t *testing.T) {
		t.Parallel()
		lab.RequireRefuse(t, lab.Refuse("truncate", syscall.EFBIG, func() {}))
		requireBothErrors(t, "Rewrite", "truncate", lab.WriteFile(t, "locks.json", locksOf("alice", 1)), "rewrite", "bob", "1", noTruncate)
	})
	t.Run("and closes the file when all went well", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", locksOf("alice", 1))
		lesson := lab.Lesson{
			Says: "Rewrite failed",
			Did:  "Rewrite replaced one document with another",
			Read: `lessons/03_seek_truncate, "The fix"`,
		}
		call := runRewrite(t, lesson, path, "bob", "1", unlimited)
		lab.RequireNoError(t, call.Returned.Err, lesson)
		requireClosed(t, "Rewrite", call, lesson)
	})
}

// requireBothErrors demands the error of a step and that of the Close after it, of a worker whose arguments forbid the step.
func requireBothErrors(t *testing.T, function, step, path, worker string, args ...string) {
	t.Helper()
	skipOnWindows(t, noLimit)
	lesson := lab.Lesson{
		Says:  function + " did not return the kernel's error",
		Did:   fmt.Sprintf("%s, while the kernel refuses to %s (EFBIG), and after that to close the file (EIO)", function, step),
		Means: "of two failures the caller hears of one, and it may be the harmless one",
		Read:  `lessons/03_seek_truncate, "When the kernel refuses"`,
	}
	call, met := withRefusal(t, closeRefused, syscall.EIO, lesson, worker, path, args...)
	lab.RequireErrorIs(t, call.Returned.Err, syscall.EFBIG, lesson)
	if met {
		lab.RequireErrorIs(t, call.Returned.Err, syscall.EIO, lesson)
	}
}
