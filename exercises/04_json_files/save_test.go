package jsonfiles_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab"
)

func TestSaveWritesWhatLoadReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		locks map[string]jsonfiles.Lock
	}{
		{"a part", map[string]jsonfiles.Lock{"bracket.step": {Owner: "alice", Since: morning}}},
		{"a time in nanoseconds", map[string]jsonfiles.Lock{"bracket.step": {Owner: "alice", Since: morning.Add(123456789)}}},
		{"signs that JSON or HTML escape", map[string]jsonfiles.Lock{`a<b>&"c"\d.step`: {Owner: "Zoë ☂", Since: morning}}},
		{"no locks", map[string]jsonfiles.Lock{}},
		{"a nil map", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.Path(t, "locks.json")
			lesson := lab.Lesson{
				Says:  "Save failed on a good document",
				Did:   "a new document was saved where there was no file: " + describeLocks(c.locks),
				Means: "the workshop cannot begin",
				Read:  `lessons/04_json_files, "Save: memory first"`,
			}
			doc := &jsonfiles.Document{Version: jsonfiles.Version, Locks: c.locks}
			lab.RequireNoError(t, jsonfiles.Save(path, doc), lesson)
			lesson.Says = "Load refused what Save had written"
			lesson.Means = "the document is on the disk, and no program can read it any more"
			lesson.Expected = "no error"
			got := load(t, path, lesson)
			lesson.Says = "Load returned another document than Save was given"
			lesson.Means = "a lock that was saved is not there, or belongs to somebody else"
			requireSame(t, &jsonfiles.Document{Version: 1, Generation: 1, Locks: c.locks}, got, lesson)
		})
	}

	t.Run("a shorter document over a longer one", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "locks.json", locks+strings.Repeat("\n", 2000))
		lesson := lab.Lesson{
			Says:  "Save failed on a good document",
			Did:   "a document with two locks was loaded, both were given back, and it was saved",
			Means: "parts that were given back stay taken",
			Read:  `lessons/04_json_files, "Save: memory first"`,
		}
		doc := load(t, path, lesson)
		clear(doc.Locks)
		lab.RequireNoError(t, jsonfiles.Save(path, doc), lesson)

		lesson.Says = "Save left more in the file than the new document"
		lesson.Means = "the file is no JSON any more: the next program that reads it fails, or reads half of an old lock"
		lesson.Expected = "one document of generation 8 without locks"
		content, err := os.ReadFile(path)
		lab.RequireNoError(t, err, lesson)
		var saved jsonfiles.Document
		lesson.Found = lab.Show(content)
		lab.Require(t, json.Unmarshal(content, &saved) == nil && len(content) < 500, lesson)
		requireSame(t, &jsonfiles.Document{Version: 1, Generation: 8}, &saved, lesson)
	})
}

func TestSaveCountsTheGenerations(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "locks.json")
	lesson := lab.Lesson{
		Says:  "Save did not write the next generation",
		Did:   "a new document was saved three times in a row",
		Means: "nobody can tell by the number that somebody has saved since",
		Read:  `lessons/04_json_files, "Write over what you know"`,
	}
	doc := jsonfiles.New()
	for generation := int64(1); generation <= 3; generation++ {
		doc.Locks["bracket.step"] = jsonfiles.Lock{Owner: "alice", Since: morning}
		lab.RequireNoError(t, jsonfiles.Save(path, doc), lesson)
		lesson.Expected = fmt.Sprintf("generation %d in the file and in the document", generation)
		got := load(t, path, lesson)
		lesson.Found = fmt.Sprintf("generation %d in the file, %d in the document", got.Generation, doc.Generation)
		lab.Require(t, got.Generation == generation && doc.Generation == generation, lesson)
		lesson.Expected, lesson.Found = "", ""
	}
}

// saveWithoutRoom loads and saves a document when no file may grow: a full disk.
func saveWithoutRoom(w *lab.Worker) error {
	doc, err := jsonfiles.Load(w.Arg(0))
	if errors.Is(err, fs.ErrNotExist) {
		doc = jsonfiles.New()
	} else if err != nil {
		return err
	}
	if err := lab.LimitFileSize(0); err != nil {
		return err
	}
	doc.Locks["lid.step"] = jsonfiles.Lock{Owner: "carol", Since: morning}
	return w.Result(jsonfiles.Save(w.Arg(0), doc) != nil)
}

// requireGeneration demands that a Save that was refused has not changed the caller's document.
func requireGeneration(t *testing.T, doc *jsonfiles.Document, want int64, did string) {
	t.Helper()
	lab.Require(t, doc.Generation == want, lab.Lesson{
		Says:     "Save changed a document that it did not save",
		Did:      did,
		Expected: fmt.Sprintf("generation %d in the caller's document", want),
		Found:    fmt.Sprintf("generation %d", doc.Generation),
		Means:    "the next Save compares the wrong number: it refuses a good file, or overwrites what somebody else has saved",
		Read:     `lessons/04_json_files, "Save: memory first"`,
	})
}

func TestSaveThatFailsKeepsTheOldDocument(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "Save destroyed the old document before it had a new one",
		Means: "one document that cannot be saved, and every lock of the workshop is gone",
		Read:  `lessons/04_json_files, "The file is emptied before anything can fail"`,
	}
	unsaid := lab.Lesson{
		Says:  "Save did not say that it saved nothing",
		Means: "the caller believes that the lock is on the disk",
		Read:  lesson.Read,
	}
	damaged := "bracket\xff.step"
	for _, c := range []struct {
		name, did string
		spoil     func(doc *jsonfiles.Document)
	}{
		{
			"a time that JSON cannot hold", "a lock was given the year 10000, for which JSON has no form, and the document was saved",
			func(doc *jsonfiles.Document) {
				doc.Locks["bracket.step"] = jsonfiles.Lock{Owner: "alice", Since: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}
			},
		},
		{
			"a lock of nobody", "a lock without an owner was added, and the document was saved",
			func(doc *jsonfiles.Document) { doc.Locks["lid.step"] = jsonfiles.Lock{Since: morning} },
		},
		{
			"another version", "the document's version was set to 2, and the document was saved",
			func(doc *jsonfiles.Document) { doc.Version = 2 },
		},
		{
			"a name that is no UTF-8", fmt.Sprintf("a lock on %q was added, and the document was saved", damaged),
			func(doc *jsonfiles.Document) { doc.Locks[damaged] = jsonfiles.Lock{Owner: "alice", Since: morning} },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lesson, unsaid := lesson, unsaid
			lesson.Did, unsaid.Did = c.did, c.did
			path := lab.WriteFile(t, "locks.json", locks)
			doc := load(t, path, lesson)
			c.spoil(doc)
			err := jsonfiles.Save(path, doc)
			lab.RequireError(t, err, unsaid)
			requireKept(t, path, locks, lesson)
			requireGeneration(t, doc, 7, c.did)
		})
	}

	t.Run("a full disk", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no limit of the file size (RLIMIT_FSIZE), by which this test makes a write fail")
		}
		lesson, unsaid := lesson, unsaid
		lesson.Did = "the disk was full when a document was saved over another"
		unsaid.Did = lesson.Did
		path := lab.WriteFile(t, "locks.json", locks)
		worker := lab.Start(t, "save without room", path)
		var failed bool
		worker.Result(&failed, lesson)
		lab.RequireNoError(t, worker.Wait(lesson), lesson)
		lab.Require(t, failed, unsaid)
		lab.RequireFile(t, path, locks, lesson)
	})

	t.Run("a full disk and no document yet", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no limit of the file size (RLIMIT_FSIZE), by which this test makes a write fail")
		}
		unsaid := unsaid
		unsaid.Did = "the disk was full when the first document was saved"
		unsaid.Read = `lessons/04_json_files, "Save: memory first"`
		worker := lab.Start(t, "save without room", lab.Path(t, "locks.json"))
		var failed bool
		worker.Result(&failed, unsaid)
		lab.RequireNoError(t, worker.Wait(unsaid), unsaid)
		lab.Require(t, failed, unsaid)
	})
}

func TestSaveWritesOnlyOverWhatLoadAccepts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, verdict string }{
		{"not over half a document", locks[:100], corrupt},
		{"not over an empty file", "", empty},
		{"not over a newer document", `{"version":2,"generation":8,"shelf":{}}`, newer},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := lab.WriteFile(t, "locks.json", c.content)
			lesson := lab.Lesson{
				Says:  "Save overwrote a file that Load refuses",
				Did:   "the file held " + lab.Show([]byte(c.content)) + "; a new document was saved over it",
				Means: "what could have been mended, or read by a newer program, is replaced by a document without locks",
				Read:  `lessons/04_json_files, "Write over what you know"`,
			}
			doc := jsonfiles.New()
			err := jsonfiles.Save(path, doc)
			requireKept(t, path, c.content, lesson)
			requireGeneration(t, doc, 0, lesson.Did)
			lesson.Says = "Save did not say why it refused the file"
			lesson.Means = "the caller cannot tell whether to set the file aside, to use a newer program or to try again"
			lesson.Expected, lesson.Found = c.verdict, found(nil, err)
			lab.Require(t, verdictOf(err) == c.verdict, lesson)
		})
	}
}

func TestSaveNoticesThatSomebodyElseHasSaved(t *testing.T) {
	t.Parallel()
	lesson := lab.Lesson{
		Says:  "Save overwrote another process's change",
		Means: "Bob was told that the lid is his, and nothing in the file says so any more",
		Read:  `lessons/04_json_files, "Write over what you know"`,
	}
	unsaid := "Save did not say that the file had changed"

	t.Run("since the document was loaded", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Did = "you loaded the document; another process loaded it, gave the lid to Bob and saved; then you saved"
		path := lab.WriteFile(t, "locks.json", locks)
		doc := load(t, path, lesson)
		bob := lab.Start(t, "take", path, "lid.step", "bob")
		lab.RequireNoError(t, bob.Wait(), lab.Lesson{
			Says: "Save failed on a good document", Did: "another process loaded the document, added a lock and saved",
			Means: "nobody can take a part", Read: lesson.Read,
		})
		after := load(t, path, lesson)

		doc.Locks["gear.step"] = jsonfiles.Lock{Owner: "alice", Since: morning}
		err := jsonfiles.Save(path, doc)
		requireSame(t, after, load(t, path, lesson), lesson)
		lesson.Says = unsaid
		lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, lesson)
		requireGeneration(t, doc, 7, lesson.Did)
		err = jsonfiles.Save(path, doc)
		lesson.Says = "The second Save overwrote what the first one had refused"
		lesson.Did += ", and once more"
		requireSame(t, after, load(t, path, lesson), lesson)
		lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, lesson)
	})

	t.Run("that somebody has put an older file back", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Did = "you loaded generation 7; somebody put a copy of generation 5 back; then you saved"
		lesson.Means = "whoever went back to the copy did it on purpose, and finds what he wanted to be rid of"
		path := lab.WriteFile(t, "locks.json", locks)
		doc := load(t, path, lesson)
		older := strings.Replace(locks, `"generation": 7`, `"generation": 5`, 1)
		write(t, path, older)
		err := jsonfiles.Save(path, doc)
		requireKept(t, path, older, lesson)
		lesson.Says = unsaid
		lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, lesson)
	})

	t.Run("before a new document was saved", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Did = "a document of generation 7 stood in the file; a new one was saved over it"
		lesson.Means = "a program that begins with an empty document wipes out every lock of the workshop"
		path := lab.WriteFile(t, "locks.json", locks)
		err := jsonfiles.Save(path, jsonfiles.New())
		requireKept(t, path, locks, lesson)
		lesson.Says = unsaid
		lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, lesson)
	})

	t.Run("that somebody has removed the file", func(t *testing.T) {
		t.Parallel()
		lesson := lesson
		lesson.Says = "Save brought back a file that somebody has removed"
		lesson.Did = "a document of generation 7 was loaded, the file was removed, then the document was saved"
		lesson.Means = "locks that somebody has put away on purpose, or set aside as damaged, are there again"
		path := lab.WriteFile(t, "locks.json", locks)
		doc := load(t, path, lesson)
		if err := os.Remove(path); err != nil {
			t.Fatalf("the test cannot remove its own file: %v", err)
		}
		err := jsonfiles.Save(path, doc)
		lab.RequireNoFile(t, path, lesson)
		lesson.Says = unsaid
		lab.RequireErrorIs(t, err, jsonfiles.ErrChanged, lesson)
	})
}
