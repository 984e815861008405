package jsonfiles_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example/turnstile/exercises/04_json_files"
	"example/turnstile/internal/lab"
)

// locks is a document as a program or a person may have written it, before any test began.
const locks = `{
  "version": 1,
  "generation": 7,
  "locks": {
    "bracket.step": {"owner": "alice", "since": "2026-03-02T09:00:00Z"},
    "hinge.step": {"owner": "bob", "since": "2026-03-02T09:30:00Z"}
  }
}
`

const noLocks = `{"version":1,"generation":3,"locks":{}}`

var morning = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	lab.Main(m, lab.Workers{
		"take":              take,
		"save without room": saveWithoutRoom,
	})
}

// take is another process that takes a part: load, add a lock, save.
func take(w *lab.Worker) error {
	doc, err := jsonfiles.Load(w.Arg(0))
	if err != nil {
		return err
	}
	doc.Locks[w.Arg(1)] = jsonfiles.Lock{Owner: w.Arg(2), Since: morning}
	return jsonfiles.Save(w.Arg(0), doc)
}

// verdictOf names what an error of Load says of the file. It names more than one if errors that should differ match together.
func verdictOf(err error) string {
	if err == nil {
		return "no error"
	}
	var kinds []string
	if errors.Is(err, fs.ErrNotExist) {
		kinds = append(kinds, "missing (fs.ErrNotExist)")
	}
	if errors.Is(err, jsonfiles.ErrEmpty) {
		kinds = append(kinds, "empty (ErrEmpty)")
	}
	if _, ok := errors.AsType[*jsonfiles.CorruptError](err); ok {
		kinds = append(kinds, corrupt)
	}
	if _, ok := errors.AsType[*jsonfiles.VersionError](err); ok {
		kinds = append(kinds, newer)
	}
	if errors.Is(err, jsonfiles.ErrChanged) {
		kinds = append(kinds, changed)
	}
	if len(kinds) == 0 {
		return other
	}
	return strings.Join(kinds, " and ")
}

const (
	missing = "missing (fs.ErrNotExist)"
	empty   = "empty (ErrEmpty)"
	corrupt = "corrupt (*CorruptError)"
	newer   = "newer (*VersionError)"
	changed = "changed (ErrChanged)"
	other   = "an error that says only why it could not be read"
)

// found describes what Load returned.
func found(doc *jsonfiles.Document, err error) string {
	switch {
	case err != nil:
		return verdictOf(err) + ": " + oneLine(err)
	case doc == nil:
		return "no error and no document"
	}
	return "no error, and " + describe(doc)
}

func describe(doc *jsonfiles.Document) string {
	if len(doc.Locks) == 0 {
		return fmt.Sprintf("a document of generation %d without locks", doc.Generation)
	}
	return fmt.Sprintf("a document of generation %d with the locks %s", doc.Generation, describeLocks(doc.Locks))
}

func describeLocks(locks map[string]jsonfiles.Lock) string {
	names := make([]string, 0, len(locks))
	for path, lock := range locks {
		names = append(names, fmt.Sprintf("%s: %s", path, lock.Owner))
	}
	return "{" + strings.Join(sorted(names), ", ") + "}"
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// requireRefused demands that Load refuses a file of this content with the given verdict, and that nothing in the folder changes.
func requireRefused(t *testing.T, content, verdict string, lesson lab.Lesson) {
	t.Helper()
	path := lab.WriteFile(t, "locks.json", content)
	doc, err := jsonfiles.Load(path)
	lesson.Expected, lesson.Found = verdict, found(doc, err)
	lab.Require(t, verdictOf(err) == verdict, lesson)
	requireNoDocument(t, doc, lesson)
	requireUntouched(t, path, content, lab.Lesson{
		Says:  "Load changed the file that it could not read",
		Did:   lesson.Did,
		Means: "the damaged file is the best evidence of what was in it; whoever only looks must not touch it",
		Read:  `lessons/04_json_files, "Set the damage aside"`,
	})
}

func requireNoDocument(t *testing.T, doc *jsonfiles.Document, lesson lab.Lesson) {
	t.Helper()
	lesson.Says = "Load returned a document together with an error"
	lesson.Expected, lesson.Found = "no document (nil)", "a document"
	if doc != nil {
		lesson.Found = describe(doc)
	}
	lesson.Means = "whoever overlooks the error goes on with a document that nobody has saved"
	lesson.Read = `lessons/04_json_files, "Missing, empty, damaged"`
	lab.Require(t, doc == nil, lesson)
}

// requireKept demands that the file has this content. What stands beside it is Save's own matter.
func requireKept(t *testing.T, path, content string, lesson lab.Lesson) {
	t.Helper()
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		lesson.Expected, lesson.Found = lab.Show([]byte(content)), "no file at that path"
		lab.Fail(t, lesson)
	}
	lab.RequireFile(t, path, content, lesson)
}

// requireUntouched demands that the file has this content and stands alone in its folder.
func requireUntouched(t *testing.T, path, content string, lesson lab.Lesson) {
	t.Helper()
	requireKept(t, path, content, lesson)
	lesson.Expected, lesson.Found = "locks.json", strings.Join(names(t, filepath.Dir(path)), ", ")
	lab.Require(t, lesson.Found == lesson.Expected, lesson)
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatalf("the test cannot list its own folder: %v", err)
	}
	all := make([]string, 0, len(entries))
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// load is for what must succeed.
func load(t *testing.T, path string, lesson lab.Lesson) *jsonfiles.Document {
	t.Helper()
	doc, err := jsonfiles.Load(path)
	if err != nil || doc == nil {
		lesson.Found = found(doc, err)
		lab.Fail(t, lesson)
	}
	return doc
}

// requireSame demands that two documents say the same.
func requireSame(t *testing.T, want, got *jsonfiles.Document, lesson lab.Lesson) {
	t.Helper()
	same := want.Version == got.Version && want.Generation == got.Generation &&
		maps.EqualFunc(want.Locks, got.Locks, func(a, b jsonfiles.Lock) bool { return a.Owner == b.Owner && a.Since.Equal(b.Since) })
	lesson.Expected, lesson.Found = describe(want), describe(got)
	if lesson.Expected == lesson.Found {
		lesson.Expected, lesson.Found = fmt.Sprintf("%+v", *want), fmt.Sprintf("%+v", *got)
	}
	lab.Require(t, same, lesson)
}
