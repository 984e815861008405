package seektruncate_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"example/turnstile/exercises/03_seek_truncate"
	"example/turnstile/internal/lab"
)

func TestRewriteLeavesExactlyTheNewDocument(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new string }{
		{"a shorter one", locksOfAlice, locksOfBob},
		{"an empty one", locksOfAlice, ""},
		{"a longer one", locksOfBob, locksOfAlice},
		{"the first one", "", locksOfBob},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", c.old)
			err := seektruncate.Rewrite(path, []byte(c.new))
			lesson := lessonOf(t, path, c.old, c.new)
			lab.RequireNoError(t, err, lesson)
			lab.RequireFile(t, path, c.new, lesson)
		})
	}
}

// lessonOf says in which way the file at path is not the new document, so that each mistake has a name of its own.
func lessonOf(t *testing.T, path, old, new string) lab.Lesson {
	t.Helper()
	lesson := lab.Lesson{
		Says:  "Rewrite did not leave exactly the new document",
		Did:   fmt.Sprintf("locks.json held %d bytes; Rewrite replaced them by %d", len(old), len(new)),
		Means: "the file is no JSON any more: the next program that reads it fails, or takes the first part and never tells",
		Read:  `lessons/03_seek_truncate, "Two numbers"`,
	}
	content, err := os.ReadFile(path)
	lab.RequireNoError(t, err, lesson)
	switch got := string(content); {
	case len(got) > len(new) && strings.HasPrefix(got, new):
		lesson.Says = "Rewrite left the old tail behind the new document"
		lesson.Read = `lessons/03_seek_truncate, "The tail"`
	case strings.Contains(got, "\x00"):
		lesson.Says = "Rewrite left a hole of zero bytes in front of the new document"
		lesson.Read = `lessons/03_seek_truncate, "The hole"`
	case old != "" && strings.HasPrefix(got, old):
		lesson.Says = "Rewrite wrote behind the old document instead of over it"
	}
	return lesson
}

func TestRewriteKeepsTheFile(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "locks.json", locksOfAlice)
	viewer := open(t, path)
	locksOfCarol := strings.ReplaceAll(locksOfAlice, "alice", "carol") // of the same length: this test asks nothing of the end
	lesson := lab.Lesson{
		Says:  "Rewrite put another file in the place of the old one",
		Did:   "a program had locks.json open before Rewrite, and read through that handle afterwards",
		Means: "whoever has the file open, or reaches it by another name, works on with the old document",
		Read:  `lessons/03_seek_truncate, "Truncate last"`,
	}
	lab.RequireNoError(t, seektruncate.Rewrite(path, []byte(locksOfCarol)), lesson)
	seen, err := io.ReadAll(viewer)
	lab.RequireNoError(t, err, lesson)
	lab.RequireEqual(t, locksOfCarol, string(seen), lesson)
}

func TestRewriteRefusesAMissingFile(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "locks.json")
	lesson := lab.Lesson{
		Says:  "Rewrite made a file where there was none",
		Did:   "Rewrite was called with a path at which nothing stands",
		Means: "a mistyped path becomes a second locks.json, and each of the two is half of the truth",
		Read:  `lessons/03_seek_truncate, "Truncate last"`,
	}
	err := seektruncate.Rewrite(path, []byte(locksOfBob))
	lab.RequireNoFile(t, path, lesson)
	lesson.Says = "Rewrite did not say that the file is missing"
	lesson.Means = "the caller cannot tell a missing file from a broken one"
	lab.RequireErrorIs(t, err, fs.ErrNotExist, lesson)
}

// rewriteWithoutRoom calls Rewrite in a process that may not write a single byte to any file.
func rewriteWithoutRoom(w *lab.Worker) error {
	if err := lab.LimitFileSize(0); err != nil {
		return err
	}
	return w.Result(outcomeOf(seektruncate.Rewrite(w.Arg(0), []byte(w.Arg(1)))))
}

func TestRewriteThatCannotWriteKeepsTheOldDocument(t *testing.T) {
	t.Parallel()
	skipWithoutFileSizeLimit(t)
	path := lab.WriteFile(t, "locks.json", locksOfAlice)
	worker := lab.Start(t, "rewrite without room", path, locksOfBob)
	var rewrite outcome
	worker.Result(&rewrite)
	if err := worker.Wait(); err != nil {
		t.Fatalf("the worker could not do its part: %v", err)
	}

	lesson := lab.Lesson{
		Says:  "Rewrite destroyed the old document before the new one was there",
		Did:   "Rewrite ran in a process in which every write to a file fails",
		Means: "a full disk is enough to lose every lock: an empty locks.json says that nobody holds anything",
		Read:  `lessons/03_seek_truncate, "Truncate last"`,
	}
	lab.RequireFile(t, path, locksOfAlice, lesson)
	lesson.Says = "Rewrite said nothing of a write that failed"
	lesson.Expected = "an error"
	lesson.Found = "no error"
	lesson.Means = "the program goes on as if the new document were in the file"
	lab.Require(t, rewrite.Failed, lesson)
}
